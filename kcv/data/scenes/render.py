"""Draws a scene and its truths.

Things are drawn from the farthest to the nearest. A pixel's colour is a mean of linear
light by coverage; which thing a pixel belongs to is decided at coverage one half.
"""

from typing import NamedTuple

import numpy as np

from kcv.data.scenes import (
    backgrounds,
    camera,
    materials,
    patches,
    shadows,
    surfaces,
    truths,
)
from kcv.data.scenes.scene import BACKGROUND_DEPTH, MATERIALS

WANTS = frozenset(
    (*("boxes", "masks", "semantic", "keypoints", "depth", "normals", "albedo"),)
    + ("instance",)
)
_LIGHTS = {"linear", "shading", "specular"}  # planes that a shadow darkens
_BATCH = 16384  # pixels; beyond, the processor's cache no longer holds what is computed
_SHINY = MATERIALS.index("shiny")


def render(scene, want=frozenset()):
    """Draws a scene.

    Args:
        scene: `scene.Scene`.
        want: Names of truths, of `WANTS`.

    Returns:
        {"images": uint8 (h, w, 3)} and what is wanted: see `truths`. With "albedo" also
        shading (h, w, 1), specular (h, w, 3) and linear (h, w, 3), the light before the
        camera: linear = albedo * shading + specular, all float32.

    Raises:
        ValueError: if a wanted name is unknown.
    """
    unknown = set(want) - WANTS
    if unknown:
        raise ValueError(
            f"want has {sorted(unknown)[0]!r}; known are {', '.join(sorted(WANTS))}"
        )
    canvas = _blank(scene, want)
    order = sorted(range(len(scene.things)), key=lambda i: -scene.things[i].depth)
    layers = {i: surfaces.layers(scene.things[i]) for i in order}
    extents = {i: _extents(scene.things[i], layers[i]) for i in order}
    whole = {i: surfaces.union(extents[i]) for i in order}
    for numbers in _batches(order, whole):
        shown = {i: list(zip(layers[i], extents[i])) for i in numbers}
        _draw(canvas, scene, shown, whole)
    record = {"images": camera.take(canvas["linear"], scene.camera, scene.key)}
    return record | truths.collect(scene, want, canvas, whole)


def _extents(thing, layers):
    return [surfaces.layer_extent(thing, layer) for layer in layers]


def _blank(scene, want):
    """Buffers (..., h, w) that show the background alone, and what all things share."""
    shape = scene.height, scene.width
    flat = scene.ambient + (1 - scene.ambient) * float(scene.light[2])
    canvas = {
        "linear": backgrounds.draw(scene.background, *shape) * np.float32(flat),
        "instance": np.full(shape, -1, np.int32),
        "plane": np.full(shape, BACKGROUND_DEPTH, np.float32),
        "towards": np.float32([scene.light, materials.half_vector(scene.light)]),
    }
    if "albedo" in want:
        canvas["shading"] = np.full((1, *shape), flat, np.float32)
        canvas["specular"] = np.zeros((1, *shape), np.float32)
    if "depth" in want:
        canvas["depth"] = np.full(shape, BACKGROUND_DEPTH, np.float32)
    if "normals" in want:
        canvas["normals"] = np.full((*shape, 3), (0, 0, 1), np.float32)
    if "keypoints" in want:
        canvas["parts"] = np.zeros(shape, np.int32)
    return canvas


def _batches(order, extents):
    """Yields numbers of things, so many as are quick to draw at once."""
    batch, pixels = [], 0
    for i in order:
        x1, y1, x2, y2 = extents[i]
        batch.append(i)
        pixels += (x2 - x1) * (y2 - y1)
        if pixels > _BATCH:
            yield batch
            batch, pixels = [], 0
    yield batch


