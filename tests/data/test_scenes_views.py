import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kcv.data.scenes import (
    CLASSES,
    Config,
    attributes,
    pairs,
    relations,
    sample,
    view_records,
    views,
    weak,
)
from kcv.data.scenes.clip import draw_action

INDICES = range(6)


def records(view, split="train", indices=INDICES, **changes):
    config = views.config_of(view, 64)._replace(**changes)
    return [views.record(view, config, split, 3, index) for index in indices]


def assert_equal(first, second):
    assert set(first) == set(second)
    for key in first:
        np.testing.assert_array_equal(first[key], second[key], key)


@pytest.mark.parametrize("view", views.VIEWS)
def test_records_have_the_keys_that_are_told(view):
    config = views.config_of(view, 64)
    told = views.keys(view, config)
    for record in records(view, "validation", range(3)):
        assert set(record) == set(told)
        for key, (shape, dtype) in told.items():
            value = np.asarray(record[key])
            assert len(value.shape) == len(shape), key
            assert all(a in (None, b) for a, b in zip(shape, value.shape)), key
            if dtype == "str":
                assert all(isinstance(text, str) for text in value.ravel().tolist())
            else:
                assert value.dtype == dtype, key


@pytest.mark.parametrize("view", views.VIEWS)
def test_a_record_depends_on_its_number_alone(view):
    there, back = records(view), records(view, indices=reversed(INDICES))
    for first, second in zip(there, reversed(back)):
        assert_equal(first, second)


@pytest.mark.parametrize("view", ["detection", "video", "pairs_real", "questions"])
def test_splits_have_nothing_in_common(view):
    key = "frames" if view == "video" else "images"
    seen = [{r[key].tobytes() for r in records(view, s)} for s in views.COUNTS]
    assert not seen[0] & seen[1] and not seen[0] & seen[2] and not seen[1] & seen[2]
    assert all(len(images) == len(INDICES) for images in seen)


def test_a_thing_to_classify_is_alone_and_its_class_the_label():
    config = views.config_of("classification", 64, "hard")
    for index in INDICES:
        (thing,) = sample(config, "train", 3, index).things
        record = views.record("classification", config, "train", 3, index)
        name = views.VIEWS["classification"].class_names[record["labels"]]
        assert name == thing.name


def test_two_things_cannot_be_classified():
    with pytest.raises(ValueError, match="has one thing, not 2: set min_objects"):
        records("classification", min_objects=2, max_objects=2)


@settings(max_examples=15, deadline=None)
@given(st.sampled_from(["easy", "default", "hard"]), st.integers(0, 10**6))
def test_boxes_are_those_of_the_masks_and_nothing_hidden_is_told(difficulty, index):
    config = views.config_of("detection", 64, difficulty)
    record = views.record("detection", config, "train", 0, index)
    assert record["masks"].any(axis=(1, 2)).all()
    assert np.abs(weak.boxes(record["masks"]) - record["boxes"]).max(initial=0) <= 1
    assert len(record["classes"]) == len(record["crowd"]) == len(record["boxes"])
    assert record["masks"].sum(axis=0).max(initial=0) <= 1


def test_digits_are_those_of_detection_counted_from_zero():
    config = views.config_of("digits", 64)
    whole = views.record("detection", config, "train", 0, 3)
    found = views.record("digits", config, "train", 0, 3)
    names = [CLASSES[kind] for kind in whole["classes"]]
    assert names == [f"digit_{kind}" for kind in found["classes"]]
    np.testing.assert_array_equal(found["boxes"], whole["boxes"])
    assert len(names) > 1 and views.VIEWS["digits"].class_names[7] == "7"


def test_what_is_hardly_visible_is_too_difficult():
    found = records("detection", indices=range(60), occlusion=0.9, min_objects=10)
    crowd = np.concatenate([record["crowd"] for record in found])
    area = np.concatenate([record["masks"].sum(axis=(1, 2)) for record in found])
    assert 0 < crowd.mean() < 0.5
    assert np.median(area[crowd == 1]) < np.median(area[crowd == 0]) / 4


def test_of_what_is_hidden_nothing_is_told(monkeypatch):
    def covered(*arguments):
        scene = sample(*arguments)
        matrix = np.array([[500.0, 0, 32], [0, 500.0, 32]])
        cover = scene.things[-1]._replace(
            category=CLASSES.index("square"), matrix=matrix, depth=1.0, joints=None
        )
        return scene._replace(things=(*scene.things, cover._replace(sprite=-1)))

    monkeypatch.setattr(view_records, "sample", covered)
    (detected,), (posed,) = records("detection", indices=[0]), records("pose")[:1]
    assert [CLASSES[i] for i in detected["classes"]] == ["square"]
    np.testing.assert_array_equal(detected["boxes"], [[0, 0, 64, 64]])
    assert detected["masks"].shape == (1, 64, 64) and detected["masks"].all()
    assert posed["keypoints"].shape == (0, 14, 3) and posed["boxes"].shape == (0, 4)


def test_an_empty_scene_has_no_objects():
    for view in ("detection", "pose", "relations"):
        nothing = {"min_objects": 0, "max_objects": 0, "people": (0, 0)}
        (record,) = records(view, indices=[0], **nothing)
        assert record["boxes"].shape == (0, 4) and record["crowd"].shape == (0,)


