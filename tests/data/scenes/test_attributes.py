import language_scenes as hand
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcv.data.scenes import attributes
from kcv.data.scenes import scene as scenes

PAIRS = tuple(attributes.PAIRS)


def test_vector_names_every_attribute_once():
    """Pencil: a small striped shiny blue ring has five ones, where VALUES says so."""
    ring = hand.thing("ring", "blue", "striped", "shiny", side=0.1)
    (vector,) = attributes.thing_vectors(hand.scene(ring))
    named = {attributes.VALUES[i] for i in np.flatnonzero(vector)}
    assert named == {
        *(("shape", "ring"), ("colour", "blue"), ("texture", "striped")),
        *(("material", "shiny"), ("size", "small")),
    }
    assert vector.shape == (23 + 10 + 4 + 2 + 2,)


@pytest.mark.parametrize(
    ("side", "name"),
    [(0.24, "small"), (0.26, None), (0.31, None), (0.33, "large")],
)
def test_size_has_a_margin(side, name):
    assert attributes.size_name(hand.thing(side=side), hand.SIDE, hand.SIDE) == name


def test_size_goes_by_the_shorter_side_of_the_image():
    assert attributes.size_name(hand.thing(side=0.4), 400, hand.SIDE) == "large"
    assert attributes.size_name(hand.thing(side=0.4), 400, 400) == "small"


def test_scene_vector_is_the_union_of_what_is_visible():
    ring, star = hand.thing("ring", "blue", side=0.1), hand.thing("star", side=0.5)
    scene = hand.scene(ring, star)
    both = attributes.thing_vectors(scene)
    assert (attributes.scene_vector(scene) == both.max(axis=0)).all()
    assert (attributes.scene_vector(scene, [0.2, 0.9]) == both[1]).all()
    assert not attributes.scene_vector(hand.scene()).any()


@given(
    pair=st.sampled_from(PAIRS),
    shapes=st.lists(st.sampled_from(scenes.SHAPES), min_size=1, unique=True),
    share=st.floats(0, 0.75),
    seed=st.integers(0, 99),
)
def test_values_of_unseen_classes_are_seen(pair, shapes, share, seed):
    split = attributes.split_classes(pair, shapes, share, seed)
    assert sorted(split.seen + split.unseen) == list(range(len(split.classes)))
    assert len(split.unseen) <= round(share * len(split.classes))
    for position in range(2):
        seen = {split.classes[i][position] for i in split.seen}
        assert {split.classes[i][position] for i in split.unseen} <= seen


@pytest.mark.parametrize("pair", PAIRS)
def test_split_takes_the_share_asked_for(pair):
    split = attributes.split_classes(pair)
    assert len(split.unseen) == len(split.classes) // 4
    assert split == attributes.split_classes(pair)
    assert split != attributes.split_classes(pair, seed=1)


@pytest.mark.parametrize("pair", PAIRS)
def test_class_vectors_tell_all_classes_apart(pair):
    split = attributes.split_classes(pair)
    vectors = attributes.class_vectors(split)
    assert (vectors.sum(axis=1) == 2).all()
    assert len(np.unique(vectors, axis=0)) == len(split.classes)


@pytest.mark.parametrize("pair", PAIRS)
def test_a_thing_becomes_any_class(pair):
    split = attributes.split_classes(pair)
    digit = hand.thing("digit_7", "white", "dotted", "shiny")
    vectors = attributes.class_vectors(split)
    for index in range(len(split.classes)):
        changed = attributes.as_class(digit, split, index)
        assert attributes.class_of(changed, split) == index
        (vector,) = attributes.thing_vectors(hand.scene(changed))
        assert (vector[list(attributes.columns(split))] == vectors[index]).all()
        assert changed.sprite == -1
        assert (changed.matrix == digit.matrix).all()


def test_class_of_a_digit_is_none():
    split = attributes.split_classes("colour_shape")
    assert attributes.class_of(hand.thing("digit_7"), split) == -1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"pair": "size_shape"}, "pair='size_shape' is not one of"),
        ({"pair": PAIRS[0], "shapes": ("star", "cube")}, "'cube' is not a class"),
        ({"pair": PAIRS[0], "unseen_share": 0.8}, "unseen_share=0.8 is not within"),
    ],
)
def test_wrong_splits_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        attributes.split_classes(**arguments)
