"""From linear light to the levels of an image."""

import functools
import math
import statistics

import numpy as np

_STEPS = 4096  # of linear light from black to white
_SHARP = 0.2  # blur that leaves a neighbour less than a level, standard deviation
_BAND = 32768  # values; beyond, the processor's cache no longer holds them
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
    shape, light = light.shape, light.reshape(-1)
    noisy = camera.noise > 0
    ranks = _ranks(light.size, key) if noisy else None
    levels = np.empty(light.size, np.uint8)
    for start in range(0, light.size, _BAND):
        band = slice(start, start + _BAND)
        exact = _exposed(light[band], camera.exposure)
        if noisy:
            noise = _gaussian().take(ranks[band])
            noise *= np.float32(camera.noise)
            exact += noise
        exact += np.float32(0.5)
        levels[band] = exact.clip(0, 255, out=exact)
    image = np.empty((*shape[1:], 3), np.uint8)
    for channel, plane in enumerate(levels.reshape(shape)):  # faster than all at once
        image[..., channel] = plane
    return image


def _exposed(light, exposure):
    """Levels float32 (n,) of linear light."""
    steps = light * np.float32(exposure * (_STEPS - 1))
    steps += np.float32(0.5)
    np.minimum(steps, _STEPS - 1, out=steps)
    return _levels().take(steps.astype(np.intp))


def _ranks(count, key):
    """Ranks of random numbers, 16 bits each (count,)."""
    bits = np.random.PCG64((*key, _NOISE)).random_raw(-(-count // 4))
    return bits.astype("<u8", copy=False).view("<u2")[:count]


def blur(image, sigma):
    """Blurs float32 (c, h, w) with a Gaussian; the border pixels go on beyond it."""
    reach = max(1, math.ceil(3 * sigma))
    weights = [math.exp(-0.5 * (i / sigma) ** 2) for i in range(-reach, reach + 1)]
    weights = [weight / sum(weights) for weight in weights]
    for axis, size in ((1, image.shape[1]), (2, image.shape[2])):
        padded = np.moveaxis(image.take(_held(size, reach), axis), axis, 0)
        total = padded[reach : reach + size] * weights[reach]
        for i in range(reach):  # both sides weigh the same
            both = padded[i : i + size] + padded[2 * reach - i :][:size]
            both *= weights[i]
            total += both
        image = np.moveaxis(total, 0, axis)
    return image


@functools.lru_cache(16)
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
