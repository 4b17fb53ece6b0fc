"""Shadows that things cast on what is behind them.

A shadow falls aside by the gap between a thing and what is behind it, as the light
slants. So that it stays near its thing, a gap counts a fortieth here. Its edge is the
softer the farther it falls.
"""

import math

import numpy as np

from kcv.data.scenes import patches, surfaces
from kcv.data.scenes.scene import BACKGROUND_DEPTH

SHADOW_GAP = 0.025  # share of a gap that counts
_SOFTNESS = 0.3  # width of a shadow's edge, share of its shift


def box(scene, thing, extent):
    """Returns pixels (rows, columns) that a thing's shadow may darken, or None.

    Args:
        scene: `scene.Scene`.
        thing: One of its things.
        extent: Of the thing, (x1, y1, x2, y2).
    """
    if scene.shadow <= 0:
        return None
    gap = BACKGROUND_DEPTH - thing.depth
    shift = _shift(scene)
    x, y = (-gap * part for part in shift)
    x1, y1, x2, y2 = extent
    extent = (x1 + min(x, 0), y1 + min(y, 0), x2 + max(x, 0), y2 + max(y, 0))
    return patches.box(scene, extent, (1 + _SOFTNESS * math.hypot(*shift) * gap) / 2)


def left_over(scene, shown, boxes, gaps):
    """Returns the share of light that shadows leave, {number of a thing: (h, w)}.

    Args:
        scene: `scene.Scene`.
        shown: {number of a thing: its (layer, extent)s}.
        boxes: {number of a thing: its `box`}.
        gaps: {number of a thing: float32 (h, w), from it to what is behind}.
    """
    share = {}
    found = patches.laid(
        patches.Patch(i, scene.things[i], layer, boxes[i])
        for i, layers in shown.items()
        for layer, _ in layers
    )
    if not found:
        return share
    pixels = patches.taken(patches.centers(scene.height, scene.width), found)
    gap = np.concatenate([gaps[patch.number].ravel() for patch in found])
    shift = _shift(scene)
    pixels[0] += shift[0] * gap
    pixels[1] += shift[1] * gap
    inside = surfaces.distances(found, surfaces.to_frame(found, pixels))
    gap *= _SOFTNESS * math.hypot(*shift)
    gap += 1  # width of the edge: over it light falls from 1 to 1 - shadow
    inside /= gap
    inside *= -scene.shadow
    inside += 1 - scene.shadow / 2
    inside.clip(1 - scene.shadow, 1, out=inside)
    for patch in found:
        i = patch.number
        one = inside[patch.part].reshape(gaps[i].shape)
        share[i] = np.minimum(share[i], one) if i in share else one
    return share


def _shift(scene):
    """Pixels (x, y) that a shadow falls aside by a unit of depth."""
    x, y, z = scene.light.tolist()
    return x / z * scene.unit * SHADOW_GAP, y / z * scene.unit * SHADOW_GAP
