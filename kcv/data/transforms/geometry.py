"""The way of every pixel of one sample as one 3 x 3 matrix.

Matrices act on (x, y, 1) in continuous pixels, where pixel i covers [i, i + 1); they
lead from the picture that comes in to the one that goes out. float64 throughout, so
that mirrors and whole-pixel shifts stay exact.
"""

import numpy as np
import tensorflow as tf

from kcv.data import augment as augmentation

_NEAREST = 1e-6  # smallest third coordinate: beyond it lies the horizon


def random_homography(knobs, random, size):
    """Draws the matrix of a sample.

    In this order it is mirrored, seen in perspective, cropped, zoomed, scaled, sheared,
    rotated (the last four about the centre), shifted and expanded: `Augment`'s order,
    with `knobs` of `Transforms`.

    Args:
        knobs: `Transforms`.
        random: From `random_numbers.uniforms`, scalars.
        size: (height, width) of the picture.

    Returns:
        float64 (3, 3).
    """
    height, width = size
    steps = []
    if knobs.flip:
        steps.append(mirror(random["flip"] < 0.5, width))
    if knobs.flip_vertical:
        steps.append(_swapped(mirror(random["flip_vertical"] < 0.5, height)))
    if knobs.perspective:
        steps.append(_perspective(knobs, random, size))
    if knobs.crop_scale:
        steps.append(window(augmentation.random_crop(knobs, random), size))
    if knobs.crop_size:
        steps.append(_cut(knobs.crop_size, random, size))
        height, width = knobs.crop_size
    about = _about_centre(knobs, random)
    if about:
        middle = (width / 2, height / 2)
        steps += [shift(-middle[0], -middle[1]), *about, shift(*middle)]
    if knobs.translate:
        x = width * knobs.translate * _signed(random["translate_x"])
        steps.append(
            shift(x, height * knobs.translate * _signed(random["translate_y"]))
        )
    if knobs.expand:
        steps.append(_expand(knobs, random, (height, width)))
    return compose(steps)


def compose(steps):
    """Returns the matrix that does the first of the float64 (3, 3) steps first."""
    result = tf.eye(3, dtype=tf.float64)
    for step in steps:
        result = step @ result
    return result


def invert(matrix):
    """Returns the inverse of float64 (..., 3, 3), its last number 1.

    The adjugate, since that of a mirror or a shift is exact.
    """
    first, second, third = tf.unstack(matrix, axis=-2)
    columns = [
        tf.linalg.cross(second, third),
        tf.linalg.cross(third, first),
        tf.linalg.cross(first, second),
    ]
    adjugate = tf.stack(columns, axis=-1)
    return adjugate / adjugate[..., 2:, 2:]


def move(matrix, points):
    """Moves points.

    Args:
        matrix: float64 (..., 3, 3).
        points: (..., n, 2), x and y.

    Returns:
        float64 (..., n, 2). What lies behind the horizon goes far away.
    """
    points = tf.cast(points, tf.float64)
    moved = tf.einsum("...ij,...nj->...ni", matrix[..., :2], points)
    moved += matrix[..., None, :, 2]
    return moved[..., :2] / tf.maximum(moved[..., 2:], _NEAREST)


def matrix(rows):
    """Returns float64 (3, 3) of three rows of numbers and scalars."""
    return tf.stack([tf.stack([tf.cast(v, tf.float64) for v in row]) for row in rows])


def shift(x, y):
    """Moves right by x and down by y pixels."""
    return matrix([(1, 0, x), (0, 1, y), (0, 0, 1)])


def scale(x, y):
    """Multiplies coordinates."""
    return matrix([(x, 0, 0), (0, y, 0), (0, 0, 1)])


def rotation(angle):
    """Turns clockwise (y points down) by `angle` radians about (0, 0)."""
    cos, sin = tf.cos(angle), tf.sin(angle)
    return matrix([(cos, -sin, 0), (sin, cos, 0), (0, 0, 1)])


def shear(x, y=0.0):
    """Moves right by x times the row, then down by y times the column."""
    return matrix([(1, x, 0), (0, 1, 0), (0, 0, 1)]) @ matrix(
        [(1, 0, 0), (y, 1, 0), (0, 0, 1)]
    )


