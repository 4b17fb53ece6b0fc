"""Bilinear looking up of an image at any coordinates, for XLA."""

import tensorflow as tf


def resample(image, transform, fill):
    """Looks an image up at transformed coordinates, bilinear.

    Args:
        image: uint8 or float32 (h, w, c).
        transform: float64 (2, 3), output (x, y, 1) to input (x, y).
        fill: "reflect" (dcba|abcd|dcba), "nearest" or "constant" (0).

    Returns:
        float32 (h, w, c).
    """
    height, width, _ = image.shape
    transform = tf.cast(transform, tf.float32)
    column = tf.range(width, dtype=tf.float32)[None, :]
    row = tf.range(height, dtype=tf.float32)[:, None]
    x = transform[0, 0] * column + (transform[0, 1] * row + transform[0, 2])  # (h, w)
    y = transform[1, 0] * column + (transform[1, 1] * row + transform[1, 2])
    return bilinear(image, x, y, fill)


def bilinear(image, x, y, fill, first_row=0.0):
    """Looks an image up between its pixels.

    Args:
        image: uint8 or float32 (h, w, c), or several of them as (s, h, w, c).
        x: float32 (H, W), columns; pixel centres lie at whole numbers.
        y: float32 (H, W), rows.
        fill: "reflect" (dcba|abcd|dcba), "nearest" or "constant" (0).
        first_row: Of several images, h times the index of that which each output pixel
            is from, float32 (H, W).

    Returns:
        float32 (H, W, c).
    """
    height, width, channels = image.shape[-3:]
    left, top = tf.floor(x), tf.floor(y)
    right_share, bottom_share = (x - left)[..., None], (y - top)[..., None]
    pixels = tf.cast(tf.reshape(image, (-1, channels)), tf.float32)

    def look_up(y, x):
        index = _border(y, height, fill) + first_row
        index = index * width + _border(x, width, fill)
        found = tf.gather(pixels, tf.cast(index, tf.int32))
        if fill != "constant":
            return found
        inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
        return tf.where(inside[..., None], found, 0.0)

    upper, lower = look_up(top, left), look_up(top + 1, left)
    upper += (look_up(top, left + 1) - upper) * right_share
    lower += (look_up(top + 1, left + 1) - lower) * right_share
    return upper + (lower - upper) * bottom_share


def _border(index, size, fill):
    """Brings whole numbers (float32: integer division is slow) into 0..size-1."""
    if fill == "reflect":  # a period is the image and its mirror image
        index -= 2 * size * tf.floor((index + 0.5) / (2 * size))
        return tf.minimum(index, 2 * size - 1 - index)
    return tf.clip_by_value(index, 0, size - 1)
