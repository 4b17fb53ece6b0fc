"""Draws a scene and its truths.

Things are drawn from the farthest to the nearest. A pixel's colour is a mean of linear
light by coverage; which thing a pixel belongs to is decided at coverage one half.
"""

import functools
import math

import numpy as np

from kcv.data.scenes import backgrounds, camera, materials, surfaces, truths
from kcv.data.scenes.scene import MATERIALS

BACKGROUND_DEPTH = 10.0
WANTS = frozenset(
    (*("boxes", "masks", "semantic", "keypoints", "depth", "normals", "albedo"),)
    + ("instance",)
)
SHADOW_GAP = 0.025  # see `_cast_shadow`
_SOFTNESS = 0.3  # width of a shadow's edge, share of its shift
_CENTERS = np.arange(4096, dtype=np.float32) + np.float32(0.5)  # of pixels
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
    half = materials.half_vector(scene.light).tolist()
    order = sorted(range(len(scene.things)), key=lambda i: -scene.things[i].depth)
    extents = {}
    for i in order:
        extents[i] = surfaces.extent(scene.things[i])
        if scene.shadow > 0:
            _cast_shadow(canvas, scene, scene.things[i], extents[i])
        _draw(canvas, scene, i, extents[i], half)
    linear = canvas["linear"].reshape(3, scene.height, scene.width)
    record = {"images": camera.take(linear, scene.camera, scene.key)}
    return record | truths.collect(scene, want, canvas, extents)


def _blank(scene, want):
    """Buffers of h * w pixels that show the background alone; colours are planes."""
    count = scene.height * scene.width
    flat = scene.ambient + (1 - scene.ambient) * float(scene.light[2])
    albedo = backgrounds.draw(scene.background, scene.height, scene.width)
    canvas = {
        "linear": albedo.reshape(3, count) * np.float32(flat),
        "instance": np.full(count, -1, np.int32),
        "place": _places(scene.height, scene.width),
        "plane": np.full(count, BACKGROUND_DEPTH, np.float32),
    }
    if "albedo" in want:
        canvas["shading"] = np.full(count, flat, np.float32)
        canvas["specular"] = np.zeros(count, np.float32)
    if "depth" in want:
        canvas["depth"] = np.full(count, BACKGROUND_DEPTH, np.float32)
    if "normals" in want:
        canvas["normals"] = np.full((count, 3), (0, 0, 1), np.float32)
    if "keypoints" in want:
        canvas["parts"] = np.zeros(count, np.int32)
    return canvas


@functools.lru_cache(8)
def _places(height, width):
    """Number of each pixel, (height, width)."""
    return np.arange(height * width).reshape(height, width)


def _draw(canvas, scene, i, extent, half):
    """Draws thing i over what is behind it."""
    thing = scene.things[i]
    box = _pixels(scene, extent, 1)
    if box is None:
        return
    left, top, right, bottom = box
    places = canvas["place"][top:bottom, left:right].ravel()
    u, v = _frame(thing, box)
    for layer in surfaces.layers(thing):
        inside = surfaces.distance(thing, layer, u, v).ravel()
        touched = (inside > -0.5).nonzero()[0]
        place = places.take(touched)
        cover = np.minimum(inside.take(touched) + np.float32(0.5), 1)
        at = u.take(touched), v.take(touched)
        *slope, index = surfaces.slope(thing, layer, *at)
        length = np.sqrt(slope[0] * slope[0] + slope[1] * slope[1] + 1)
        shading = surfaces.facing(*slope, length, scene.light.tolist())
        shading = materials.shade(shading, scene.ambient)
        light, specular = surfaces.albedo(thing, layer, *at, index) * shading, 0
        if thing.material == _SHINY:
            specular = materials.highlight(surfaces.facing(*slope, length, half))
            light += specular
        _blend(canvas["linear"], place, cover, light)
        if "shading" in canvas:
            _blend(canvas["shading"], place, cover, shading)
            _blend(canvas["specular"], place, cover, specular)
        most = (cover >= 0.5).nonzero()[0]
        place = place.take(most)
        canvas["instance"][place] = i
        canvas["plane"][place] = thing.depth
        if "depth" in canvas:
            height = surfaces.height(thing, layer, *at)[most]
            canvas["depth"][place] = thing.depth - height / scene.unit
        if "normals" in canvas:
            canvas["normals"][place] = surfaces.normals(*slope)[most]
        if "parts" in canvas:
            labels = 0 if index is None else surfaces.labels(layer, index[most])
            canvas["parts"][place] = labels


def _blend(buffer, place, cover, value):
    """Mixes values (..., n) into a buffer (..., h * w) by their coverage (n,)."""
    behind = buffer.take(place, axis=-1)
    value = value - behind
    value *= cover
    value += behind
    buffer[..., place] = value


def _cast_shadow(canvas, scene, thing, extent):
    """Darkens what is behind a thing, where the thing is between it and the light.

    A shadow falls aside by the gap between both planes, as the light slants. So that it
    stays near its thing, a gap counts a fortieth here. Its edge is the softer the
    farther it falls.
    """
    x, y, z = scene.light.tolist()
    shift = x / z * scene.unit * SHADOW_GAP, y / z * scene.unit * SHADOW_GAP
    length = _SOFTNESS * math.hypot(*shift)  # of a soft edge
    x, y = (-(BACKGROUND_DEPTH - thing.depth) * part for part in shift)
    soft = 1 + length * (BACKGROUND_DEPTH - thing.depth)
    x1, y1, x2, y2 = extent
    extent = (x1 + min(x, 0), y1 + min(y, 0), x2 + max(x, 0), y2 + max(y, 0))
    box = _pixels(scene, extent, soft / 2)
    if box is None:
        return
    left, top, right, bottom = box
    plane = canvas["plane"].reshape(scene.height, scene.width)
    gap = plane[top:bottom, left:right] - np.float32(thing.depth)
    u, v = _frame(thing, box, gap, shift)
    inside = None
    for layer in surfaces.layers(thing):
        one = surfaces.distance(thing, layer, u, v)
        inside = one if inside is None else np.maximum(inside, one)
    gap *= length
    gap += 1  # width of the edge
    inside /= gap
    inside += np.float32(0.5)
    inside.clip(0, 1, out=inside)
    left_over = 1 - scene.shadow * inside
    for name in ("linear", "shading", "specular"):
        if name in canvas:
            image = canvas[name].reshape(-1, scene.height, scene.width)
            part = image[:, top:bottom, left:right]
            part *= left_over


def _pixels(scene, extent, margin):
    """Whole pixels (left, top, right, bottom) of the image, or None without any."""
    x1, y1, x2, y2 = extent
    left, top = max(int(x1 - margin), 0), max(int(y1 - margin), 0)
    right = min(int(x2 + margin) + 1, scene.width)
    bottom = min(int(y2 + margin) + 1, scene.height)
    return (left, top, right, bottom) if left < right and top < bottom else None


def _frame(thing, box, gap=None, shift=None):
    """Points (u, v) of a thing's frame, float32 (h, w), at the pixels of a box.

    They are looked up `gap * shift` pixels aside.
    """
    left, top, right, bottom = box
    (u_x, u_y, u_0), (v_x, v_y, v_0) = surfaces.inverse(thing)
    x, y = _CENTERS[left:right], _CENTERS[top:bottom, None]
    u = u_x * x + (u_y * y + u_0)
    v = v_x * x + (v_y * y + v_0)
    if gap is not None:
        s, t = shift
        u += gap * (u_x * s + u_y * t)
        v += gap * (v_x * s + v_y * t)
    if thing.bend:
        v = v - thing.bend * u * u
    return u, v
