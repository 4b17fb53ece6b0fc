"""Patches of pixels, of many things, that are computed at once.

A call of NumPy takes as long as a thousand pixels, so that the points of many patches
lie side by side in one array.
"""

import functools
import itertools
from typing import NamedTuple

import numpy as np

from kcv.data.scenes import scene


class Patch(NamedTuple):
    """One layer of a thing and where it is asked for.

    Parameters:
        number: Of the thing in its scene.
        thing: `scene.Thing`.
        layer: One of its `surfaces.layers`.
        box: The pixels that are its points, slices (rows, columns), or None.
        part: Where its points are among all.
    """

    number: int
    thing: scene.Thing
    layer: object
    box: tuple[slice, slice] | None = None
    part: slice | None = None


def box(drawn, extent, margin):
    """Returns whole pixels (rows, columns) of an image, or None without any.

    Args:
        drawn: `scene.Scene`.
        extent: (x1, y1, x2, y2).
        margin: Pixels around it that belong to the box.
    """
    x1, y1, x2, y2 = extent
    left, top = max(int(x1 - margin), 0), max(int(y1 - margin), 0)
    right = min(int(x2 + margin) + 1, drawn.width)
    bottom = min(int(y2 + margin) + 1, drawn.height)
    if left < right and top < bottom:
        return slice(top, bottom), slice(left, right)
    return None


def laid(patches):
    """Returns those that have a box, with their parts; a kind's are neighbours.

    Fields come before people, since all fields are looked up together.
    """
    found, start = [], 0
    for patch in sorted((one for one in patches if one.box), key=kind):
        rows, columns = patch.box
        count = (rows.stop - rows.start) * (columns.stop - columns.start)
        found.append(patch._replace(part=slice(start, start + count)))
        start += count
    return found


def kind(patch):
    """Returns whether it is a person's, and its texture."""
    return isinstance(patch.layer, list), patch.thing.texture


def narrowed(patches, kept):
    """Returns patches of which only some points are kept: int (n,), rising."""
    ends = kept.searchsorted([0, *(patch.part.stop for patch in patches)]).tolist()
    parts = [slice(*pair) for pair in itertools.pairwise(ends)]
    return [patch._replace(part=part) for patch, part in zip(patches, parts)]


def counts(patches):
    """Returns how many points each has."""
    return [patch.part.stop - patch.part.start for patch in patches]


def spread(patches, values):
    """Repeats a value, or m, of each patch for all of its points: float32 (m, n)."""
    return np.repeat(np.array(values, np.float32).T, counts(patches), axis=-1)


def taken(maps, patches):
    """Returns what maps (m, h, w) hold in the boxes, (m, n)."""
    found = np.empty((len(maps), patches[-1].part.stop), maps.dtype)
    for patch in patches:
        values = maps[:, *patch.box]
        found[:, patch.part].reshape(values.shape)[:] = values  # one copy only
    return found


@functools.lru_cache(8)
def centers(height, width):
    """Returns x, y and 1 at the centers of the pixels, float32 (3, height, width)."""
    grid = np.ones((3, height, width), np.float32)
    grid[0] = np.arange(width) + 0.5
    grid[1] = np.arange(height)[:, None] + 0.5
    return grid


@functools.lru_cache(8)
def places(height, width):
    """Returns the number of each pixel, (1, height, width)."""
    return np.arange(height * width).reshape(1, height, width)
