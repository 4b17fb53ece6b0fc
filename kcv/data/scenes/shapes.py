"""Outlines of the shapes, and signed distances from them."""

import functools
from typing import NamedTuple

import numpy as np

REACH = 1.25  # a field covers [-1.25, 1.25] x [-1.25, 1.25] of a thing's frame
_NODES = 192  # a side of a shape's field
_CURVE = 160  # points of a closed curve


class Field(NamedTuple):
    """A signed distance, known at nodes from -`REACH` to `REACH`, bilinear between.

    Parameters:
        distance: float32 (n * n,), row by row; positive inside; in units of the frame.
        nodes: n.
        outline: float64 (m, 2), dense points (u, v) of the zero line.
        area: Of what is inside, in units of the frame.
    """

    distance: np.ndarray
    nodes: int
    outline: np.ndarray
    area: float


def loops(name):
    """Returns the closed polygons (n, 2), (u, v) with v down, that bound a shape.

    Inside is what an odd number of them encloses. The shape fills [-1, 1] at least one
    way.
    """
    return _LOOPS[name]()


@functools.cache
def field(name):
    """Returns the `Field` of a shape."""
    u, v = np.meshgrid(*2 * (np.linspace(-REACH, REACH, _NODES),))
    distance = np.full(u.shape, np.inf)
    inside = np.zeros(u.shape, bool)
    for loop in loops(name):
        for start, end in zip(loop, np.roll(loop, -1, axis=0)):
            distance = np.minimum(distance, to_segment(u, v, start, end))
            upward = (start[1] <= v) != (end[1] <= v)
            rise = end[1] - start[1] if end[1] != start[1] else 1.0
            inside ^= upward & (
                u < start[0] + (v - start[1]) / rise * (end[0] - start[0])
            )
    return make_field(np.where(inside, distance, -distance))


def make_field(distance):
    """Returns the `Field` of signed distances (n, n) at the nodes."""
    nodes = len(distance)
    distance = np.asarray(distance, np.float32)
    spacing = 2 * REACH / (nodes - 1)
    # Each node stands for a cell; the share inside is that of a straight edge.
    area = np.clip(0.5 + distance / spacing, 0, 1).sum() * spacing**2
    return Field(distance.ravel(), nodes, _zero_line(distance), float(area))


def look_up(fields, counts, points):
    """Returns signed distances, float32 (n,).

    Args:
        fields: `Field`s.
        counts: How many of the points are looked up in each.
        points: float32 (2, n), u and v; beyond a field counts as its border.
    """
    left, right, x, y, _ = _cells(fields, counts, points)
    right -= left
    right *= x
    left += right
    upper, lower = left
    lower -= upper
    lower *= y
    upper += lower
    return upper


def look_up_slope(fields, counts, points):
    """Returns distances and their derivatives by u and v, (3, n); see `look_up`."""
    left, right, x, y, per_unit = _cells(fields, counts, points)
    across = right - left
    upper, lower = left + across * x
    by_u = (across[0] + (across[1] - across[0]) * y) * per_unit
    return np.stack([upper + (lower - upper) * y, by_u, (lower - upper) * per_unit])


def _cells(fields, counts, points):
    """Finds the cell that each point lies in.

    Returns:
        Its distances at the left and at the right, (2, n): upper, lower; x and y, 0..1
        within the cell; cells a unit (n,).
    """
    nodes = np.repeat(np.array([field.nodes for field in fields], np.float32), counts)
    per_unit = (nodes - 1) / (2 * REACH)
    place = points.clip(-REACH, REACH - 1e-5)
    place += REACH
    place *= per_unit
    cell = np.floor(place)
    place -= cell
    column, row = cell
    row *= nodes  # a float of 24 bits counts far enough
    row += column
    row = row.astype(np.intp)
    corners = np.empty((4, len(row)), np.float32)
    start = 0
    for field, count in zip(fields, counts):
        part = slice(start, start + count)
        offsets = 0, field.nodes, 1, field.nodes + 1
        for offset, corner in zip(offsets, corners[:, part]):
            # All lie within; to clip spares a copy that errors would need.
            field.distance[offset:].take(row[part], out=corner, mode="clip")
        start += count
    left, right = corners[:2], corners[2:]
    return left, right, *place, per_unit


