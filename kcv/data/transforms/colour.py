"""Changes of colour, blur and noise; all pictures of a sample change alike.

Images are float32 (t, h, w, 1 or 3) within 0..255: one picture, the two of a flow, or
the frames of a clip.
"""

import numpy as np
import tensorflow as tf

from kcv.data import augment as augmentation
from kcv.data import random_numbers


def recolour(knobs, images, random):
    """Does to float32 images whatever `Transforms` asks of colour, and clips them."""
    if knobs.recolours:
        images = augmentation.recolour(knobs, images, random)
    if knobs.intensity:
        offset = 255 * knobs.intensity * (2 * random["intensity"] - 1)
        images = tf.clip_by_value(images + tf.cast(offset, tf.float32), 0, 255)
    if knobs.gamma:
        exponent = (1 + knobs.gamma) ** (2 * random["gamma"] - 1)
        images = 255 * (images / 255) ** tf.cast(exponent, tf.float32)
    if knobs.pca:
        images = tf.clip_by_value(images + pca_shift(knobs, random), 0, 255)
    if knobs.blur:
        images = gaussian_blur(images, knobs.blur * random["blur"], knobs.blur)
    if knobs.noise:
        images = tf.clip_by_value(images + _noise(knobs, images.shape, random), 0, 255)
    return images


def colour_axes(images):
    """Estimates the principal axes of colour from data, for `Transforms.pca_axes`.

    Paper: A. Krizhevsky et al.: ImageNet Classification with Deep Convolutional Neural
    Networks, 2012, section 4.1

    Args:
        images: Iterable of uint8 (..., 3) arrays of any sizes; all pixels count alike.

    Returns:
        Three tuples of three floats: the unit eigenvectors of the covariance of (red,
        green, blue) in 0..1, each times its eigenvalue, the largest first.

    Raises:
        ValueError: There are no pixels, or not of three colours.
    """
    count, total, products = 0, np.zeros(3), np.zeros((3, 3))
    for image in images:
        image = np.asarray(image)
        if image.shape[-1] != 3:
            raise ValueError(
                f"an image has shape {image.shape}: colour axes need (..., 3), RGB"
            )
        pixels = image.reshape(-1, 3) / 255
        count += len(pixels)
        total += pixels.sum(axis=0)
        products += pixels.T @ pixels
    if not count:
        raise ValueError("colour axes need at least one image")
    mean = total / count
    values, vectors = np.linalg.eigh(products / count - np.outer(mean, mean))
    return tuple(
        tuple(float(number) for number in max(values[i], 0) * vectors[:, i])
        for i in (2, 1, 0)
    )


def pca_shift(knobs, random):
    """Returns float32 (3,), levels to add: the axes times normal numbers."""
    uniform = tf.stack([random[f"pca_{i}"] for i in range(3)])
    normal = tf.math.ndtri(uniform + 2.0**-33)  # never 0
    axes = tf.constant(knobs.pca_axes, tf.float64)
    shift = 255 * knobs.pca * tf.linalg.matvec(axes, normal, transpose_a=True)
    return tf.cast(shift, tf.float32)


def gaussian_blur(images, sigma, largest):
    """Blurs float32 (..., h, w, c) by a Gaussian cut at 3 `largest`, mirrored outside.

    Args:
        images: float32.
        sigma: Scalar, pixels, up to `largest`; 0 changes nothing.
        largest: Python number.

    Returns:
        float32 of the same shape.
    """
    radius = int(np.ceil(3 * largest))
    steps = np.arange(-radius, radius + 1)
    sigma = tf.maximum(tf.cast(sigma, tf.float64), 1e-3)
    weights = tf.exp(-(steps**2) / (2 * sigma**2))
    weights = tf.cast(weights / tf.reduce_sum(weights), tf.float32)
    for axis in (len(images.shape) - 3, len(images.shape) - 2):
        size = images.shape[axis]
        index = (steps[:, None] + np.arange(size)) % (2 * size)
        index = np.minimum(index, 2 * size - 1 - index)
        images = sum(
            weights[i] * tf.gather(images, row, axis=axis)
            for i, row in enumerate(index)
        )
    return images


def _noise(knobs, shape, random):
    """Normal numbers, nearly: the sum of four uniform bytes of a hash."""
    bits = random_numbers.pixel_bits(random["noise_seed"], shape)
    total = sum(
        tf.bitwise.bitwise_and(tf.bitwise.right_shift(bits, np.uint32(8 * i)), 255)
        for i in range(4)
    )
    normal = (tf.cast(tf.cast(total, tf.int32), tf.float32) - 510) / np.sqrt(
        4 * (256**2 - 1) / 12
    )
    sigma = tf.cast(knobs.noise * random["noise"], tf.float32)
    return sigma * tf.cast(normal, tf.float32)
