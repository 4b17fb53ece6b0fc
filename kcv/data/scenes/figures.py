"""Bodies of articulated figures: capsules around the bones between 14 joints."""

import math
from typing import NamedTuple

import numpy as np

from kcv.data.scenes import scene

PARTS = (  # part i has label i + 1 in a map of parts; 0 is none
    *("head", "torso"),
    *("right_upper_arm", "right_lower_arm", "left_upper_arm", "left_lower_arm"),
    *("right_upper_leg", "right_lower_leg", "left_upper_leg", "left_lower_leg"),
)
JOINT = {name: i for i, name in enumerate(scene.JOINTS)}
HEAD = 0.3  # neck to top of the head, in the units that radii are given in
_TROUSERS, _SHOES, _HAIR = (0.03, 0.04, 0.07), (0.02, 0.02, 0.02), (0.03, 0.02, 0.01)


class Capsule(NamedTuple):
    """All points within a radius of a core, in a thing's frame.

    Parameters:
        part: Index into `PARTS`.
        core: Points (u, v): one, the ends of a segment, or the corners of a polygon
            that bulges nowhere inwards, clockwise as one sees it.
        radius: In units of the frame.
        cloth: "shirt" (the person's colour), "trousers", "shoes", "hair" or "skin".
    """

    part: int
    core: tuple[tuple[float, float], ...]
    radius: float
    cloth: str


def layers(joints, behind):
    """Returns the body: groups of `Capsule`s, from the farthest to the nearest."""
    point = [tuple(joint) for joint in np.asarray(joints).tolist()]
    neck, top = point[JOINT["neck"]], point[JOINT["head_top"]]
    unit = math.dist(neck, top) / HEAD
    limbs = {
        f"{side}_{kind}": _limb(point, side, kind, unit)
        for kind in ("leg", "arm")
        for side in ("right", "left")
    }
    back = [limbs[name] for name in scene.LIMBS if name in behind]
    legs = [limbs[n] for n in scene.LIMBS[:2] if n not in behind]
    arms = [limbs[n] for n in scene.LIMBS[2:] if n not in behind]
    return [*back, *legs, _torso(point, unit), _head(neck, top, unit), *arms]


def _torso(point, unit):
    """Between shoulders and hips; the bones lie a little inside."""
    right, left, left_hip, right_hip = (
        point[JOINT[name]]
        for name in ("right_shoulder", "left_shoulder", "left_hip", "right_hip")
    )
    corners = (right, left, left_hip, right_hip)
    doubled = sum(
        a[0] * b[1] - b[0] * a[1] for a, b in zip(corners, (*corners[1:], corners[0]))
    )
    return [Capsule(1, corners if doubled > 0 else corners[::-1], 0.09 * unit, "shirt")]


def _head(neck, top, unit):
    """A neck, a face and hair over it; the top of the head is on the outline."""

    def at(share):
        return tuple(a + share * (b - a) for a, b in zip(neck, top))

    radius = 0.11 * unit
    crown = 1 - radius / (HEAD * unit)
    return [
        Capsule(0, (neck, at(0.4)), 0.05 * unit, "skin"),
        Capsule(0, (at(0.5), at(crown)), radius, "skin"),
        Capsule(0, (at(crown + 0.08),), 0.92 * radius, "hair"),
    ]


def _limb(point, side, kind, unit):
    part = PARTS.index(f"{side}_upper_{kind}")
    names = (
        ("hip", "knee", "ankle") if kind == "leg" else ("shoulder", "elbow", "wrist")
    )
    first, second, third = (point[JOINT[f"{side}_{name}"]] for name in names)
    if kind == "leg":
        upper, lower, end = (0.09, "trousers"), (0.07, "trousers"), (0.075, "shoes")
    else:
        upper, lower, end = (0.068, "shirt"), (0.052, "skin"), (0.062, "skin")
    return [
        Capsule(part, (first, second), unit * upper[0], upper[1]),
        Capsule(part + 1, (second, third), unit * lower[0], lower[1]),
        Capsule(part + 1, (third,), unit * end[0], end[1]),
    ]


def look_up(layer, points):
    """Returns the signed distance from a layer's outline; see `look_up_slope`."""
    return _nearest(layer, *points)[1]


def look_up_slope(layer, points):
    """Returns the distance from a layer's outline and its derivatives, (3, n).

    Args:
        layer: `Capsule`s.
        points: float32 (2, n), u and v.
    """
    _, inside, off_u, off_v = _nearest(layer, *points)
    away = np.maximum(np.sqrt(off_u * off_u + off_v * off_v), np.float32(1e-6))
    return np.stack([inside, -off_u / away, -off_v / away])