def mirror(condition, width):
    """Mirrors left to right in a picture of `width` pixels where `condition` holds."""
    on = tf.cast(condition, tf.float64)
    return matrix([(1 - 2 * on, 0, width * on), (0, 1, 0), (0, 0, 1)])


def window(fractions, size):
    """Makes a part of a picture (y, x, height, width, fractions) fill it."""
    y, x, height, width = tf.unstack(fractions)
    return matrix(
        [(1 / width, 0, -x * size[1] / width), (0, 1 / height, -y * size[0] / height)]
        + [(0, 0, 1)]
    )


def square_to_quadrangle(corners):
    """Returns float64 (3, 3) that moves (0,0), (1,0), (1,1), (0,1) to these corners.

    Paper: P. Heckbert: Fundamentals of Texture Mapping and Image Warping, 1989.

    Args:
        corners: Four pairs (x, y) of scalars, a convex quadrangle.
    """
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = corners
    dx1, dx2, sum_x = x1 - x2, x3 - x2, x0 - x1 + x2 - x3
    dy1, dy2, sum_y = y1 - y2, y3 - y2, y0 - y1 + y2 - y3
    below = dx1 * dy2 - dx2 * dy1
    g = (sum_x * dy2 - dx2 * sum_y) / below
    h = (dx1 * sum_y - sum_x * dy1) / below
    return matrix(
        [(x1 - x0 + g * x1, x3 - x0 + h * x3, x0)]
        + [(y1 - y0 + g * y1, y3 - y0 + h * y3, y0), (g, h, 1)]
    )


def determinant(matrix):
    """Returns that of float64 (..., 3, 3); XLA has none. Below 0 lies a mirror."""
    first, second, third = tf.unstack(matrix, axis=-2)
    return tf.reduce_sum(first * tf.linalg.cross(second, third), axis=-1)


def magnification(matrix):
    """Returns how much longer lengths get at (0, 0), their mean: (3, 3)."""
    area = matrix[0, 0] * matrix[1, 1] - matrix[0, 1] * matrix[1, 0]
    return tf.sqrt(tf.abs(area))


def _perspective(knobs, random, size):
    """Moves each corner by up to a fraction of the sides."""
    corners = []
    for i, (x, y) in enumerate(((0, 0), (1, 0), (1, 1), (0, 1))):
        x += knobs.perspective * _signed(random[f"perspective_x{i}"])
        y += knobs.perspective * _signed(random[f"perspective_y{i}"])
        corners.append((x * size[1], y * size[0]))
    return square_to_quadrangle(corners) @ scale(1 / size[1], 1 / size[0])


def _about_centre(knobs, random):
    steps = []
    if knobs.zoom:
        factor = 1 + knobs.zoom * _signed(random["zoom"])
        steps.append(scale(factor, factor))
    if knobs.scale:
        factors = [1 + knobs.scale * _signed(random[f"scale_{axis}"]) for axis in "xy"]
        steps.append(scale(*factors))
    if knobs.shear:
        steps.append(
            shear(tf.tan(np.pi / 180 * knobs.shear * _signed(random["shear"])))
        )
    if knobs.rotate:
        steps.append(rotation(np.pi / 180 * knobs.rotate * _signed(random["rotate"])))
    return steps


def _cut(crop_size, random, size):
    """Cuts a window of whole pixels at a random place."""
    x, y = (
        -tf.floor(random[f"crop_{axis}"] * (size[i] - crop_size[i] + 1))
        for axis, i in (("x", 1), ("y", 0))
    )
    return shift(x, y)


def _expand(knobs, random, size):
    """Puts every second picture somewhere on a larger canvas, then shrinks that (SSD).

    Paper: W. Liu et al.: SSD: Single Shot MultiBox Detector, 2016, section 3.6,
    https://arxiv.org/abs/1512.02325
    """
    ratio = 1 + (knobs.expand - 1) * tf.maximum(2 * random["expand"] - 1, 0)
    x = random["expand_x"] * (ratio - 1) * size[1]
    y = random["expand_y"] * (ratio - 1) * size[0]
    return scale(1 / ratio, 1 / ratio) @ shift(x, y)


def _swapped(matrix):
    """The same with x and y in each other's place."""
    order = [1, 0, 2]
    return tf.gather(tf.gather(matrix, order, axis=0), order, axis=1)


def _signed(uniform):
    return 2 * uniform - 1
