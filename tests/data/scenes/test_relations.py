import itertools

import language_scenes as hand
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kcv.data.scenes import relations, render

YES, NO, UNSURE = relations.YES, relations.NO, relations.UNSURE
ORDERS = ("left_of", "right_of", "above", "below", "in_front_of", "behind")
ORDERS += ("larger_than", "smaller_than")
SAME = tuple(name for name in relations.RELATIONS if name.startswith("same"))


def graph_of(*things, visibility=None):
    return relations.scene_graph(hand.scene(*things), visibility)


def test_places_by_pencil():
    """A ring at (20, 30), a star at (60, 80): margins are 5 pixels."""
    graph = graph_of(hand.thing("ring", x=20, y=30), hand.thing("star", x=60, y=80))
    names = {name for name, matrix in graph.relations.items() if matrix[0, 1] == YES}
    same = {"same_colour", "same_texture", "same_material"}
    assert names == {"left_of", "above", *same}
    assert graph.relations["right_of"][1, 0] == graph.relations["below"][1, 0] == YES


@pytest.mark.parametrize(
    ("name", "change", "state"),
    [
        ("left_of", {"x": 54.0}, UNSURE),
        ("left_of", {"x": 56.0}, YES),
        ("left_of", {"x": 44.0}, NO),
        ("above", {"y": 46.0}, UNSURE),
        ("in_front_of", {"depth": 5.1}, UNSURE),
        ("in_front_of", {"depth": 5.3}, YES),
        ("behind", {"depth": 4.7}, YES),
        ("larger_than", {"side": 0.35}, UNSURE),
        ("larger_than", {"side": 0.3}, YES),
        ("smaller_than", {"side": 0.6}, YES),
        ("same_colour", {"colour": "blue"}, NO),
        ("same_shape", {}, YES),
    ],
)
def test_margins(name, change, state):
    graph = graph_of(hand.thing(), hand.thing(**change))
    assert graph.relations[name][0, 1] == state


def test_what_sticks_out_counts_where_it_can_be_seen():
    """Of two things beyond the left border neither is seen to be left of the other."""
    graph = graph_of(hand.thing(x=-30), hand.thing(x=-2), hand.thing(x=6))
    assert graph.relations["left_of"].tolist() == [[0, -1, 1], [-1, 0, 1], [0, 0, 0]]


def test_slivers_are_nodes_that_are_not_seen():
    things = [hand.thing(name) for name in ("star", "ring", "heart")]
    graph = graph_of(*things, visibility=[0.1, 0.0, 0.9])
    assert [(node.thing, node.seen) for node in graph.nodes] == [(0, False), (2, True)]
    assert graph.relations["above"].shape == (2, 2)


def test_empty_scene():
    graph = graph_of()
    assert graph.nodes == ()
    assert set(graph.relations) == set(relations.RELATIONS)
    assert {matrix.shape for matrix in graph.relations.values()} == {(0, 0)}


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_orders_are_orders(seed):
    graph = relations.scene_graph(*hand.random_scene(np.random.default_rng(seed)))
    for name in ORDERS:
        yes = graph.relations[name] == YES
        assert not (yes & yes.T).any(), f"{name} is antisymmetric"
        assert not yes.diagonal().any()
        steps = (yes.astype(int) @ yes) > 0
        assert (yes | ~steps).all(), f"{name} is transitive"
        opposite = graph.relations[relations.OPPOSITES[name]]
        assert (graph.relations[name] == opposite.T).all()
    for name in SAME:
        same = graph.relations[name] + np.eye(len(graph.nodes), dtype="int8")
        assert (same == same.T).all()
        assert ((same @ same > 0) == (same > 0)).all(), f"{name} is an equivalence"
    covers, front = graph.relations["covers"], graph.relations["in_front_of"]
    assert (front[covers == YES] != NO).all()


def test_a_ring_does_not_cover_what_is_in_its_hole():
    """Pencil: boxes overlap, things do not."""
    ring = hand.thing("ring", side=0.8, depth=3)
    graph = graph_of(hand.thing("star", side=0.2), ring)
    assert graph.relations["covers"].tolist() == [[NO, NO], [NO, NO]]
    graph = graph_of(hand.thing("star", side=0.2, x=80), ring)
    assert graph.relations["covers"].tolist() == [[NO, NO], [YES, NO]]


def test_covered_twice_is_covered_by_the_nearest():
    """The square hides the disc where it hides the star: nobody sees the disc do so."""
    star = hand.thing("star", side=0.1)
    disc = hand.thing("circle", side=0.3, depth=4)
    square = hand.thing("square", side=0.5, depth=3)
    covers = graph_of(star, disc, square).relations["covers"]
    assert covers.tolist() == [[NO, NO, NO], [UNSURE, NO, NO], [YES, YES, NO]]


def test_covering_agrees_with_the_pictures():
    """Oracle: without what covers it, more of a thing can be seen."""
    rng = np.random.default_rng(5)
    states = []
    for _ in range(12):
        scene, _ = hand.random_scene(rng, most=7)
        covers = relations.scene_graph(scene).relations["covers"]
        area = [area_of(scene, j, range(len(scene.things))) for j in range(len(covers))]
        for i, j in itertools.permutations(range(len(covers)), 2):
            rest = [k for k in range(len(covers)) if k != i]
            whole = max(area_of(scene, j, [j]), 1)
            gain = (area_of(scene, j, rest) - area[j]) / whole
            if covers[i, j] == YES:
                assert gain > 0.01
            elif covers[i, j] == NO:
                assert gain < 0.02
            states.append(covers[i, j])
    assert min(states.count(state) for state in (YES, NO, UNSURE)) > 3


def area_of(scene, j, kept):
    kept = sorted(kept)
    picture = scene._replace(things=tuple(scene.things[k] for k in kept))
    instance = render(picture, {"instance"})["instance"]
    return int((instance == kept.index(j)).sum())
