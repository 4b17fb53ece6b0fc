"""Where every pixel goes from one scene to another, and what gets out of sight.

A pixel belongs to the surface that its center shows, as `render` decides it: the
background, a thing, or a capsule of a figure. Each of them is followed exactly by its
matrices and bends; no picture is looked at.
"""

from typing import NamedTuple

import numpy as np

from kcv.data.scenes import figures, scene, surfaces

_NEAR = 1.0  # pixels around a thing's outline that may still belong to it
_SAME = 0.05  # pixels; two capsules of a limb move alike if they differ by less


class _Surface(NamedTuple):
    """A layer of a thing: number of the thing, the layer, the thing's extent."""

    thing: int
    layer: object
    extent: np.ndarray  # ((x1, y1), (x2, y2)) of the thing, pixels


def flow(scene_a, scene_b):
    """Returns where the pixels of one scene are in another.

    Args:
        scene_a: `scene.Scene`.
        scene_b: `scene.Scene`, the same things at the same places in `things`. For the
            backward flow exchange both.

    Returns:
        flow: float32 (h, w, 2), (dx, dy) in pixels from each pixel's center in a to
            where the same point of its surface is in b.
        occlusion: uint8 (h, w, 1), 1 where this point is outside of the image or behind
            something nearer.

    Raises:
        ValueError: The scenes differ in size or in their things.
    """
    _check(scene_a, scene_b)
    height, width = scene_a.height, scene_a.width
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    points = np.stack([x.ravel(), y.ravel()], axis=-1)  # (h * w, 2)
    surfaces_a, surfaces_b = _surfaces(scene_a), _surfaces(scene_b)
    owner = shown(scene_a, surfaces_a, points)

    moved = _follow_background(scene_a.background, scene_b.background, points)
    place = {(one.thing, _kind(one.layer)): i for i, one in enumerate(surfaces_b)}
    rank = np.full(len(points), len(surfaces_b))  # in b; lower is nearer
    limbs = []
    for i, one in enumerate(surfaces_a):
        mine = np.flatnonzero(owner == i)
        if not mine.size:
            continue
        rank[mine] = place[one.thing, _kind(one.layer)]
        other = surfaces_b[rank[mine[0]]]
        things = scene_a.things[one.thing], scene_b.things[one.thing]
        if isinstance(one.layer, list):
            top = _top(things[0], one.layer, points[mine])
            moved[mine] = _follow(things, (one.layer, other.layer), top, points[mine])
            limbs.append((mine, top, things, (one.layer, other.layer)))
        else:
            moved[mine] = scene.to_image(
                things[1], scene.to_frame(things[0], points[mine])
            )

    x, y = np.ascontiguousarray(moved.T)
    hidden = (x < 0) | (x >= width) | (y < 0) | (y >= height)
    for i, one in enumerate(surfaces_b):
        behind = np.flatnonzero(_near(one.extent, x, y) & (rank > i) & ~hidden)
        hidden[behind] = _covers(scene_b.things[one.thing], one.layer, moved[behind])
    for mine, top, things, layers in limbs:
        hidden[mine] |= _folded(things, layers, top, points[mine], moved[mine])
    motion = (moved - points).astype(np.float32).reshape(height, width, 2)
    return motion, hidden.astype(np.uint8).reshape(height, width, 1)


def shown(scene, layers, points):
    """Returns which of the layers (nearest first) points (n, 2) show; -1 for none."""
    owner = np.full(len(points), -1)
    x, y = np.ascontiguousarray(points.T)
    for i, one in enumerate(layers):
        free = np.flatnonzero(_near(one.extent, x, y) & (owner < 0))
        free = free[_covers(scene.things[one.thing], one.layer, points[free])]
        owner[free] = i
    return owner


def _check(scene_a, scene_b):
    sizes = [(one.height, one.width) for one in (scene_a, scene_b)]
    if sizes[0] != sizes[1]:
        raise ValueError(
            f"the scenes are {sizes[0]} and {sizes[1]} pixels high and wide"
        )
    kinds = [
        [(thing.category, thing.sprite) for thing in one.things]
        for one in (scene_a, scene_b)
    ]
    if kinds[0] != kinds[1]:
        raise ValueError(
            "flow needs the same things in the same order in both scenes; "
            f"there are {[t.name for t in scene_a.things]} "
            f"and {[t.name for t in scene_b.things]}"
        )


