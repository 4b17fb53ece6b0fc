"""From linear light to the levels of an image."""

import functools
import math
import statistics

import numpy as np

_STEPS = 4096  # of linear light from black to white
_SHARP = 0.2  # blur that leaves a neighbour less than a level, standard deviation
_NOISE = 0x5EED  # sets the noise's random numbers apart from the scene's


def take(light, camera, key):
    """Takes a picture.

    Args:
        light: float32 (3, h, w), linear, 1 is white at exposure 1.
        camera: `scene.Camera`.
        key: Whole numbers that decide the noise.

    Returns:
        uint8 (h, w, 3), sRGB.
    """
    if camera.blur > _SHARP:
        light = blur(light, camera.blur)
    steps = light * np.float32(camera.exposure * (_STEPS - 1)) + np.float32(0.5)
    levels = _levels().take(np.minimum(steps, _STEPS - 1).astype(np.intp))
    if camera.noise > 0:
        rng = np.random.default_rng((*key, _NOISE))
        ranks = np.frombuffer(rng.bytes(2 * levels.size), "<u2")
        noise = _gaussian().take(ranks).reshape(levels.shape)
        levels += np.float32(camera.noise) * noise
    levels += np.float32(0.5)
    levels.clip(0, 255, out=levels)
    return levels.transpose(1, 2, 0).astype(np.uint8, order="C")


def blur(image, sigma):
    """Blurs float32 (c, h, w) with a Gaussian; the border pixels go on beyond it."""
    reach = max(1, math.ceil(3 * sigma))
    weights = [math.exp(-0.5 * (i / sigma) ** 2) for i in range(-reach, reach + 1)]
    weights = [weight / sum(weights) for weight in weights]
    _, height, width = image.shape
    padded = image.take(_held(height, reach), axis=1)
    image = sum(padded[:, i : i + height] * w for i, w in enumerate(weights))
    padded = image.take(_held(width, reach), axis=2)
    return sum(padded[:, :, i : i + width] * w for i, w in enumerate(weights))


def _held(size, reach):
    """The numbers -reach .. size + reach - 1, held at 0 and size - 1."""
    return np.arange(-reach, size + reach).clip(0, size - 1)


@functools.cache
def _levels():
    """Levels 0..255 of linear light in sRGB; IEC 61966-2-1."""
    light = np.linspace(0, 1, _STEPS)
    curve = np.where(
        light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055
    )
    return (255 * curve).astype(np.float32)


@functools.cache
def _gaussian():
    """The standard normal distribution by rank, float32 (65536,).

    Looking ranks up takes a quarter of the time of drawing normal numbers.
    """
    inverse = statistics.NormalDist().inv_cdf
    return np.float32([inverse((rank + 0.5) / 65536) for rank in range(65536)])
