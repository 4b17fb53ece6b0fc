"""What a surface does with light: marks on it, shading and highlights."""

import numpy as np

_PERIOD = 0.55  # of stripes, checks and dots, in units of a thing's frame
_DARK = 0.45  # share of a period that a stripe's mark takes
_DOT = 0.3  # radius of a dot, share of a period
_HIGHLIGHT = 0.55  # strength of a highlight; the light is 1


def marks(texture, u, v, pixels):
    """Returns how much of a pixel a texture's marks cover.

    Args:
        texture: Name, of `scene.TEXTURES`, not "plain".
        u: float32 (n,), in a thing's frame.
        v: Likewise.
        pixels: Pixels that are as long as one unit of the frame.

    Returns:
        float32 (n,), 0..1.
    """
    pixels = np.float32(pixels * _PERIOD)
    if texture == "striped":
        return _cover((_DARK / 2 - _wave(v)) * pixels)
    if texture == "checked":  # twice as long, since two fields make a period
        across = _cover((0.25 - _wave(u * 0.5)) * (2 * pixels))
        down = _cover((0.25 - _wave(v * 0.5)) * (2 * pixels))
        return across + down - 2 * across * down
    return _cover((_DOT - np.hypot(_wave(u), _wave(v))) * pixels)


def _wave(x):
    """Distance from the nearest whole period, in periods, 0..0.5."""
    x = x * np.float32(1 / _PERIOD)
    x -= np.rint(x)
    return np.abs(x, out=x)


def _cover(distance):
    distance += np.float32(0.5)
    return distance.clip(0, 1, out=distance)


def shade(facing, ambient):
    """Returns the light on a surface, float32 (n,), 1 where it faces the light.

    Args:
        facing: float32 (n,), cosine between the normal and the light.
        ambient: Share of the light that comes from everywhere.
    """
    return ambient + (1 - ambient) * np.maximum(facing, 0)


def highlight(facing):
    """Returns the light that a shiny surface mirrors, float32 (n,).

    J. F. Blinn: Models of Light Reflection for Computer Synthesized Pictures, 1977,
    https://doi.org/10.1145/563858.563893, with an exponent of 32.

    Args:
        facing: float32 (n,), cosine between the normal and `half_vector`.
    """
    power = np.maximum(facing, 0)
    for _ in range(5):
        power *= power
    return _HIGHLIGHT * power


def half_vector(light):
    """Returns the unit vector between the directions to the light and to the camera."""
    half = np.asarray(light, np.float64) + (0, 0, 1)
    return half / np.linalg.norm(half)
