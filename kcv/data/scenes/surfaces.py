"""The surface of a thing: what it covers, how it bulges, its colour.

A thing is one layer, a person several, from the farthest to the nearest. Places are
given in the thing's own frame; coverage and slopes are in image pixels.
"""

import itertools

import numpy as np

from kcv.data.scenes import figures, materials, scene, shapes, sprites
from kcv.data.scenes.patches import Patch, counts, kind, spread

_PLAIN = scene.TEXTURES.index("plain")
_FINER = 3  # times as fine as on a shape, a person's texture on the shirt
_PRINT = 0.8  # share of the light that a mark on a shirt takes
_BLACK = (0.0, 0.0, 0.0)
_SIDE = (np.arange(96, dtype=np.float32) + 0.5) / 48 - 1
_GRID = np.stack(np.meshgrid(_SIDE, _SIDE)).reshape(2, -1)  # over a whole frame


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
    return union(layer_extent(thing, layer) for layer in layers(thing))


def union(extents):
    """Returns the extent (x1, y1, x2, y2) of all that have these extents."""
    left, top, right, bottom = zip(*extents)
    return min(left), min(top), max(right), max(bottom)


def layer_extent(thing, layer):
    """Returns the `extent` of one of a thing's layers."""
    person = isinstance(layer, list)
    points = figures.outline(layer) if person else layer.outline
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
        inside = [figures.look_up(layer, _GRID) > 0 for layer in layers(thing)]
        return 4 * float(np.any(inside, axis=0).mean()) * thing.size**2
    return layers(thing)[0].area * thing.size**2


def inverse(thing):
    """Returns ((u_x, u_y, u_0), (v_x, v_y, v_0)): image to frame, before the bend."""
    (a, b, x), (c, d, y) = thing.matrix.tolist()
    scale = 1 / (a * d - b * c)
    u_x, u_y, v_x, v_y = d * scale, -b * scale, -c * scale, a * scale
    return (u_x, u_y, -u_x * x - u_y * y), (v_x, v_y, -v_x * x - v_y * y)


def distance(thing, layer, points):
    """Returns `distances` of points float32 (2, n) from one layer."""
    return distances([Patch(0, thing, layer, part=slice(0, points.shape[1]))], points)


def distances(patches, points):
    """Returns signed distances from the layers' outlines, pixels, positive inside.

    To first order where the map from the frame to the image is no similarity.

    Args:
        patches: `Patch`es as `patches.laid` gives them.
        points: float32 (2, n), u and v in the things' frames.
    """
    size = spread(patches, [patch.thing.size for patch in patches])
    similar = [_is_similar(patch.thing) for patch in patches]
    if all(similar):
        found = _look_up(patches, points, shapes.look_up, figures.look_up)
        found *= size
        return found
    found = _look_up(patches, points, shapes.look_up_slope, figures.look_up_slope)
    by_x, by_y = _to_image_slope(patches, points, found[1:], [1.0] * len(patches))
    steep = np.maximum(np.sqrt(by_x * by_x + by_y * by_y), np.float32(1e-6))
    return found[0] * np.where(spread(patches, similar) > 0, size, 1 / steep)


def _look_up(patches, points, in_fields, in_capsules):
    fields = [patch for patch in patches if not isinstance(patch.layer, list)]
    people = patches[len(fields) :]
    found = [in_capsules(patch.layer, points[:, patch.part]) for patch in people]
    if fields:
        layers, numbers = [patch.layer for patch in fields], counts(fields)
        found.insert(0, in_fields(layers, numbers, points[:, : sum(numbers)]))
    return found[0] if len(found) == 1 else np.concatenate(found, axis=-1)


def _is_similar(thing):
    """Whether the map from a thing's frame to the image keeps all angles."""
    if thing.bend:
        return False
    (a, b, _), (c, d, _) = thing.matrix.tolist()
    skew = abs(a * b + c * d) + abs(a * a + c * c - b * b - d * d)
    return skew < 1e-9 * (a * a + c * c)


def to_frame(patches, pixels):
    """Returns points (2, n) of the things' frames at pixels (3, n): x, y and 1."""
    points = _times([inverse(patch.thing) for patch in patches], patches, pixels)
    if any(patch.thing.bend for patch in patches):
        u, v = points
        v -= spread(patches, [patch.thing.bend for patch in patches]) * u * u
    return points


