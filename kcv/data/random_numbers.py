"""Random numbers that depend on seed, epoch and position alone, as a hash."""

import numpy as np
import tensorflow as tf

# One column of random numbers each; the order is part of the result: append only.
_COLUMNS = (
    *("flip", "rotate", "zoom", "shear", "translate_x", "translate_y"),
    *("brightness", "contrast", "saturation", "hue", "cutout_x", "cutout_y"),
    *("mix", "mix_kind", "mix_x", "mix_y"),
    *("crop_area", "crop_aspect", "crop_x", "crop_y"),
    *("flip_vertical", "scale_x", "scale_y", "expand", "expand_x", "expand_y"),
    *(f"perspective_{axis}{corner}" for axis in "xy" for corner in range(4)),
    *("intensity", "gamma", "pca_0", "pca_1", "pca_2", "blur", "noise", "noise_seed"),
    *("mosaic", "mosaic_x", "mosaic_y"),
    *(f"rand_augment_{kind}_{i}" for kind in ("choice", "sign") for i in range(4)),
)


def epoch_key(seed, epoch):
    """Returns uint32 (2,), the key of one epoch's random numbers; epoch may be None."""
    return np.random.SeedSequence([seed, epoch or 0]).generate_state(2, np.uint32)


def uniforms(key, position):
    """Returns {column: float64 in [0, 1) of the shape of the int64 position(s)}."""
    position = tf.cast(position, tf.uint32)[..., None]
    column = tf.range(1, len(_COLUMNS) + 1)
    column = tf.cast(column, tf.uint32) * tf.constant(0x9E3779B9, tf.uint32)
    bits = _scramble(_scramble(position + key[0]) ^ key[1])
    bits = _scramble(_scramble(bits + column))
    numbers = tf.cast(bits, tf.float64) / 2**32
    return dict(zip(_COLUMNS, tf.unstack(numbers, axis=-1)))


def _scramble(bits):
    """A bijection of uint32 without bias (C. Wellons, hash prospector, "lowbias32")."""
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B), (16, 1)):
        bits = bits ^ tf.bitwise.right_shift(bits, tf.constant(shift, tf.uint32))
        bits = bits * tf.constant(factor, tf.uint32)
    return bits


def pixel_bits(uniform, shape):
    """Returns uint32 of `shape`: a hash of one uniform number and each one's index."""
    seed = tf.cast(tf.cast(uniform * 2**32, tf.int64), tf.uint32)
    index = tf.range(int(np.prod(shape)), dtype=tf.int64)
    bits = _scramble(tf.cast(index, tf.uint32) * tf.constant(0x9E3779B9, tf.uint32))
    return tf.reshape(_scramble(bits + seed), shape)
