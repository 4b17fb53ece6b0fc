import re

import language_scenes as hand
import numpy as np
import pytest
import reading

from kcv.data.scenes import captions, relations

PLACES = {
    "left_of": lambda a, b: b.center[0] - a.center[0],
    "right_of": lambda a, b: a.center[0] - b.center[0],
    "above": lambda a, b: b.center[1] - a.center[1],
    "below": lambda a, b: a.center[1] - b.center[1],
}


def has(thing, description):
    """The checker's own idea of a thing, straight from the scene."""
    side = 2 * thing.size / hand.SIDE
    own = {
        *(thing.name, hand.scenes.COLOUR_NAMES[thing.colour]),
        *(hand.scenes.TEXTURES[thing.texture], hand.scenes.MATERIALS[thing.material]),
        "small" if side < 0.25 else "large" if side > 0.32 else "?",
        "digit" if thing.sprite >= 0 else "shape",
    }
    return {value for _, value in description} <= own


def related(relation, a, b, covers):
    if relation in PLACES:
        return PLACES[relation](a, b) > 0.05 * hand.SIDE
    if relation == "larger_than":
        return a.size > 1.2 * b.size
    if relation == "smaller_than":
        return b.size > 1.2 * a.size
    if relation in ("covers", "covered_by"):
        return covers[relation]
    name = relation.removeprefix("same_")
    return getattr(a, name) == getattr(b, name)


def holds(fact, scene, shares, graph):
    """Checks a fact against the scene itself; the graph tells what covers what."""
    shown = [i for i, share in enumerate(shares) if share > 0]
    clear = [i for i in shown if shares[i] >= 0.3]
    if fact.kind == "background":
        return scene.background.kind == fact.relation
    if fact.kind == "count":  # be the slivers counted or not
        numbers = [
            sum(has(scene.things[i], fact.first) for i in some)
            for some in (shown, clear)
        ]
        return numbers == [fact.number] * 2
    if fact.kind == "exists":
        return any(has(scene.things[i], fact.first) for i in clear)
    for i in clear:
        for j in clear:
            a, b = scene.things[i], scene.things[j]
            matrix = graph.relations
            place = shown.index(i), shown.index(j)
            covers = {n: matrix[n][place] == 1 for n in ("covers", "covered_by")}
            both = i != j and has(a, fact.first) and has(b, fact.second)
            if both and related(fact.relation, a, b, covers):
                return True
    return False


def told():
    """(scene, shares, graph, caption) of 150 scenes."""
    rng = np.random.default_rng(0)
    for _ in range(150):
        scene, shares = hand.random_scene(rng)
        graph = relations.scene_graph(scene, shares)
        for caption in captions.captions(graph, rng):
            yield scene, shares, graph, caption


def test_every_fact_holds_and_is_in_the_words():
    """Truth by an independent checker; the text, parsed back, names the same values."""
    kinds = set()
    for scene, shares, graph, caption in told():
        assert all(holds(fact, scene, shares, graph) for fact in caption.facts), caption
        wanted = [v for fact in caption.facts for _, v in fact.first + fact.second]
        assert reading.values(caption.text) == wanted, caption
        wanted = [f.relation for f in caption.facts if f.kind == "relation"]
        assert reading.relations(caption.text) == sorted(wanted), caption
        numbers = [str(f.number) for f in caption.facts if f.first and f.number > 1]
        read = reading.numbers(caption.text)
        assert [n for n in numbers if n not in read] == []
        kinds |= {(fact.kind, fact.relation) for fact in caption.facts}
    relations_told = {relation for kind, relation in kinds if kind == "relation"}
    assert relations_told == set(captions.RELATIONS)
    assert {kind for kind, _ in kinds} == {"exists", "count", "relation", "background"}


def test_english_and_vocabulary():
    vocabulary = set(captions.vocabulary())
    for *_, caption in told():
        assert set(reading.tokens(caption.text)) <= vocabulary
        assert reading.faults(caption.text) == []
        assert re.fullmatch(r"([A-Z][^.]*\.)( [A-Z][^.]*\.)?", caption.text), caption


def test_a_scene_of_nothing():
    rng = np.random.default_rng(0)
    found = captions.captions(relations.scene_graph(hand.scene()), rng)
    assert len(found) == 5
    assert {fact.kind for caption in found for fact in caption.facts} == {
        "count",
        "background",
    }
    assert found[0].facts == (captions.Fact("count"),)
    assert "othing" in found[0].text or "no things" in found[0].text


def test_nothing_is_said_of_a_sliver():
    """Not even that there is nothing."""
    graph = relations.scene_graph(hand.scene(hand.thing()), [0.1])
    found = captions.captions(graph, np.random.default_rng(0))
    assert {fact.kind for caption in found for fact in caption.facts} == {"background"}


def test_a_scene_of_one_thing_by_pencil():
    graph = relations.scene_graph(hand.scene(hand.thing("digit_7", "orange")))
    for seed in range(20):
        rng = np.random.default_rng(seed)
        found = captions.captions(graph, rng, 4)
        assert found[0].text.lower().endswith("a digit 7.")
        assert len({caption.text for caption in found}) == 4
        assert not any(f.kind == "relation" for c in found for f in c.facts)


def test_many_things_of_one_class_are_listed_together():
    people = [hand.thing("heart", x=20.0 + 30 * i, side=0.1) for i in range(3)]
    graph = relations.scene_graph(hand.scene(*people, hand.thing("arrow", y=90)))
    found = {
        captions.captions(graph, np.random.default_rng(seed), 1)[0].text
        for seed in range(30)
    }
    assert "Three hearts and an arrow." in found
    assert "The picture shows an arrow and three hearts." in found


@pytest.mark.parametrize("count", [1, 3, 8])
def test_as_many_as_asked_for_and_the_same_again(count):
    graph = relations.scene_graph(*hand.random_scene(np.random.default_rng(3)))
    found = [captions.captions(graph, np.random.default_rng(1), count) for _ in "ab"]
    assert found[0] == found[1]
    assert len(found[0]) == count
