"""Scenes made by hand, with little in them, that move in known ways."""

import numpy as np

from kcv.data.scenes import scene

GREY = np.full((2, 3), 0.4)


def thing(name="square", center=(32.0, 24.0), size=8.0, depth=5.0, turn=0.0, **more):
    cos, sin = size * np.cos(turn), size * np.sin(turn)
    matrix = np.array([(cos, -sin, center[0]), (sin, cos, center[1])])
    albedo = np.array(scene.COLOURS["red"])
    category = scene.CLASSES.index(name)
    return scene.Thing(category, 0, 0, 0, albedo, matrix, depth, **more)


def world(*things, height=48, width=64, matrix=None, **more):
    """A scene without noise, blur and shadow before a gradient, or a photograph."""
    if matrix is None:
        background = scene.Background("gradient", 0, np.eye(3)[:2] / 64, GREY)
    else:
        background = scene.Background("photograph", 0, np.array(matrix, float), GREY)
    light = np.array([-0.6, 0.0, 0.8])
    key = (0, 0, 0)
    return scene.Scene(
        height, width, background, things, light, 0.3, scene.Camera(), key, **more
    )


def moved(one, by=(0.0, 0.0), affine=None):
    """A thing after an affine map (2, 2) around its middle and a shift."""
    matrix = one.matrix.copy()
    if affine is not None:
        matrix[:, :2] = affine @ matrix[:, :2]
    matrix[:, 2] += by
    return one._replace(matrix=matrix)


def panned(first, by):
    """A scene after everything in the picture moved by (dx, dy) pixels."""
    back = first.background
    matrix = back.matrix.copy()
    matrix[:, 2] -= matrix[:, :2] @ by
    return first._replace(
        things=tuple(moved(one, by) for one in first.things),
        background=back._replace(matrix=matrix),
    )


def sampled(image, points):
    """Bilinear values (n, c) of an image (h, w, c) at points (n, 2), pixels."""
    height, width = image.shape[:2]
    x = np.clip(points[:, 0] - 0.5, 0, width - 1)
    y = np.clip(points[:, 1] - 0.5, 0, height - 1)
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    right, bottom = np.minimum(left + 1, width - 1), np.minimum(top + 1, height - 1)
    x, y = (x - left)[:, None], (y - top)[:, None]
    upper = image[top, left] * (1 - x) + image[top, right] * x
    lower = image[bottom, left] * (1 - x) + image[bottom, right] * x
    return upper * (1 - y) + lower * y


def centers(first):
    """Pixel centers (h * w, 2)."""
    x, y = np.meshgrid(np.arange(first.width) + 0.5, np.arange(first.height) + 0.5)
    return np.stack([x.ravel(), y.ravel()], axis=-1)