def surface(layer, points):
    """Returns which capsule is on top and its bulge.

    Args:
        layer: `Capsule`s.
        points: float32 (2, n), u and v.

    Returns:
        Index of the capsule int (n,); height at slope 1 at its outline float32 (n,) and
        the height's derivatives (2, n).
    """
    index, inside, off_u, off_v = _nearest(layer, *points)
    per_radius = np.float32([1 / capsule.radius for capsule in layer])[index]
    away = off_u * off_u + off_v * off_v
    height = (1 / per_radius - away * per_radius) / 2  # a parabola over the core
    return index, height, np.stack([off_u, off_v]) * -per_radius


def _nearest(layer, u, v):
    """Index, distance and offset from the core, of the capsule that is deepest."""
    best = None
    for i, capsule in enumerate(layer):
        off_u, off_v = _from_core(capsule.core, u, v)
        inside = capsule.radius - np.sqrt(off_u * off_u + off_v * off_v)
        if best is None:
            best = [np.zeros(u.shape, np.intp), inside, off_u, off_v]
            continue
        deeper = inside > best[1]
        for j, value in enumerate((i, inside, off_u, off_v)):
            best[j] = np.where(deeper, value, best[j])
    return best


def _from_core(core, u, v):
    """Offset (u, v) of points from the nearest point of a core; 0 within a polygon."""
    if len(core) == 1:
        return u - np.float32(core[0][0]), v - np.float32(core[0][1])
    if len(core) == 2:
        return _from_segment(*core, u, v)
    best_u, best_v = _from_segment(core[-1], core[0], u, v)
    within = _right_of(core[-1], core[0], u, v)
    for start, end in zip(core, core[1:]):
        off_u, off_v = _from_segment(start, end, u, v)
        nearer = off_u * off_u + off_v * off_v < best_u * best_u + best_v * best_v
        best_u = np.where(nearer, off_u, best_u)
        best_v = np.where(nearer, off_v, best_v)
        within &= _right_of(start, end, u, v)
    outside = np.float32(1) - within
    return best_u * outside, best_v * outside


def _from_segment(start, end, u, v):
    du, dv = end[0] - start[0], end[1] - start[1]
    scale = 1 / (du * du + dv * dv)
    off_u, off_v = u - np.float32(start[0]), v - np.float32(start[1])
    along = off_u * (du * scale) + off_v * (dv * scale)
    along = np.minimum(np.maximum(along, 0), 1)
    return off_u - along * du, off_v - along * dv


def _right_of(start, end, u, v):
    """Whether points lie on the inner side of a clockwise polygon's edge."""
    du, dv = end[0] - start[0], end[1] - start[1]
    return du * (v - np.float32(start[1])) >= dv * (u - np.float32(start[0]))


def albedo(layer, index, shirt, skin):
    """Returns float32 (3, n), the reflectance of the capsules that are on top.

    Args:
        layer: `Capsule`s.
        index: int (n,).
        shirt: (3,), linear; the trousers are dark and take a little of it.
        skin: (3,).
    """
    cloths = {"shirt": np.asarray(shirt), "skin": np.asarray(skin)}
    cloths |= {"shoes": np.array(_SHOES), "hair": np.array(_HAIR)}
    cloths["trousers"] = 0.12 * cloths["shirt"] + np.array(_TROUSERS)
    return np.float32([cloths[capsule.cloth] for capsule in layer]).T[:, index]


def outline(layer):
    """Returns float64 (m, 2), dense points around the capsules of a layer."""
    angle = np.arange(48) * (2 * np.pi / 48)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    points = []
    for capsule in layer:
        core = np.array(capsule.core)
        if len(core) > 1:  # under a bend the extremes may lie between the ends
            ends = np.roll(core, -1, axis=0)
            core = np.concatenate([core + t * (ends - core) for t in (0, 1 / 3, 2 / 3)])
        points.append((core[:, None] + capsule.radius * circle).reshape(-1, 2))
    return np.concatenate(points)


def _parts_of():
    """For each joint the labels of the parts that meet there."""
    ends = {"head": ("neck", "head_top")}
    sides = ("right", "left")
    ends["torso"] = ("neck", *(f"{s}_{j}" for s in sides for j in ("hip", "shoulder")))
    for side in sides:
        ends[f"{side}_upper_arm"] = (f"{side}_shoulder", f"{side}_elbow")
        ends[f"{side}_lower_arm"] = (f"{side}_elbow", f"{side}_wrist")
        ends[f"{side}_upper_leg"] = (f"{side}_hip", f"{side}_knee")
        ends[f"{side}_lower_leg"] = (f"{side}_knee", f"{side}_ankle")
    return tuple(
        frozenset(PARTS.index(part) + 1 for part in PARTS if joint in ends[part])
        for joint in scene.JOINTS
    )


PARTS_OF = _parts_of()
