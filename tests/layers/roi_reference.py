"""RoI layers by loops over bins and pixels, in float64: slow, and easy to check.

Each function gives the values and what goes back to the features from `up`, the
gradient with respect to the values.
"""

import math
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

import numpy as np


def roi_align(features, boxes, size, stride, ratio, up):
    """Four neighbours of each sample, as torchvision with aligned=True."""
    values, back = _empty(features, boxes, size, features.shape[-1])
    height, width = features.shape[1:3]
    for b, n, i, j in np.ndindex(values.shape[:4]):
        for y, x, share in _taps(
            boxes[b, n] / stride, i, j, size, ratio, height, width
        ):
            values[b, n, i, j] += share * features[b, y, x]
            back[b, y, x] += share * up[b, n, i, j]
    return values, back


def _taps(box, i, j, size, ratio, height, width):
    x1, y1, x2, y2 = (float(side) - 0.5 for side in box)
    for k, m in np.ndindex(ratio, ratio):
        y = y1 + (i + (k + 0.5) / ratio) * (y2 - y1) / size
        x = x1 + (j + (m + 0.5) / ratio) * (x2 - x1) / size
        if not (-1 <= y <= height and -1 <= x <= width):
            continue
        for row, row_share in _pair(y, height):
            for column, column_share in _pair(x, width):
                yield row, column, row_share * column_share / ratio**2


def _pair(place, length):
    """A pixel below and one above a place, with their shares."""
    place = max(place, 0.0)
    low = int(place)
    if low >= length - 1:
        return [(length - 1, 1.0)]
    return [(low, 1 - (place - low)), (low + 1, place - low)]


def roi_pool(features, boxes, size, stride, up):
    """The first of the largest pixels of a bin takes the whole gradient."""
    values, back = _empty(features, boxes, size, features.shape[-1])
    height, width, channels = features.shape[1:]
    for b, n, i, j in np.ndindex(values.shape[:4]):
        x1, y1, x2, y2 = (_round(side / stride) for side in boxes[b, n])
        rows = _bin(y1, y2 + 1, i, size, height)
        columns = _bin(x1, x2 + 1, j, size, width)
        pixels = [(y, x) for y in rows for x in columns]
        for c in range(channels):
            if pixels:
                y, x = max(pixels, key=lambda pixel: features[b, *pixel, c])
                values[b, n, i, j, c] = features[b, y, x, c]
                back[b, y, x, c] += up[b, n, i, j, c]
    return values, back


def ps_roi_pool(features, boxes, size, stride, up):
    """The mean of a bin of the score map of that bin."""
    classes = features.shape[-1] // size**2
    values, back = _empty(features, boxes, size, classes)
    height, width = features.shape[1:3]
    for b, n, i, j, c in np.ndindex(values.shape):
        x1, y1, x2, y2 = (_round(side / stride) for side in boxes[b, n])
        rows = _bin(y1, y2, i, size, height)
        columns = _bin(x1, x2, j, size, width)
        channel = (c * size + i) * size + j
        for y in rows:
            for x in columns:
                share = 1 / (len(rows) * len(columns))
                values[b, n, i, j, c] += share * features[b, y, x, channel]
                back[b, y, x, channel] += share * up[b, n, i, j, c]
    return values, back


def level(box, lowest, highest, canonical_level=4, canonical_size=224):
    """Equation 1 of "Feature Pyramid Networks", with logarithms."""
    x1, y1, x2, y2 = (float(side) for side in box)
    area = max(x2 - x1, 0) * max(y2 - y1, 0)
    if area == 0:
        return lowest
    number = math.floor(canonical_level + math.log2(math.sqrt(area) / canonical_size))
    return min(max(number, lowest), highest)


def _empty(features, boxes, size, channels):
    values = np.zeros((*boxes.shape[:2], size, size, channels))
    return values, np.zeros(features.shape)


def _round(x):
    """To the next whole number, halves away from zero."""
    return int(Decimal(float(x)).quantize(Decimal(1), ROUND_HALF_UP))


def _bin(low, high, i, size, length):
    """The pixels of bin i on a map."""
    part = Fraction(max(high - low, 1), size)
    first, last = low + math.floor(i * part), low + math.ceil((i + 1) * part)
    return [pixel for pixel in range(first, last) if 0 <= pixel < length]


def some_boxes(batch, n, height, width, seed=0):
    """Boxes in, across and outside of an image, and ones without area or reversed."""
    rng = np.random.default_rng(seed)
    corners = rng.uniform(-0.2, 1.2, (batch, n, 2, 2)) * [width, height]
    boxes = np.concatenate([corners.min(2), corners.max(2)], axis=-1)
    boxes[:, 0] = 0  # an empty slot
    boxes[:, 1] = (3 * width, 2, 4 * width, 9)  # outside
    boxes[:, 2] = (2, 2, 2, 2)  # halves of pixels at a stride of 4, and no area
    boxes[:, 3] = (-width, -height, 2 * width, 2 * height)  # much too large
    boxes[:, 4] = (9, 7, 4, 3)  # reversed
    boxes[:, 5] = (-2, -6, width + 2, height)
    return boxes.astype("float32")


def with_gradient(function, features, up):
    """Values of a function of the features, and what goes back from `up`."""
    import tensorflow as tf

    features = tf.constant(features)
    with tf.GradientTape() as tape:
        tape.watch(features)
        values = function(features)
        total = tf.reduce_sum(tf.cast(values, "float32") * up)
    back = tape.gradient(total, features)
    return values.numpy(), tf.convert_to_tensor(back).numpy()