def _draw(canvas, scene, shown, whole):
    """Draws some things over what is behind them, from the farthest to the nearest.

    What does not depend on the things behind is computed for all of them at once.

    Args:
        canvas: Buffers.
        scene: `scene.Scene`.
        shown: {number of a thing: its (layer, extent)s}.
        whole: {number of a thing: its extent}.
    """
    looks = _looks(canvas, scene, shown)
    boxes = {i: shadows.box(scene, scene.things[i], whole[i]) for i in shown}
    gaps = {}  # between a thing and what is behind it, where its shadow may fall
    for i in shown:
        if boxes[i]:
            gaps[i] = canvas["plane"][boxes[i]] - np.float32(scene.things[i].depth)
        for look in looks[i]:
            _write(canvas, scene, look)
    left_over = shadows.left_over(scene, shown, boxes, gaps)
    for i in shown:
        for name in _LIGHTS & canvas.keys() if boxes[i] else ():
            darkened = canvas[name][:, *boxes[i]]
            darkened *= left_over[i]
        for look in looks[i]:
            _blend(canvas["linear"], look, look.light)
            if "shading" in canvas:
                _blend(canvas["shading"], look, look.shading)
                _blend(canvas["specular"], look, look.specular)


class _Look(NamedTuple):
    """What is drawn of a layer of a thing, at the n pixels that it covers.

    Parameters:
        patch: `patches.Patch`.
        place: int (n,), numbers of the pixels, row by row.
        points: float32 (2, n), in the thing's frame.
        cover: float32 (n,), 0..1.
        light: float32 (3, n).
        shading: float32 (n,), which is in it.
        specular: Likewise.
        normals: float32 (3, n).
        top: See `surfaces.normals`.
    """

    patch: patches.Patch
    place: np.ndarray
    points: np.ndarray
    cover: np.ndarray
    light: np.ndarray
    shading: np.ndarray
    specular: np.ndarray
    normals: np.ndarray
    top: np.ndarray | None


def _looks(canvas, scene, shown):
    """Returns {number of a thing: its `_Look`s from the farthest}."""
    looks, size = {i: [] for i in shown}, (scene.height, scene.width)
    found = patches.laid(
        patches.Patch(i, scene.things[i], layer, patches.box(scene, extent, 1))
        for i, layers in shown.items()
        for layer, extent in layers
    )
    if not found:
        return looks
    points = surfaces.to_frame(found, patches.taken(patches.centers(*size), found))
    cover = surfaces.distances(found, points)
    cover += np.float32(0.5)
    touched = (cover > 0).nonzero()[0]
    place = patches.taken(patches.places(*size), found)[0].take(touched)
    found = patches.narrowed(found, touched)
    points = points.take(touched, axis=1)
    cover = np.minimum(cover.take(touched), 1)
    normals, tops = surfaces.normals(found, points)
    to_light, to_half = canvas["towards"] @ normals
    shading = materials.shade(to_light, scene.ambient)
    shiny = [patch.thing.material == _SHINY for patch in found]
    specular = materials.highlight(to_half) * patches.spread(found, shiny)
    light = surfaces.albedo(found, points, tops)
    light *= shading
    light += specular
    for patch, top in zip(found, tops):
        part = patch.part
        looks[patch.number].append(
            _Look(
                patch,
                place[part],
                points[:, part],
                cover[part],
                light[:, part],
                shading[part],
                specular[part],
                normals[:, part],
                top,
            )
        )
    return looks


def _write(canvas, scene, look):
    """Writes which thing the pixels belong to that it covers by half, and its maps."""
    thing, layer = look.patch.thing, look.patch.layer
    most = (look.cover >= 0.5).nonzero()[0]
    place = look.place.take(most)
    canvas["instance"].reshape(-1)[place] = look.patch.number
    canvas["plane"].reshape(-1)[place] = thing.depth
    if "depth" in canvas:
        height = surfaces.height(thing, layer, look.points[:, most])
        canvas["depth"].reshape(-1)[place] = thing.depth - height / scene.unit
    if "normals" in canvas:
        canvas["normals"].reshape(-1, 3)[place] = look.normals[:, most].T
    if "parts" in canvas:
        labels = 0 if look.top is None else surfaces.labels(layer, look.top[most])
        canvas["parts"].reshape(-1)[place] = labels


def _blend(buffer, look, value):
    """Mixes values (m, n) into a buffer (m, h, w) by their coverage."""
    buffer = buffer.reshape(len(buffer), -1)
    behind = buffer.take(look.place, axis=1)
    value = value - behind
    value *= look.cover
    value += behind
    buffer[:, look.place] = value
