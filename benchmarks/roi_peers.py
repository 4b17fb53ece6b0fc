"""RoIAlign as others have it, for benchmarks/roi_align.py: both written in TensorFlow.

Features are (1, height, width, channels), boxes (1, n, 4) in pixels of the image; what
comes back is (1, n, size, size, channels).
"""

import numpy as np
import tensorflow as tf


def places(low, high, samples):
    """Samples along one side of boxes, (count, samples), in pixels of the map."""
    steps = (tf.range(samples, dtype=tf.float32) + 0.5) / samples
    return low[:, None] + steps * (high - low)[:, None]


def crop_and_pool(features, stride, boxes, size, ratio):
    """TensorFlow's kernel; it takes the first and the last sample of a box."""
    _, height, width, _ = features.shape
    features = tf.pad(features, [[0, 0], [1, 1], [1, 1], [0, 0]], "SYMMETRIC")
    x1, y1, x2, y2 = tf.unstack(boxes[0] / stride - 0.5, axis=-1)
    ys, xs = places(y1, y2, size * ratio), places(x1, x2, size * ratio)
    ys, xs = ((x + 1) / (n + 1) for x, n in zip((ys, xs), (height, width)))
    ends = tf.stack([ys[:, 0], xs[:, 0], ys[:, -1], xs[:, -1]], axis=-1)
    image = tf.zeros(ends.shape[0], tf.int32)
    samples = tf.image.crop_and_resize(features, ends, image, 2 * [size * ratio])
    return tf.nn.avg_pool2d(samples, ratio, ratio, "VALID")[None]


def four_neighbours(maps, strides, which, boxes, size, ratio):
    """Each sample from four gathered neighbours, on the map that `which` tells."""
    channels = maps[0].shape[-1]
    shapes = [x.shape[1:3] for x in maps]
    starts = np.cumsum([0, *(height * width for height, width in shapes[:-1])])
    pixels = tf.concat([tf.reshape(x, (-1, channels)) for x in maps], axis=0)

    def of_map(values, dtype):
        return tf.gather(tf.constant(values, dtype), which[0])

    stride = of_map(strides, tf.float32)[:, None]
    x1, y1, x2, y2 = tf.unstack(boxes[0] / stride - 0.5, axis=-1)
    ys = places(y1, y2, size * ratio)[:, :, None]
    xs = places(x1, x2, size * ratio)[:, None, :]
    height, width = (of_map(n, tf.float32)[:, None, None] for n in zip(*shapes))
    inside = (ys >= -1) & (ys <= height) & (xs >= -1) & (xs <= width)
    ys = tf.clip_by_value(ys, 0, height - 1)
    xs = tf.clip_by_value(xs, 0, width - 1)
    top, left = tf.floor(ys), tf.floor(xs)
    down, right = (ys - top)[..., None], (xs - left)[..., None]
    bottom, end = tf.minimum(top + 1, height - 1), tf.minimum(left + 1, width - 1)
    start = of_map(starts, tf.int32)[:, None, None]

    def line(row):
        row = start + tf.cast(row * width, tf.int32)
        first = tf.gather(pixels, row + tf.cast(left, tf.int32))
        last = tf.gather(pixels, row + tf.cast(end, tf.int32))
        return first * (1 - right) + last * right

    samples = line(top) * (1 - down) + line(bottom) * down
    samples = samples * tf.cast(inside, tf.float32)[..., None]
    return tf.nn.avg_pool2d(samples, ratio, ratio, "VALID")[None]