def test_joints_lie_in_the_boxes_of_their_people():
    shown = 0
    for record in records("pose", indices=range(12)):
        assert not record["classes"].any()
        for box, joints in zip(record["boxes"], record["keypoints"], strict=True):
            x, y = joints[joints[:, 2] == 2, :2].T
            shown += len(x)
            assert (box[0] - 2 <= x).all() and (x <= box[2] + 2).all()
            assert (box[1] - 2 <= y).all() and (y <= box[3] + 2).all()
    assert shown > 100


@pytest.mark.parametrize("view", ["scribbles", "points"])
def test_weak_labels_are_right_and_few(view):
    for split in ("train", "test"):
        config = views.config_of(view, 64)
        whole = [views.record("segmentation", config, split, 3, i) for i in INDICES]
        for some, full in zip(records(view, split), whole):
            told = some["semantic"] != weak.IGNORE
            assert np.array_equal(some["semantic"][told], full["semantic"][told])
            assert told.all() if split == "test" else 0 < told.mean() < 0.3


def test_flow_and_its_opposite_lead_back():
    for record in records("flow"):
        y, x = np.indices((64, 64))
        there = np.stack([x, y], axis=-1) + 0.5 + record["flow"]
        inside = ((there >= 0) & (there < 64)).all(axis=-1)
        column, row = np.clip(there, 0, 63).astype(int).transpose(2, 0, 1)
        back = record["flow_backward"][row, column]
        seen = inside & (record["occlusion"][..., 0] == 0)
        away = np.linalg.norm(record["flow"] + back, axis=-1)[seen]
        assert seen.mean() > 0.5 and np.mean(away < 0.5) > 0.97


def test_the_label_of_a_clip_is_its_action():
    for index, record in zip(INDICES, records("video")):
        assert record["labels"] == draw_action("train", 3, index)
        assert np.abs(np.diff(record["frames"].astype(int), axis=0)).max() > 20


def test_neighbours_ask_the_same_and_answer_differently():
    found = records("questions", indices=range(20))
    names = views.VIEWS["questions"].class_names
    for first, second in zip(found[::2], found[1::2]):
        assert first["questions"] == second["questions"]
        assert first["answers"] != second["answers"]
        assert not np.array_equal(first["images"], second["images"])
        for one in (first, second):
            assert names[one["answer_class"]] == one["answers"]
            assert set(one["choices"]) == {""} or one["answers"] in one["choices"]


def test_of_empty_scenes_nothing_can_be_asked(monkeypatch):
    monkeypatch.setattr(view_records, "_TRIES", 3)
    with pytest.raises(ValueError, match="no question .* set max_objects higher"):
        records("questions", min_objects=0, max_objects=0, people=(0, 0))


def test_relations_are_padded_with_unsure():
    left, right = (relations.RELATIONS.index(n) for n in ("left_of", "right_of"))
    certain = 0
    for record in records("relations"):
        count, table = len(record["boxes"]), record["relations"]
        assert (table[count:] == relations.UNSURE).all()
        assert (table[:, count:] == relations.UNSURE).all()
        assert np.array_equal(table[..., left], table[..., right].T)
        center = record["boxes"][:, [0, 2]].mean(axis=1)
        for i, j in np.argwhere(table[:count, :count, left] == relations.YES):
            certain += 1
            assert record["crowd"][[i, j]].any() or center[i] < center[j] + 12
    assert certain > 10


def test_unseen_classes_are_in_the_test_split_alone():
    unseen = set(views.ZERO_SHOT.unseen)
    vectors = attributes.class_vectors(views.ZERO_SHOT)
    own = list(attributes.columns(views.ZERO_SHOT))
    share = {}
    for split in views.COUNTS:
        found = records("attributes", split, range(40))
        share[split] = np.mean([int(record["labels"]) in unseen for record in found])
        for record in found:
            wanted = vectors[record["labels"]]
            np.testing.assert_array_equal(record["attributes"][own], wanted)
    assert share["train"] == share["validation"] == 0 and 0.2 < share["test"] < 0.8


def test_pairs_are_of_one_split():
    written = [pairs.real("test", i) for i in range(pairs.num_real("test"))]
    known = {one["images"].tobytes() for one in written}
    for record in records("pairs", "test"):
        assert record["next_images"].tobytes() in known
        assert record["images"].tobytes() not in known


def test_settings_are_named_after_view_difficulty_and_size():
    view, config = views.SETTINGS["pose_hard_256"]
    assert view == "pose" and config == views.config_of("pose", 256, "hard")
    assert views.SETTINGS["pose"] == ("pose", views.config_of("pose", 128))
    assert config.people == (1, 3) and config.noise > Config().noise
    assert config.max_objects == 4


def test_unknown_names_are_told():
    with pytest.raises(ValueError, match="unknown view of scenes 'poses': one of"):
        views.record("poses", Config(), "train", 0, 0)
    with pytest.raises(ValueError, match="difficulty 'heavy' is not one of easy"):
        views.config_of("pose", 64, "heavy")
