"""Scenes set by hand, for tests."""

import numpy as np

from kcv.data.scenes import Background, Camera, Scene, Thing, scene

SIDE = 64
UPWARD = np.array([0.0, 0.0, 1.0])  # light from where the camera is


def thing(name, x=32.0, y=32.0, size=20.0, turn=0.0, depth=5.0, **changes):
    """A plain, matt, flat thing around (x, y); `turn` in radians."""
    cos, sin = size * np.cos(turn), size * np.sin(turn)
    values = {
        "category": scene.CLASSES.index(name),
        "colour": 0,
        "texture": 0,
        "material": 0,
        "albedo": np.array([0.6, 0.4, 0.2]),
        "matrix": np.array([[cos, -sin, x], [sin, cos, y]]),
        "depth": depth,
    }
    return Thing(**{**values, **changes})


def still(*things, behind=0.1, side=SIDE, **changes):
    """A scene on an even background, lit from the camera, taken without losses."""
    ramp = np.array([[0.0, 0, 0], [0, 0, 0]])
    values = {
        "height": side,
        "width": side,
        "background": Background("gradient", 0, ramp, np.full((2, 3), behind)),
        "things": things,
        "light": UPWARD,
        "ambient": 0.3,
        "camera": Camera(),
        "key": (0, 0, 0),
    }
    return Scene(**{**values, **changes})
