"""The surface of a thing: what it covers, how it bulges, its colour.

A thing is one layer, a person several, from the farthest to the nearest. Places are
given in the thing's own frame; coverage and slopes are in image pixels.
"""

import math

import numpy as np

from kcv.data.scenes import figures, materials, scene, shapes, sprites

_PLAIN = scene.TEXTURES.index("plain")
_FINER = 3  # times as fine as on a shape, a person's texture on the shirt
_PRINT = 0.8  # share of the light that a mark on a shirt takes
_BLACK = (0.0, 0.0, 0.0)


def layers(thing):
    """Returns a thing's layers: `Field`s, or groups of `figures.Capsule`s."""
    if thing.category == scene.PERSON:
        return figures.layers(thing.joints, thing.behind)
    if thing.sprite >= 0:
        return [sprites.field(thing.sprite)]
    return [shapes.field(thing.name)]


def extent(thing):
    """Returns (x1, y1, x2, y2) of the whole thing, pixels, from dense points around it.

    They lie on the drawn edge itself: to within a hundredth of a pixel.
    """
    person = thing.category == scene.PERSON
    points = figures.outline(thing.joints) if person else layers(thing)[0].outline
    if thing.bend:
        u, v = points[:, 0], points[:, 1]
        points = np.stack([u, v + thing.bend * u * u], axis=-1)
    points = thing.matrix[:, :2] @ points.T
    x, y = thing.matrix[:, 2].tolist()
    left, top = np.minimum.reduce(points, axis=1).tolist()
    right, bottom = np.maximum.reduce(points, axis=1).tolist()
    return left + x, top + y, right + x, bottom + y


def area(thing):
    """Returns the area of a thing, hidden or not, square pixels."""
    if thing.category == scene.PERSON:
        u, v = np.meshgrid(*2 * ((np.arange(96, dtype=np.float32) + 0.5) / 48 - 1,))
        inside = [figures.look_up(layer, u, v) > 0 for layer in layers(thing)]
        return 4 * float(np.any(inside, axis=0).mean()) * thing.size**2
    return layers(thing)[0].area * thing.size**2


def inverse(thing):
    """Returns ((u_x, u_y, u_0), (v_x, v_y, v_0)): image to frame, before the bend."""
    (a, b, x), (c, d, y) = thing.matrix.tolist()
    scale = 1 / (a * d - b * c)
    u_x, u_y, v_x, v_y = d * scale, -b * scale, -c * scale, a * scale
    return (u_x, u_y, -u_x * x - u_y * y), (v_x, v_y, -v_x * x - v_y * y)


def distance(thing, layer, u, v):
    """Returns the signed distance from a layer's outline, pixels, positive inside.

    To first order where the map from the frame to the image is no similarity.
    """
    kind = figures if isinstance(layer, list) else shapes
    (a, b, _), (c, d, _) = thing.matrix.tolist()
    skew = abs(a * b + c * d) + abs(a * a + c * c - b * b - d * d)
    if thing.bend == 0 and skew < 1e-9 * (a * a + c * c):
        return kind.look_up(layer, u, v) * np.float32(math.sqrt(abs(a * d - b * c)))
    distance, by_u, by_v = kind.look_up_slope(layer, u, v)
    by_x, by_y = to_image_slope(thing, u, by_u, by_v)
    return distance / np.maximum(np.sqrt(by_x * by_x + by_y * by_y), np.float32(1e-6))


def to_image_slope(thing, u, by_u, by_v, factor=1.0):
    """Turns derivatives by the frame's (u, v) to those by the image's (x, y)."""
    (u_x, u_y, _), (v_x, v_y, _) = inverse(thing)
    if thing.bend:
        by_u = by_u - by_v * (2 * thing.bend * u)
    by_x = by_u * (u_x * factor) + by_v * (v_x * factor)
    return by_x, by_u * (u_y * factor) + by_v * (v_y * factor)


def slope(thing, layer, u, v):
    """Returns how steep a surface is.

    Args:
        thing: `scene.Thing`.
        layer: One of its layers.
        u: float32 (n,).
        v: Likewise.

    Returns:
        Derivatives of its height by x and y, float32 (n,); and int (n,), which capsule
        of a person is on top, None for other things.
    """
    factor = thing.relief * thing.size
    if isinstance(layer, list):
        top, _, by_u, by_v = figures.surface(layer, u, v)
        return *to_image_slope(thing, u, by_u, by_v, factor), top
    return *to_image_slope(thing, u, u, v, -factor), None


def height(thing, layer, u, v):
    """Returns the height of a surface over its plane, pixels, float32 (n,).

    A dome, or one over each of a person's bones; `slope` is its derivative.
    """
    if isinstance(layer, list):
        dome = figures.surface(layer, u, v)[1]
    else:
        dome = 1 - (u * u + v * v) / 2
    return dome * np.float32(thing.relief * thing.size)


def facing(by_x, by_y, length, direction):
    """Returns the cosine between a surface's normals and a unit vector, float32 (n,).

    Args:
        by_x: float32 (n,), derivative of its height, pixels per pixel.
        by_y: Likewise.
        length: float32 (n,), of (by_x, by_y, 1).
        direction: (x, y, z), x right, y down, z towards the camera.
    """
    x, y, z = direction
    return (z - x * by_x - y * by_y) / length


def normals(by_x, by_y):
    """Returns unit normals float32 (n, 3) from the derivatives of a height."""
    normal = np.stack([-by_x, -by_y, np.ones_like(by_x)], axis=-1)
    return normal / np.linalg.norm(normal, axis=-1, keepdims=True)


def albedo(thing, layer, u, v, top):
    """Returns the reflectance float32 (3, n), or (3, 1) where it is the same all over.

    Args:
        thing: `scene.Thing`.
        layer: One of its layers.
        u: float32 (n,).
        v: Likewise.
        top: From `slope`.
    """
    accent = _BLACK if thing.accent is None else thing.accent
    if top is not None:
        base = figures.albedo(layer, top, thing.albedo, accent)
    else:
        base = np.array(thing.albedo, np.float32)[:, None]
    if thing.texture == _PLAIN:
        return base
    name = scene.TEXTURES[thing.texture]
    if top is None:
        marks = materials.marks(name, u, v, thing.size)
        return base + marks * (np.array(accent, np.float32)[:, None] - base)
    marks = materials.marks(name, _FINER * u, _FINER * v, thing.size / _FINER)
    shirt = np.array([capsule.cloth == "shirt" for capsule in layer])[top]
    return base * (1 - _PRINT * marks * shirt)


def labels(layer, top):
    """Returns int (n,), labels of the parts of a person that are on top."""
    return np.array([capsule.part + 1 for capsule in layer])[top]
