"""Colours of classes, things and values."""

import numpy as np
from PIL import ImageColor

NEUTRAL = (46, 52, 60)  # of the first class, which is mostly the background
_GOLDEN = np.pi * (3 - np.sqrt(5))  # neighbours in this turn are far apart
_LIGHTNESS = np.array((0.72, 0.55, 0.84))
_CHROMA = np.array((0.17, 0.19, 0.13))
_HEAT = np.array(  # even steps from low to high, brighter all the way
    [
        *((22, 11, 57), (62, 15, 114), (114, 31, 129), (165, 44, 122)),
        *((212, 65, 100), (245, 105, 92), (254, 159, 109), (252, 221, 162)),
    ],
    np.float64,
)


def rgb(color):
    """Returns three numbers 0..255 of a colour, which may be "#0072B2" or "red"."""
    if isinstance(color, str):
        return ImageColor.getrgb(color)
    return tuple(int(level) for level in color)


def palette(count):
    """Returns uint8 (count, 3), colours that are far from those before them.

    Hues go by the golden angle, in Oklab, while lightness and chroma take turns.
    B. Ottosson, A perceptual color space for image processing, 2020,
    https://bottosson.github.io/posts/oklab/.
    """
    index = np.arange(count)
    lightness, chroma = _LIGHTNESS[index % 3], _CHROMA[index % 3]
    hue = 0.5 + index * _GOLDEN
    return _from_oklab(lightness, chroma * np.cos(hue), chroma * np.sin(hue))


def heat(values):
    """Returns uint8 (..., 3) of numbers 0..1: dark violet, red, pale yellow."""
    at = np.clip(np.nan_to_num(values), 0, 1) * (len(_HEAT) - 1)
    levels = [np.interp(at, np.arange(len(_HEAT)), channel) for channel in _HEAT.T]
    return np.round(np.stack(levels, axis=-1)).astype(np.uint8)


def from_linear(light):
    """Returns the sRGB levels, uint8, of linear light 0..1; beyond is clipped."""
    light = np.clip(np.nan_to_num(light), 0, 1)
    curved = 1.055 * np.power(light, 1 / 2.4) - 0.055
    levels = np.where(light <= 0.0031308, 12.92 * light, curved)
    return np.round(levels * 255).astype(np.uint8)


def _from_oklab(lightness, a, b):
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    red = 4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short
    green = -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short
    blue = -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short
    return from_linear(np.stack([red, green, blue], axis=-1))
