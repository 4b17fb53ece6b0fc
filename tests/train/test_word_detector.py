import keras
import numpy as np
import pytest

from kcv import zoo
from kcv.boxes.word_tree import WordTree
from kcv.losses.word_tree import yolo_9000_loss
from kcv.train import detector, word_detector

#         a   b      below a: c, d      below d: e
PARENTS = (-1, -1, 0, 0, 3)
ROW = zoo.ZOO["yolo_9000_025"]


def things(classes, scores=None):
    """Boxes side by side, of 8 x 8 pixels; one image."""
    count = len(classes)
    left = 10.0 * np.arange(count)
    boxes = np.stack([left, 0 * left, left + 8, 0 * left + 8], axis=-1)
    found = {"boxes": boxes[None], "classes": np.array([classes])}
    if scores is None:
        return found | {"crowd": np.zeros((1, count), "uint8")}
    return found | {"scores": np.array([scores])}


def test_decoding_is_that_of_the_row():
    decoding = detector.decoding_of(ROW, (64, 32, 3), [(16.0, 16.0)], PARENTS)
    assert (decoding.scores, decoding.offsets, decoding.stride) == (
        *("tree", "sigmoid"), 16,
    )  # fmt: skip
    assert decoding.parents == PARENTS and decoding.image_size == (64, 32)
    assert decoding.anchors.shape == (4 * 2, 4) and decoding.tree_threshold == 0
    own = detector.decoding_of(ROW, (64, 32, 3), None, PARENTS)
    assert own.anchors.shape == (4 * 2 * 3, 4)


def test_losses_are_those_of_the_paper_and_crowds_teach_nothing():
    decoding = detector.decoding_of(ROW, (32, 32, 3), [(8.0, 8.0)], PARENTS)
    rng = np.random.default_rng(0)
    outputs = {
        "scores": rng.normal(size=(2, 4, 5)).astype("float32"),
        "objectness": rng.normal(size=(2, 4)).astype("float32"),
        "offsets": rng.normal(size=(2, 4, 4)).astype("float32"),
    }
    boxes = np.float32([[[1, 1, 9, 9], [17, 17, 25, 25]], [[0] * 4, [0] * 4]])
    batch = {
        "images": 0,
        "boxes": boxes,
        "classes": np.int32([[4, 1], [-1, -1]]),
        "crowd": np.uint8([[0, 1], [0, 0]]),
        "labels": np.int32([-1, 2]),
    }
    losses = detector.detector_losses("yolo_9000", decoding)
    found, metrics = losses(lambda images, training: outputs, batch, True)
    known = np.int32([[4, -1], [-1, -1]])
    expected = yolo_9000_loss(
        *(boxes, known, batch["labels"], outputs, decoding.anchors, (32, 32)),
        *(WordTree(tuple("abcde"), PARENTS), 16),
    )
    assert not metrics and set(found) == set(expected)
    for name in expected:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-6)
    assert float(found["classes"][1]) > 0
    del batch["labels"]  # boxes alone: the second picture is empty
    found, _ = losses(lambda images, training: outputs, batch, True)
    assert float(found["classes"][1]) == 0 and float(found["background"][1]) > 0


def test_precisions_of_groups_by_pencil():
    """c is found, e is taken for c, b is missed: AP of c 1/2 or 1, of the others 0.

    The wrong c is less sure than the right one, so it costs nothing.
    """
    truths = things([2, 4, 1])
    found = things([2, 2, -1], [0.9, 0.8, 0.0])
    groups = {"with_boxes": [1, 2], "without_boxes": [4], "none": [3]}
    scores = word_detector.precisions(truths, found, 5, groups)
    assert scores["ap50"] == pytest.approx(1 / 3)
    assert scores["ap50_with_boxes"] == pytest.approx(1 / 2)
    assert (scores["ap50_without_boxes"], scores["ap50_none"]) == (0, -1)
    assert set(scores) == {
        *("ap", "ap50", "ap75"), *(f"ap50_{name}" for name in groups),
    }  # fmt: skip


def test_way_down_by_pencil():
    """e: itself; e: d; e: a; e: c, which is not above it; c: nothing. No crowds."""
    truths = things([4, 4, 4, 4, 2, 2])
    truths["crowd"][0, 5] = 1
    found = things([4, 3, 0, 2, -1, 2], [0.9, 0.8, 0.7, 0.6, 0, 0.5])
    assert word_detector.way_down(truths, found, PARENTS) == pytest.approx(
        {"tree_exact": 0.2, "tree_above": 0.4, "tree_wrong": 0.2, "tree_missed": 0.2}
    )
    # Two boxes on one object: the surer answers, and it is listed first.
    found["boxes"][0, 1] = found["boxes"][0, 0]
    scores = word_detector.way_down(truths, found, PARENTS)
    assert (scores["tree_exact"], scores["tree_missed"]) == (0.2, 0.4)


def test_both_answers_of_a_model():
    """e and b are the surest leaves; only a, of which e is half, is sure enough."""
    decoding = detector.decoding_of(ROW, (32, 32, 3), [(8.0, 8.0)], PARENTS)
    scores = np.zeros((4, 5), "float32")
    scores[:, 0] = 3
    images = keras.Input((32, 32, 3))
    x = keras.layers.GlobalAveragePooling2D()(images)
    outputs = {}
    values = {"scores": scores, "objectness": np.float32([9, -9, -9, -9]),
              "offsets": np.zeros((4, 4), "float32")}  # fmt: skip
    for name, value in values.items():
        dense = keras.layers.Dense(value.size, kernel_initializer="zeros")
        outputs[name] = keras.layers.Reshape(value.shape, name=name)(dense(x))
        dense.bias.assign(value.ravel())
    model = keras.Model(images, outputs)
    truth = things([4, 1]) | {"images": np.zeros((1, 32, 32, 3), "float32")}
    truths, found, sure = word_detector.answers(model, decoding, [truth] * 2, 0.6)
    assert truths["classes"].tolist() == [[4, 1]] * 2 and len(found["boxes"]) == 2
    assert sorted(found["classes"][0, :2]) == [2, 4]  # as sure as each other
    assert found["classes"][0, 2:4].tolist() == [1, -1]
    assert sure["classes"][1, :2].tolist() == [0, -1]
    a = 1 / (1 + np.exp(-3))
    np.testing.assert_allclose(found["scores"][0, :3], [a / 2, a / 2, 1 - a], atol=1e-3)
    np.testing.assert_allclose(sure["scores"][0, 0], a, atol=1e-3)
