"""RandAugment: some of fourteen changes, each at one magnitude.

Paper: E. Cubuk et al.: RandAugment: Practical Automated Data Augmentation with a
Reduced Search Space, 2019, https://arxiv.org/abs/1909.13719
Differs from the paper: all moves of a sample come before its colours, as part of its
one resampling; what a magnitude of 10 means is signed for all that has two directions.
"""

import numpy as np
import tensorflow as tf

from kcv.data.transforms import geometry

MOVES = ("rotate", "shear_x", "shear_y", "translate_x", "translate_y")
COLOURS = (
    *("identity", "autocontrast", "equalize", "solarize", "posterize"),
    *("saturation", "contrast", "brightness", "sharpness"),
)
LARGEST = 10  # magnitude
MOST = 4  # changes of one sample
_GREY = (0.299, 0.587, 0.114)  # BT.601 luma


def random_moves(knobs, random, size):
    """Returns float64 (3, 3): what the chosen moves do, about the centre.

    At magnitude 10: 30 degrees, a shear of 0.3, 0.45 of the side.

    Args:
        knobs: `Transforms`.
        random: From `random_numbers.uniforms`, scalars.
        size: (height, width).
    """
    height, width = size
    steps = []
    for i in range(knobs.rand_augment):
        choice, sign = _choice(random, i)
        amount = sign * knobs.rand_magnitude / LARGEST
        angle, shear_x, shear_y, x, y = (
            tf.where(choice == move, amount, 0.0) for move in range(len(MOVES))
        )
        steps.append(geometry.rotation(np.pi / 6 * angle))
        steps.append(geometry.shear(0.3 * shear_x, 0.3 * shear_y))
        steps.append(geometry.shift(0.45 * width * x, 0.45 * height * y))
    middle = (width / 2, height / 2)
    return geometry.compose(
        [geometry.shift(-middle[0], -middle[1]), *steps, geometry.shift(*middle)]
    )


def random_colours(knobs, images, random):
    """Does the chosen changes of colour, in turn.

    At magnitude 10: solarize all, 4 bits, factors 0.1 or 1.9.

    Args:
        knobs: `Transforms`.
        images: float32 (t, h, w, 1 or 3), within 0..255.
        random: From `random_numbers.uniforms`, scalars.

    Returns:
        float32 of the same shape, whole numbers within 0..255.
    """
    images = tf.round(images)
    share = knobs.rand_magnitude / LARGEST
    for i in range(knobs.rand_augment):
        choice, sign = _choice(random, i)
        factor = tf.cast(1 + 0.9 * share * sign, tf.float32)
        changes = _changes(images, share, factor)
        branch = tf.maximum(choice - len(MOVES), 0)  # a move is identity here
        images = tf.switch_case(branch, [changes[name] for name in COLOURS])
        images = tf.clip_by_value(tf.round(images), 0, 255)
    return images


def _choice(random, i):
    number = random[f"rand_augment_choice_{i}"] * (len(MOVES) + len(COLOURS))
    sign = tf.where(random[f"rand_augment_sign_{i}"] < 0.5, -1.0, 1.0)
    return tf.cast(number, tf.int32), tf.cast(sign, tf.float64)


def _changes(images, share, factor):
    """Returns {name of `COLOURS`: function without argument}."""
    return {
        "identity": lambda: tf.identity(images),
        "autocontrast": lambda: autocontrast(images),
        "equalize": lambda: equalize(images),
        "solarize": lambda: tf.where(images < 256 * (1 - share), images, 255 - images),
        "posterize": lambda: posterize(images, 8 - round(4 * share)),
        "saturation": lambda: blend(_grey(images), images, factor),
        "contrast": lambda: blend(
            tf.round(tf.reduce_mean(_grey(images))), images, factor
        ),
        "brightness": lambda: images * factor,
        "sharpness": lambda: blend(soft(images), images, factor),
    }


def blend(other, images, factor):
    """Goes from `other` (factor 0) to the images (1) and beyond."""
    return other + factor * (images - other)


def posterize(images, bits):
    """Keeps the highest bits of whole numbers 0..255."""
    step = 2 ** (8 - bits)
    return tf.floor(images / step) * step


def autocontrast(images):
    """Stretches each channel to 0..255, as Pillow does."""
    low = tf.reduce_min(images, axis=[0, 1, 2])
    high = tf.reduce_max(images, axis=[0, 1, 2])
    flat = high <= low
    # Whole numbers before the division, so that it is exact where it should be.
    stretched = tf.floor((images - low) * 255 / tf.where(flat, 1.0, high - low))
    return tf.where(flat, images, stretched)


def equalize(images):
    """Makes the histogram of each channel flat, as Pillow does."""
    levels = tf.cast(images, tf.int32)
    count = _histogram(levels)  # (c, 256)
    last = tf.reduce_max(tf.where(count > 0, tf.range(256), 0), axis=-1)
    total = tf.reduce_sum(count, axis=-1)
    step = (total - tf.gather(count, last, axis=-1, batch_dims=1)) // 255
    before = tf.cumsum(count, axis=-1, exclusive=True)
    table = (before + step[:, None] // 2) // tf.maximum(step[:, None], 1)
    table = tf.where(step[:, None] > 0, tf.minimum(table, 255), tf.range(256))
    channel = tf.range(images.shape[-1])
    changed = tf.gather(tf.reshape(table, (-1,)), levels + 256 * channel)
    return tf.cast(changed, tf.float32)


def _histogram(levels):
    """int32 (..., c) to (c, 256), as a product of matrices: scatters are slow."""
    channels = levels.shape[-1]
    levels = tf.reshape(levels, (-1, channels))
    high = tf.one_hot(levels // 16, 16)  # (p, c, 16)
    low = tf.one_hot(levels % 16, 16)
    count = tf.einsum("pci,pcj->cij", high, low)
    return tf.cast(tf.reshape(count, (channels, 256)), tf.int32)


def soft(images):
    """Smooths by a 3 x 3 kernel with 5 in the middle; the border stays (Pillow)."""
    height, width = images.shape[-3:-1]
    inner = 4 * images[:, 1:-1, 1:-1]
    for y in range(3):
        for x in range(3):
            inner += images[:, y : height - 2 + y, x : width - 2 + x]
    inner = tf.round(inner / 13)
    middle = tf.concat([images[:, 1:-1, :1], inner, images[:, 1:-1, -1:]], axis=2)
    return tf.concat([images[:, :1], middle, images[:, -1:]], axis=1)


def _grey(images):
    """Luma, whole, of three equal channels."""
    if images.shape[-1] == 1:
        return images
    grey = sum(share * images[..., i : i + 1] for i, share in enumerate(_GREY))
    return tf.round(tf.repeat(grey, 3, axis=-1))
