"""Resamples all that lies on the grid of pixels, once, by one map.

Images are bilinear, label maps and masks nearest. Flow and depth are bilinear where
their four neighbours agree and nearest elsewhere, since half way between a near and a
far thing there is nothing. Shrinking does not smooth.
"""

import tensorflow as tf

from kcv.data import resampling
from kcv.data.transforms import geometry

_FAR = 1e6  # pixels


def sources(to_in, size, origin=None):
    """Returns where each output pixel is from.

    Args:
        to_in: float64 (3, 3), output to input, continuous pixels.
        size: (height, width) of the output.
        origin: None, or a function (x, y) -> (x, y, index) for an input that is
            made of several pictures, all float32 (H, W).

    Returns:
        float32 (H, W) each: column, row (pixel centres at whole numbers) and index of
        the picture.
    """
    to_in = tf.cast(to_in, tf.float32)
    column = tf.range(size[1], dtype=tf.float32)[None, :] + 0.5
    row = tf.range(size[0], dtype=tf.float32)[:, None] + 0.5
    below = to_in[2, 0] * column + (to_in[2, 1] * row + to_in[2, 2])
    x = (to_in[0, 0] * column + (to_in[0, 1] * row + to_in[0, 2])) / below
    y = (to_in[1, 0] * column + (to_in[1, 1] * row + to_in[1, 2])) / below
    x, y = (
        tf.where(below > 0, tf.clip_by_value(v, -_FAR, _FAR), -_FAR) for v in (x, y)
    )
    if origin is None:
        return x - 0.5, y - 0.5, tf.zeros_like(x)
    x, y, index = origin(x, y)
    return x - 0.5, y - 0.5, index


def inside(x, y, size):
    """Returns bool (H, W): whether the nearest pixel lies in a picture of this size."""
    x, y = tf.floor(x + 0.5), tf.floor(y + 0.5)
    return (x >= 0) & (x < size[1]) & (y >= 0) & (y < size[0])


def images(stack, where, fill, fill_value=0.0):
    """Resamples pictures bilinear.

    Args:
        stack: uint8 or float32 (s, h, w, c), pictures that `where` tells apart.
        where: From `sources`.
        fill: Beyond the border: "constant", "nearest" or "reflect".
        fill_value: Level of "constant".

    Returns:
        float32 (H, W, c).
    """
    x, y, index = where
    height = stack.shape[1]
    if not fill_value:
        return resampling.bilinear(stack, x, y, fill, height * index)
    stack = tf.cast(stack, tf.float32) - fill_value
    return resampling.bilinear(stack, x, y, fill, height * index) + fill_value


def nearest(stack, where, outside=0):
    """Resamples (s, h, w, ...) nearest: (H, W, ...), `outside` beyond the border."""
    x, y, index = where
    _, height, width, *rest = stack.shape
    flat = tf.reshape(stack, (-1, *rest))
    found = tf.gather(flat, _flat_index(x, y, height, width, height * index))
    within = inside(x, y, (height, width))
    within = tf.reshape(within, (*within.shape, *[1] * len(rest)))
    return tf.where(within, found, tf.cast(outside, stack.dtype))


def masks(stack, where):
    """Resamples masks nearest.

    Args:
        stack: uint8 (s, n, h, w), n of each of s pictures.
        where: From `sources`.

    Returns:
        uint8 (s, n, H, W): those of a picture are seen where it is.
    """
    x, y, index = where
    count, number, height, width = stack.shape
    flat = tf.reshape(stack, (count, number, -1))
    found = tf.gather(flat, _flat_index(x, y, height, width), axis=-1)
    seen = inside(x, y, (height, width))[None]
    if count > 1:
        seen &= index[None] == tf.range(count, dtype=tf.float32)[:, None, None]
    return tf.where(seen[:, None], found, tf.cast(0, stack.dtype))


def smooth(stack, where, agree):
    """Resamples bilinear where the neighbours agree, else nearest; 0 outside.

    Args:
        stack: float32 (s, h, w, c).
        where: From `sources`.
        agree: Function (low, high), float32 (H, W, c) -> bool: whether neighbours whose
            smallest and largest values these are may be mixed.

    Returns:
        float32 (H, W, c).
    """
    x, y, index = where
    _, height, width, channels = stack.shape
    flat = tf.reshape(stack, (-1, channels))
    left, top = tf.floor(x), tf.floor(y)
    right_share, bottom_share = (x - left)[..., None], (y - top)[..., None]

    def look_up(y, x):
        return tf.gather(flat, _flat_index(x, y, height, width, height * index))

    corners = [look_up(top + dy, left + dx) for dy in (0, 1) for dx in (0, 1)]
    low = tf.reduce_min(tf.stack(corners), axis=0)
    high = tf.reduce_max(tf.stack(corners), axis=0)
    upper = corners[0] + (corners[1] - corners[0]) * right_share
    lower = corners[2] + (corners[3] - corners[2]) * right_share
    mixed = upper + (lower - upper) * bottom_share
    mixes = tf.reduce_all(agree(low, high), axis=-1, keepdims=True)
    found = tf.where(mixes, mixed, look_up(tf.floor(y + 0.5), tf.floor(x + 0.5)))
    return tf.where(inside(x, y, (height, width))[..., None], found, 0.0)


def flow(stack, where, to_out, valid=None):
    """Resamples flow and moves both of its ends.

    Args:
        stack: float32 (s, h, w, 2), dx and dy in pixels.
        where: From `sources`.
        to_out: float64 (s, 3, 3), of each picture to the output.
        valid: None, or uint8 (s, h, w, 1): flow is not mixed over its border.

    Returns:
        float32 (H, W, 2), 0 outside.
    """
    x, y, index = where
    if valid is not None:  # what is not known agrees with nothing
        stack = tf.where(valid > 0, stack, _FAR)
    found = smooth(stack, where, lambda low, high: high - low <= 1)
    # float64: the difference of two places is exact for mirrors and shifts.
    start = tf.cast(tf.stack([x, y], axis=-1), tf.float64) + 0.5
    end = tf.reshape(start + tf.cast(found, tf.float64), (1, -1, 2))
    ends = geometry.move(to_out, tf.repeat(end, to_out.shape[0], axis=0))
    ends = tf.reshape(ends, (-1, *start.shape))
    end = ends[0]
    for i in range(1, ends.shape[0]):
        end = tf.where((index == i)[..., None], ends[i], end)
    moved = tf.cast(end - pixel_centres(start.shape[:2]), tf.float32)
    known = tf.reduce_all(found < _FAR, axis=-1) & inside(x, y, stack.shape[1:3])
    return tf.where(known[..., None], moved, 0.0)


def pixel_centres(size):
    """Returns float64 (h, w, 2), x and y of the middle of each pixel."""
    column = tf.range(size[1], dtype=tf.float64) + 0.5
    row = tf.range(size[0], dtype=tf.float64) + 0.5
    return tf.stack(tf.meshgrid(column, row), axis=-1)


def _flat_index(x, y, height, width, first_row=0.0):
    """Index of the nearest pixel at whole numbers x, y, brought into the picture."""
    x = tf.clip_by_value(tf.floor(x + 0.5), 0, width - 1)
    y = tf.clip_by_value(tf.floor(y + 0.5), 0, height - 1)
    return tf.cast((y + first_row) * width + x, tf.int32)
