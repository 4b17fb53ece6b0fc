"""Four pictures on one canvas.

Paper: A. Bochkovskiy et al.: YOLOv4: Optimal Speed and Accuracy of Object Detection,
2020, https://arxiv.org/abs/2004.10934
Differs from the paper: every picture keeps its aspect and covers its quarter, the
corner at the middle of the canvas kept and what is too much cut off; the four are
neighbours in the (shuffled) batch; all are resampled once, together with whatever else
moves the sample.
"""

from typing import NamedTuple

import tensorflow as tf

from kcv.data.transforms import geometry

MIDDLE = (0.3, 0.7)  # where the four meet, fractions of the sides


class Canvas(NamedTuple):
    """Where four pictures lie.

    Parameters:
        on: bool (); False shows the first alone.
        size: (height, width) of each picture and of the canvas.
        middle: float64 (2,), x and y of the corner that all have in common; whole.
        places: float64 (4, 3, 3), of each picture to the canvas.
        visible: float64 (4, 4), x1, y1, x2, y2: what is seen of each, in its pixels.
    """

    on: tf.Tensor
    size: tuple[int, int]
    middle: tf.Tensor
    places: tf.Tensor
    visible: tf.Tensor

    def origin(self, x, y):
        """Returns float32 (x, y, index) in the pictures of a place on the canvas."""
        height, width = self.size
        inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
        middle = tf.cast(self.middle, tf.float32)
        right, low = self.on & (x >= middle[0]), self.on & (y >= middle[1])
        back = tf.cast(geometry.invert(self.places), tf.float32)

        def of_picture(row, column):
            a, b, c, d = tf.unstack(back[:, row, column])
            return tf.where(low, tf.where(right, d, c), tf.where(right, b, a))

        x = of_picture(0, 0) * x + of_picture(0, 2)
        y = of_picture(1, 1) * y + of_picture(1, 2)
        index = tf.cast(right, tf.float32) + 2 * tf.cast(low, tf.float32)
        return tf.where(inside, x, -1e6), tf.where(inside, y, -1e6), index

    def shows(self, points):
        """Returns bool (4, n, k): whether (4, n, k, 2) lie in what is seen."""
        points = tf.cast(points, tf.float64)
        visible = self.visible[:, None, None]
        inside = (points >= visible[..., :2]) & (points < visible[..., 2:])
        return tf.reduce_all(inside, axis=-1)


def random_canvas(knobs, random, size, possible):
    """Draws where four pictures lie.

    Args:
        knobs: `Transforms`; `mosaic` is the share of samples that are one.
        random: From `random_numbers.uniforms`, scalars.
        size: (height, width).
        possible: bool (), whether there are four pictures.

    Returns:
        `Canvas`.
    """
    height, width = size
    low, high = MIDDLE
    x = tf.round(width * (low + (high - low) * random["mosaic_x"]))
    y = tf.round(height * (low + (high - low) * random["mosaic_y"]))
    on = (random["mosaic"] < knobs.mosaic) & possible
    places, visible = [], []
    for is_low in (False, True):
        for is_right in (False, True):
            wide = width - x if is_right else x
            high = height - y if is_low else y
            factor = tf.maximum(wide / width, high / height)
            left = x if is_right else x - factor * width
            top = y if is_low else y - factor * height
            places.append(geometry.shift(left, top) @ geometry.scale(factor, factor))
            seen_x, seen_y = wide / factor, high / factor
            x1, x2 = (0, seen_x) if is_right else (width - seen_x, width)
            y1, y2 = (0, seen_y) if is_low else (height - seen_y, height)
            visible.append(tf.stack([tf.cast(v, tf.float64) for v in (x1, y1, x2, y2)]))
    alone = tf.constant([[0, 0, width, height]] + [[0] * 4] * 3, tf.float64)
    return Canvas(
        on,
        size,
        tf.stack([x, y]),
        tf.where(on, tf.stack(places), tf.eye(3, dtype=tf.float64)),
        tf.where(on, tf.stack(visible), alone),
    )


def partners(rows):
    """Returns which pictures a batch's mosaics are made of, and whether there are four.

    Row 4i + j takes rows 4i + (j, j + 1, j + 2, j + 3) modulo 4; up to three last rows
    stay alone.

    Args:
        rows: int32 (), rows in the batch.

    Returns:
        int32 (rows, 4) and bool (rows,).
    """
    row = tf.range(rows)[:, None]
    start = row // 4 * 4
    possible = start + 4 <= rows
    return tf.where(possible, start + (row + tf.range(4)) % 4, row), possible[:, 0]