def _surfaces(scene):
    """The layers of all things, from the nearest to the farthest."""
    order = sorted(range(len(scene.things)), key=lambda i: -scene.things[i].depth)
    found = []
    for i in reversed(order):
        thing = scene.things[i]
        extent = np.reshape(surfaces.extent(thing), (2, 2))
        layers = reversed(surfaces.layers(thing))
        found += [_Surface(i, layer, extent) for layer in layers]
    return found


def _kind(layer):
    """What tells the layers of one thing apart: the first body part of a figure's."""
    return layer[0].part if isinstance(layer, list) else -1


def _near(extent, x, y):
    (left, top), (right, bottom) = extent
    within = (x > left - _NEAR) & (x < right + _NEAR)
    return within & (y > top - _NEAR) & (y < bottom + _NEAR)


def _covers(thing, layer, points):
    """Whether more than half of a pixel around each point (n, 2) is covered."""
    points = scene.to_frame(thing, points).astype(np.float32).T
    return surfaces.distance(thing, layer, points) >= 0


def _follow_background(first, second, points):
    """Returns where points (n, 2) of one background are in another."""
    if np.array_equal(first.matrix, second.matrix):
        return points.copy()
    linear = second.matrix[:, :2]
    if abs(np.linalg.det(linear)) <= 1e-12 * np.square(linear).sum():
        raise ValueError(
            f"the {second.kind} background's matrix has no inverse; "
            "give it a second row across the first"
        )
    picture = points @ first.matrix[:, :2].T + first.matrix[:, 2]
    return (picture - second.matrix[:, 2]) @ np.linalg.inv(linear).T


def _top(thing, layer, points):
    """Returns the capsule that is on top at points (n, 2), int (n,)."""
    points = scene.to_frame(thing, points).astype(np.float32).T
    return figures.surface(layer, points)[0]


def _follow(things, layers, top, points):
    """Returns where points (n, 2) on capsules `top` (n,) of a limb are in scene b."""
    frame = scene.to_frame(things[0], points)
    for i in np.unique(top):
        mine = top == i
        frame[mine] = _along(layers, i, frame[mine])
    return scene.to_image(things[1], frame)


def _along(layers, i, points):
    """Maps points (n, 2) of capsule i of one layer to those of the other.

    A trunk is mapped as its corners are. A bone is turned and stretched, the caps at
    its ends and its width are scaled.
    """
    first, second = (layer[i] for layer in layers)
    if len(first.core) > 2:
        corners = np.column_stack([first.core, np.ones(len(first.core))])
        affine = np.linalg.lstsq(corners, np.array(second.core), rcond=None)[0]
        return points @ affine[:2] + affine[2]
    (axis_a, length_a), (axis_b, length_b) = (_bone(layer, i) for layer in layers)
    offset = points - first.core[0]
    along = offset @ axis_a
    across = offset @ _across(axis_a)
    wider = second.radius / first.radius
    inner = np.clip(along, 0, length_a)
    stretch = length_b / length_a if length_a > 0 else 1.0
    along = (inner * stretch + (along - inner) * wider)[:, None]
    across = (across * wider)[:, None]
    return second.core[0] + along * axis_b + across * _across(axis_b)


def _bone(layer, i):
    """Returns the direction (2,) of a capsule's bone and its length."""
    core = layer[i].core
    # A hand has no direction of its own: it turns with its arm.
    start, end = core if len(core) == 2 else layer[i - 1].core
    bone = np.subtract(end, start)
    length = np.linalg.norm(bone)
    return bone / length, length if len(core) == 2 else 0.0


def _across(axis):
    return np.array((-axis[1], axis[0]))


def _folded(things, layers, top, points, moved):
    """Whether another capsule of the same limb has come over points (n, 2)."""
    if len(layers[0]) == 1:
        return np.zeros(len(points), bool)
    now = _top(things[1], layers[1], moved)
    back = _follow(things[::-1], layers[::-1], now, moved)
    return (now != top) & (np.abs(back - points).max(axis=-1) > _SAME)
