import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kcv.data import scenes
from kcv.data.scenes import backgrounds, poses, scene, sprites

SMALL = scenes.Config(height=32, width=48)


def same(a, b):
    """Whether two trees of tuples and arrays are equal."""
    if isinstance(a, tuple):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b))
    return np.array_equal(a, b) if isinstance(a, np.ndarray) else a == b


def test_same_arguments_give_the_same_scene_and_picture_in_any_order():
    forth = [scenes.sample(SMALL, "train", 3, i) for i in range(6)]
    back = [scenes.sample(SMALL, "train", 3, i) for i in reversed(range(6))]
    for one, other in zip(forth, reversed(back)):
        assert same(one, other)
        assert np.array_equal(
            scenes.render(one)["images"], scenes.render(other)["images"]
        )


def test_seed_split_and_index_each_change_the_scene():
    base = scenes.sample(SMALL, "train", 0, 1)
    for other in (("train", 1, 0), ("train", 1, 1), ("test", 0, 1), ("train", 0, 2)):
        assert not same(base.light, scenes.sample(SMALL, *other).light)


def test_splits_share_no_digit_and_every_digit_is_in_one():
    rows = [set(sum(sprites.of_split(split), ())) for split in scene.SPLITS]
    assert sum(len(each) for each in rows) == len(set().union(*rows)) == 1797
    for split in scene.SPLITS:
        assert all(len(each) >= 5 for each in sprites.of_split(split))


@pytest.mark.parametrize("kind", ["photograph", "texture"])
def test_splits_share_no_picture(kind):
    indices = [backgrounds.of_split(kind, split) for split in scene.SPLITS]
    assert len(set(sum(indices, ()))) == sum(map(len, indices))
    assert all(indices)


def test_scenes_use_digits_and_pictures_of_their_split_alone():
    config = SMALL._replace(categories=("digit_3", "digit_8", "ring"))
    for split in scene.SPLITS:
        for i in range(60):
            drawn = scenes.sample(config, split, 0, i)
            behind = drawn.background
            assert behind.index in backgrounds.of_split(behind.kind, split)
            for thing in drawn.things:
                if thing.sprite >= 0:
                    digit = scene.DIGITS.index(thing.name)
                    assert thing.sprite in sprites.of_split(split)[digit]


def test_config_is_kept():
    config = SMALL._replace(
        min_objects=2,
        max_objects=5,
        people=(1, 2),
        sizes=(0.3, 0.5),
        people_sizes=(0.6, 0.8),
        categories=("star", "digit_1"),
        colours=("red", "blue"),
        textures=("dotted",),
        materials=("shiny",),
        backgrounds=("gradient",),
        rotation=0.0,
        shadows=False,
    )
    counts, people = set(), set()
    for i in range(80):
        drawn = scenes.sample(config, "validation", 5, i)
        names = [thing.name for thing in drawn.things]
        people.add(names.count("person"))
        counts.add(len(names) - names.count("person"))
        assert set(names) <= {"star", "digit_1", "person"}
        assert drawn.shadow == 0 and drawn.background.kind == "gradient"
        assert [t.depth for t in drawn.things] == sorted(
            (t.depth for t in drawn.things), reverse=True
        )
        for thing in drawn.things:
            low, high = (0.6, 0.8) if thing.name == "person" else (0.3, 0.5)
            assert low * 16 - 1e-6 <= thing.size <= high * 16 + 1e-6
            assert thing.matrix[0, 1] == thing.matrix[1, 0] == 0
            assert scene.COLOUR_NAMES[thing.colour] in ("red", "blue")
            assert scene.TEXTURES[thing.texture] == "dotted"
    assert counts == {2, 3, 4, 5} and people == {1, 2}


def test_every_class_colour_texture_and_background_comes_up():
    config = SMALL._replace(people=(0, 1))
    drawn = [scenes.sample(config, "train", 0, i) for i in range(200)]
    things = [thing for each in drawn for thing in each.things]
    for field, names in (
        ("category", scene.CLASSES),
        ("colour", scene.COLOUR_NAMES),
        ("texture", scene.TEXTURES),
        ("material", scene.MATERIALS),
    ):
        assert {getattr(t, field) for t in things} == set(range(len(names)))
    assert {each.background.kind for each in drawn} == set(scene.BACKGROUNDS)


def test_depths_leave_room_for_the_relief():
    crowded = scenes.Config(32, 32, min_objects=12, sizes=(0.6, 0.9))
    for i in range(30):
        drawn = scenes.sample(crowded, "train", 1, i)
        for far, near in zip(drawn.things, drawn.things[1:]):
            top = far.depth - far.relief * far.size / drawn.unit
            assert top > near.depth


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_poses_are_those_of_a_body(seed):
    joints, behind = poses.random_pose(np.random.default_rng(seed).random)
    at = dict(zip(scene.JOINTS, joints))
    assert np.abs(joints).max() <= 1 and set(behind) <= set(scene.LIMBS)
    head = np.linalg.norm(at["head_top"] - at["neck"])
    for side in ("right", "left"):
        for start, end, low, high in (
            *(("hip", "knee", 1.2, 1.6), ("knee", "ankle", 1.2, 1.5)),
            *(("shoulder", "elbow", 0.8, 1.1), ("elbow", "wrist", 0.7, 1.0)),
        ):
            bone = at[f"{side}_{end}"] - at[f"{side}_{start}"]
            assert low < np.linalg.norm(bone) / head < high
    if at["left_hip"][0] - at["right_hip"][0] > 0.3 * head:  # seen from the front
        assert at["left_shoulder"][0] > at["right_shoulder"][0]
    assert at["head_top"][1] < at["neck"][1] < at["right_hip"][1]


@pytest.mark.parametrize("name", list(scenes.DIFFICULTIES))
def test_difficulties_can_be_drawn(name):
    config = scenes.DIFFICULTIES[name]._replace(height=24, width=40)
    for i in range(5):
        image = scenes.render(scenes.sample(config, "test", 0, i))["images"]
        assert image.shape == (24, 40, 3) and image.dtype == np.uint8


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"height": 4}, "height=4 must be within 8..4096"),
        ({"min_objects": 3, "max_objects": 2}, "min_objects=3 exceeds max_objects=2"),
        ({"sizes": (0.5, 0.2)}, "sizes=.* must be within"),
        ({"people": (-1, 2)}, "people=.* must be within 0..32"),
        ({"categories": ("cube",)}, "categories has 'cube'; known are circle"),
        ({"textures": "plain"}, "textures='plain' must be a tuple of names"),
        ({"backgrounds": ()}, r"backgrounds=\(\) must be a tuple"),
        ({"slant": (0, 80)}, "slant=.* must be within 0..75"),
    ],
)
def test_a_config_that_cannot_be_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        scenes.sample(SMALL._replace(**changes), "train", 0, 0)


def test_an_unknown_split_is_refused():
    with pytest.raises(ValueError, match="'val' is not one of train, validation, test"):
        scenes.sample(SMALL, "val", 0, 0)
