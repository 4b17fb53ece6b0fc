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


def look_up(field, u, v):
    """Returns the signed distance.

    Args:
        field: `Field`.
        u: float32, of any shape; beyond the field counts as its border.
        v: Likewise.
    """
    (corner, right, lower, both), x, y, _ = _cells(field, u, v)
    return corner + right * x + (lower + both * x) * y


def look_up_slope(field, u, v):
    """Returns the signed distance and its derivatives by u and v; see `look_up`."""
    (corner, right, lower, both), x, y, per_unit = _cells(field, u, v)
    by_u, by_v = right + both * y, lower + both * x
    return corner + right * x + by_v * y, by_u * per_unit, by_v * per_unit


def _cells(field, u, v):
    """The bilinear form of the cell that each point lies in.

    Returns:
        Its value at the upper left corner and the factors of x, y and x * y; x and y,
        0..1 within the cell; cells a unit.
    """
    values, nodes = field.distance, field.nodes
    per_unit = np.float32((nodes - 1) / (2 * REACH))
    middle, last = np.float32((nodes - 1) / 2), np.float32(nodes - 1.001)
    x, y = u * per_unit, v * per_unit
    for position in (x, y):
        position += middle
        position.clip(0, last, out=position)
    column, node = np.floor(x), np.floor(y)
    x -= column
    y -= node
    node *= nodes  # a float of 24 bits counts far enough
    node += column
    node = node.astype(np.intp)
    corner, right = values.take(node), values[1:].take(node)
    lower, both = values[nodes:].take(node), values[nodes + 1 :].take(node)
    right -= corner
    both -= lower
    both -= right
    lower -= corner
    return (corner, right, lower, both), x, y, per_unit


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
