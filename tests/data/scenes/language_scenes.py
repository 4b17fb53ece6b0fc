"""Scenes built by hand, for what is said and asked of them: nothing is drawn."""

import numpy as np

from kcv.data.scenes import relations
from kcv.data.scenes import scene as scenes

SIDE = 100
_SPRITES = range(10)  # the first rows of scikit-learn's digits are 0, 1, 2, ... 9


def thing(
    name="star", colour="red", texture="plain", material="matt", side=0.4, **more
):
    """A thing of `side` (share of the image), at `x`, `y` (pixels), `depth`."""
    half = side * SIDE / 2
    x, y = more.pop("x", 50.0), more.pop("y", 50.0)
    return scenes.Thing(
        category=scenes.CLASSES.index(name),
        colour=scenes.COLOUR_NAMES.index(colour),
        texture=scenes.TEXTURES.index(texture),
        material=scenes.MATERIALS.index(material),
        albedo=np.array(scenes.COLOURS[colour]),
        matrix=np.array([[half, 0.0, x], [0.0, half, y]]),
        depth=more.pop("depth", 5.0),
        sprite=_SPRITES[int(name[-1])] if name.startswith("digit") else -1,
        **more,
    )


def scene(*things):
    """A scene of 100 x 100 pixels."""
    return scenes.Scene(
        height=SIDE,
        width=SIDE,
        background=scenes.Background("gradient", 0, np.eye(2, 3), np.ones((2, 3)) / 2),
        things=things,
        light=np.array([0.0, 0.0, 1.0]),
        ambient=0.5,
        camera=scenes.Camera(),
        key=(0, 0, 0),
    )


def random_thing(rng, sides, x, y):
    """A thing drawn by lot, no person."""

    def pick(values):
        return values[int(rng.integers(len(values)))]

    return thing(
        pick(scenes.CLASSES[:-1]),
        pick(scenes.COLOUR_NAMES),
        pick(scenes.TEXTURES),
        pick(scenes.MATERIALS),
        pick(sides),
        x=x,
        y=y,
        depth=float(rng.uniform(2, 9)),
    )


def random_scene(rng, most=10):
    """A scene by lot, and visibilities: some things are hidden or slivers."""
    count = int(rng.integers(most + 1))
    places = rng.uniform(5, 95, (count, 2)).tolist()
    sides = tuple(rng.uniform(0.1, 0.5, 30))
    things = [random_thing(rng, sides, x, y) for x, y in places]
    shares = rng.choice([0.0, 0.1, 0.4, 1.0], count, p=[0.05, 0.05, 0.1, 0.8])
    return scene(*things), shares


def clear_graph(rng, least=0):
    """A scene graph without anything unsure: no two in a row or a column."""
    columns = rng.permutation(8)[: int(rng.integers(least, 9))]
    places = [(10.0 + 11 * c, 10.0 + 11 * (3 * c % 8)) for c in columns.tolist()]
    things = [random_thing(rng, (0.08, 0.4), x, y) for x, y in places]
    graph = relations.scene_graph(scene(*things))
    for matrix in graph.relations.values():
        matrix[matrix == relations.UNSURE] = relations.NO
    return graph