def to_segment(u, v, start, end):
    """Returns the distance of points from the segment between two points."""
    du, dv = end[0] - start[0], end[1] - start[1]
    length = du * du + dv * dv
    u, v = u - start[0], v - start[1]
    along = np.clip((u * du + v * dv) / length, 0, 1) if length else 0.0
    return np.hypot(u - along * du, v - along * dv)


def _zero_line(distance):
    """Where the distance changes its sign between neighbouring nodes, (m, 2)."""
    nodes = np.linspace(-REACH, REACH, len(distance))
    spacing = nodes[1] - nodes[0]
    points = []
    for values in (distance, distance.T):
        rows, columns = np.nonzero((values[:, 1:] > 0) != (values[:, :-1] > 0))
        first, second = values[rows, columns], values[rows, columns + 1]
        along = nodes[columns] + spacing * first / (first - second)
        points.append(np.stack([along, nodes[rows]], axis=-1))
    return np.concatenate([points[0], points[1][:, ::-1]])


def _circle(radius, middle=(0.0, 0.0), first=0.0, last=2 * np.pi, points=_CURVE):
    angle = np.linspace(first, last, points, endpoint=last - first < 2 * np.pi)
    return np.stack(
        [middle[0] + radius * np.cos(angle), middle[1] + radius * np.sin(angle)], -1
    )


def _regular(corners):
    angle = np.arange(corners) * 2 * np.pi / corners - np.pi / 2
    return np.stack([np.cos(angle), np.sin(angle)], axis=-1)


def _star():
    points = _regular(10)
    points[1::2] *= 0.42
    return points


def _crescent():
    """A disc without a smaller one that is set to the right."""
    middle, radius = 0.45, 0.75
    across = (1 + middle**2 - radius**2) / (2 * middle)  # where both circles meet
    outer = np.arccos(across)
    inner = np.arctan2(np.sin(outer), across - middle)
    outer = _circle(1.0, first=outer, last=2 * np.pi - outer, points=120)
    inner = _circle(radius, (middle, 0.0), 2 * np.pi - inner, inner, points=80)
    return np.concatenate([outer, inner[1:-1]])


def _heart():
    t = np.linspace(0, 2 * np.pi, _CURVE, endpoint=False)
    u = 16 * np.sin(t) ** 3
    v = -(13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t))
    return np.stack([u / 16, (v - 2.5) / 15.5], axis=-1)


def _drop():
    t = np.linspace(0, 2 * np.pi, _CURVE, endpoint=False)
    return np.stack([0.95 * np.sin(t) * np.sin(t / 2) ** 1.5, -np.cos(t)], axis=-1)


def _plus():
    arm = 0.3
    quarter = np.array([(arm, -1), (arm, -arm), (1, -arm)])
    turns = [quarter]
    for _ in range(3):
        turns.append(turns[-1] @ np.array([(0, 1), (-1, 0)]))
    return np.concatenate(turns)


def _diamond():
    return np.array([(0, -1), (0.6, 0), (0, 1), (-0.6, 0)])


def _square():
    return np.array([(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)])


def _arrow():
    upper = np.array([(-1, -0.3), (0.1, -0.3), (0.1, -0.8)])
    return np.concatenate([upper, [(1, 0)], upper[::-1] * (1, -1)])


_LOOPS = {
    "circle": lambda: [_circle(1.0)],
    "square": lambda: [_square()],
    "triangle": lambda: [_regular(3) + (0.0, 0.2)],
    "star": lambda: [_star()],
    "cross": lambda: [_plus()],
    "ring": lambda: [_circle(1.0), _circle(0.55)],
    "crescent": lambda: [_crescent()],
    "heart": lambda: [_heart()],
    "arrow": lambda: [_arrow()],
    "hexagon": lambda: [_regular(6)],
    "diamond": lambda: [_diamond()],
    "drop": lambda: [_drop()],
}