def _to_image_slope(patches, points, slope, factors):
    """Turns derivatives by u and v (2, n), times factors, to those by x and y."""
    if any(patch.thing.bend for patch in patches):
        by_u, by_v = slope
        bend = spread(patches, [2 * patch.thing.bend for patch in patches])
        slope = np.stack([by_u - by_v * bend * points[0], by_v])
    turns = []
    for patch, factor in zip(patches, factors):
        (u_x, u_y, _), (v_x, v_y, _) = inverse(patch.thing)
        turns.append(((u_x * factor, v_x * factor), (u_y * factor, v_y * factor)))
    return _times(turns, patches, slope)


def _times(matrices, patches, values):
    """Multiplies the values (k, n) of each patch by its own matrix."""
    matrices = np.array(matrices, np.float32)
    found = np.empty((matrices.shape[1], values.shape[1]), np.float32)
    for one, patch in zip(matrices, patches):
        np.matmul(one, values[:, patch.part], out=found[:, patch.part])
    return found


def normals(patches, points):
    """Returns where surfaces face.

    Args:
        patches: `Patch`es as `patches.laid` gives them.
        points: float32 (2, n), u and v in the things' frames.

    Returns:
        float32 (3, n), unit vectors: x right, y down, z towards the camera; and for
        each patch int (n,), which capsule of a person is on top, or None.
    """
    tops, slope = [None] * len(patches), points
    if any(isinstance(patch.layer, list) for patch in patches):
        slope = points.copy()
        for i, patch in enumerate(patches):
            if isinstance(patch.layer, list):
                at = points[:, patch.part]
                tops[i], _, by = figures.surface(patch.layer, at)
                np.negative(by, out=slope[:, patch.part])
    # A dome falls by (u, v), and so its normal leans.
    relief = [patch.thing.relief * patch.thing.size for patch in patches]
    x, y = leaning = _to_image_slope(patches, points, slope, relief)
    length = x * x
    length += y * y
    length += 1
    np.sqrt(length, out=length)
    normal = np.empty((3, len(x)), np.float32)
    np.divide(leaning, length, out=normal[:2])
    np.divide(1, length, out=normal[2])
    return normal, tops


def height(thing, layer, points):
    """Returns the height of a surface over its plane, pixels, float32 (n,).

    A dome, or one over each of a person's bones; `normals` follow from it.
    """
    if isinstance(layer, list):
        dome = figures.surface(layer, points)[1]
    else:
        u, v = points
        dome = 1 - (u * u + v * v) / 2
    return dome * np.float32(thing.relief * thing.size)


def albedo(patches, points, tops):
    """Returns the reflectance float32 (3, n).

    Args:
        patches: `Patch`es as `patches.laid` gives them.
        points: float32 (2, n), u and v in the things' frames.
        tops: From `normals`.
    """
    things = [patch.thing for patch in patches]
    accents = [_BLACK if one.accent is None else one.accent for one in things]
    base = spread(patches, [thing.albedo for thing in things])
    marked = spread(patches, accents)
    for patch, top, accent in zip(patches, tops, accents):
        if top is not None:
            shirt = np.array([capsule.cloth == "shirt" for capsule in patch.layer])
            body = figures.albedo(patch.layer, top, patch.thing.albedo, accent)
            base[:, patch.part] = body
            marked[:, patch.part] = body * (1 - _PRINT * shirt[top])
    for (person, texture), run in itertools.groupby(patches, kind):
        if texture != _PLAIN:
            run = list(run)
            part = slice(run[0].part.start, run[-1].part.stop)
            finer = _FINER if person else 1
            pixels = spread(run, [patch.thing.size / finer for patch in run])
            at = finer * points[:, part]
            marks = materials.marks(scene.TEXTURES[texture], *at, pixels)
            base[:, part] += marks * (marked[:, part] - base[:, part])
    return base


def labels(layer, top):
    """Returns int (n,), labels of the parts of a person that are on top."""
    return np.array([capsule.part + 1 for capsule in layer])[top]
