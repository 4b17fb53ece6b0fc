"""The scene graph: which thing is left of, above, in front of, larger than which.

Every relation has a margin. Between "yes" and "no" lies "unsure", where two people who
look at the picture might differ; captions and questions keep away from it.
"""

from typing import NamedTuple

import numpy as np

from kcv.data.scenes import attributes, surfaces, words
from kcv.data.scenes import scene as scenes

YES, NO, UNSURE = 1, 0, -1
PLACE_MARGIN = 0.05  # between centres, of the shorter side of the image
DEPTH_MARGIN = 0.2  # units of depth
SIZE_MARGIN = 1.25  # ratio
COVER_MARGIN = 0.04  # of the area of the covered thing

RELATIONS = (
    *("left_of", "right_of", "above", "below", "in_front_of", "behind"),
    *("covers", "covered_by", "larger_than", "smaller_than"),
    *("same_shape", "same_colour", "same_texture", "same_material"),
)
OPPOSITES = {"left_of": "right_of", "above": "below", "in_front_of": "behind"}
OPPOSITES |= {"covers": "covered_by", "larger_than": "smaller_than"}
OPPOSITES |= {other: name for name, other in OPPOSITES.items()}


class Node(NamedTuple):
    """A thing of which something is to be seen.

    Parameters:
        thing: Its index in `scene.things`.
        seen: Whether enough of it is visible; of a sliver nothing is said or asked.
        values: {attribute: value}, those of `attributes.ATTRIBUTES` and "kind"; None
            where nobody could be sure.
    """

    thing: int
    seen: bool
    values: dict


class SceneGraph(NamedTuple):
    """What is in a scene and how it lies.

    Parameters:
        nodes: `Node`s in the order of `scene.things`, without what is fully hidden.
        relations: {name of `RELATIONS`: int8 (n, n)}; [i, j] tells whether node i is
            left of (...) node j: `YES`, `NO` or `UNSURE`. Nothing relates to itself.
        background: Kind of the background.
    """

    nodes: tuple[Node, ...]
    relations: dict
    background: str


def scene_graph(scene, visibility=None) -> SceneGraph:
    """Finds the scene graph.

    "In front of" means nearer to the camera, which a picture shows only where things
    overlap; "covers" means nearer and hiding a part that can be seen to be hidden.

    Args:
        scene: `Scene`.
        visibility: float (n,), visible share of each of `scene.things`, as `render`
            gives it; all of it by default.

    Returns:
        `SceneGraph`.
    """
    shares = np.ones(len(scene.things)) if visibility is None else visibility
    shown = [i for i, share in enumerate(shares) if share > 0]
    things = [scene.things[i] for i in shown]
    nodes = []
    for i, thing in zip(shown, things):
        values = attributes.of_thing(thing, scene.height, scene.width)
        values["kind"] = words.kind_of(values["shape"])
        nodes.append(Node(i, bool(shares[i] >= attributes.VISIBLE), values))
    relations = _places(scene, things) | _same(nodes)
    relations["covers"] = _covers(scene, things)
    for name in ("left_of", "above", "in_front_of", "covers", "larger_than"):
        relations[OPPOSITES[name]] = relations[name].T
    return SceneGraph(tuple(nodes), relations, scene.background.kind)


def _places(scene, things):
    """Relations that follow from the order of numbers."""
    # Only what lies in the image is seen: the centre is moved into it.
    limits = (scene.width, scene.height)
    centres = np.array([thing.center for thing in things]).reshape(-1, 2)
    x, y = np.clip(centres, 0, limits).T
    depth = np.array([thing.depth for thing in things], "float64")
    size = np.log([thing.size for thing in things])
    margin = PLACE_MARGIN * min(limits)
    return {
        "left_of": _less(x, margin),
        "above": _less(y, margin),
        "in_front_of": _less(depth, DEPTH_MARGIN),
        "larger_than": _less(-size, np.log(SIZE_MARGIN)),
    }


def _less(values, margin):
    """Returns int8 (n, n): whether values[i] is less than values[j] by the margin."""
    more = values[None, :] - values[:, None]
    less = np.where(more > margin, YES, np.where(more < -margin, NO, UNSURE))
    np.fill_diagonal(less, NO)
    return less.astype("int8")


def _same(nodes):
    """Equality of attributes, which is never unsure (sizes are compared as numbers)."""
    relations = {}
    for name in ("shape", "colour", "texture", "material"):
        codes = [attributes.ATTRIBUTES[name].index(node.values[name]) for node in nodes]
        codes = np.array(codes, "int8")
        same = (codes[:, None] == codes[None, :]).astype("int8")
        np.fill_diagonal(same, NO)
        relations[f"same_{name}"] = same
    return relations


def _covers(scene, things):
    """Returns int8 (n, n): whether i is seen to hide part of j.

    Points inside j tell. Where a third thing lies over both, nobody sees that i does.
    """
    covers = np.full((len(things), len(things)), NO, "int8")
    near = _near(things)
    for j, below in enumerate(things):
        nearer = [  # of two at the same depth the later one is drawn over the other
            i
            for i, thing in enumerate(things)
            if near[i][j] and (thing.depth, -i) < (below.depth, -j)
        ]
        if not nearer:
            continue
        points = scenes.to_image(below, _inside(below))
        shown = np.all((points >= 0) & (points < (scene.width, scene.height)), axis=1)
        nearer.sort(key=lambda i: (things[i].depth, -i))
        hidden = np.array([_contains(things[i], points) & shown for i in nearer])
        first = hidden & (np.cumsum(hidden, axis=0) == 1)
        for i, seen, there in zip(nearer, first.mean(axis=1), hidden.any(axis=1)):
            covers[i, j] = YES if seen > COVER_MARGIN else UNSURE if there else NO
    return covers


def _near(things):
    """Returns n lists of n: whether two frames can meet; a bent one reaches farther."""
    matrices = np.array([thing.matrix for thing in things]).reshape(-1, 2, 3)
    bends = np.array([1 + abs(thing.bend) for thing in things])
    reach = np.sqrt((matrices[..., :2] ** 2).sum(axis=(1, 2))) * bends
    apart = matrices[:, None, :, 2] - matrices[None, :, :, 2]
    return ((apart**2).sum(axis=-1) < (reach[:, None] + reach[None, :]) ** 2).tolist()


def _inside(thing):
    """Returns float64 (m, 2), points in the frame that lie inside the thing."""
    return _GRID[_holds(thing, _GRID)]


def _contains(thing, points):
    """Says which image points (m, 2) lie inside a thing."""
    points = scenes.to_frame(thing, points)
    inside = np.abs(points).max(axis=1, initial=0) <= 1
    if inside.any():
        inside[inside] = _holds(thing, points[inside])
    return inside


def _holds(thing, points):
    """Says which points (m, 2) of its frame lie inside a thing."""
    frame = points.astype("float32").T
    inside = np.zeros(len(points), bool)
    for layer in surfaces.layers(thing):
        inside |= surfaces.distance(thing, layer, frame) > 0
    return inside


_SIDE = (np.arange(20) + 0.5) / 10 - 1
_GRID = np.stack(np.meshgrid(_SIDE, _SIDE), axis=-1).reshape(-1, 2)
