import math

import keras
import numpy as np
import pytest
from slow_yolo import SHAPES, SIZE, TERMS, iou, sigmoid, slow_v2

from kcv.boxes.anchors import grid
from kcv.boxes.word_tree import ROOT, WordTree
from kcv.losses.word_tree import word_tree_loss, yolo_9000_loss
from kcv.losses.yolo_v2 import yolo_v2_loss

ANCHORS = grid((2, 3), 32, SHAPES)
#      0 a     1 b
#      2 c 3 d        4 e under d, 5 f under d
TREE = WordTree(tuple("abcdef"), (ROOT, ROOT, 0, 0, 3, 3))
FLAT = WordTree(tuple("abcd"), (ROOT,) * 4)


def surprise(tree, scores, word):
    """-log of the word's probability: softmax by softmax, up to the root."""
    total = 0.0
    while word != ROOT:
        above = tree.parents[word]
        siblings = [i for i, parent in enumerate(tree.parents) if parent == above]
        total += math.log(sum(math.exp(scores[i]) for i in siblings)) - scores[word]
        word = above
    return total


def world(seed, words=6, images=6, slots=4):
    """Boxes in the image, a third of the slots empty; every other image has a label."""
    rng = np.random.default_rng(seed)
    centres = rng.uniform(12, [84, 52], (images, slots, 2))
    half = rng.uniform(2, 12, (images, slots, 2))
    boxes = np.concatenate([centres - half, centres + half], -1).astype("float32")
    classes = rng.integers(-2, words, (images, slots)).clip(-1).astype("int32")
    boxes[classes < 0] = 0
    labels = rng.integers(0, words, images).astype("int32")
    labels[::2] = -1
    outputs = {
        "scores": rng.normal(0, 2, (images, 18, words)).astype("float32"),
        "objectness": rng.normal(-1, 2, (images, 18)).astype("float32"),
        "offsets": rng.normal(0, 0.4, (images, 18, 4)).astype("float32"),
    }
    return boxes, classes, labels, outputs


def slow_labelled(label, scores, objectness):
    """An image for classification, box by box."""
    sure = [
        sigmoid(c) * math.exp(-surprise(TREE, s, label))
        for c, s in zip(objectness, scores)
    ]
    best = int(np.argmax(sure))
    short = max(0.3 - sigmoid(objectness[best]), 0)
    return {
        **dict.fromkeys(TERMS, 0.0),
        "objects": 5 * 0.5 * short**2,
        "classes": surprise(TREE, scores[best], label),
    }


@pytest.mark.parametrize("seed", range(2))
def test_equals_slow_loops(seed):
    """Detection as YOLOv2's, but for the classes: each found object's own word."""
    boxes, classes, labels, outputs = world(seed)
    found = yolo_9000_loss(boxes, classes, labels, outputs, ANCHORS, SIZE, TREE)
    assert list(found) == TERMS
    for i, label in enumerate(labels):
        one = [x[i] for x in outputs.values()]
        if label >= 0:
            expected = slow_labelled(label, *one[:2])
        else:
            expected = slow_v2(boxes[i], classes[i], *one)
            expected["classes"] = slow_classes(boxes[i], classes[i], one[0])
        for name in TERMS:
            np.testing.assert_allclose(
                found[name][i], expected[name], rtol=1e-4, atol=1e-6, err_msg=name
            )


def slow_classes(boxes, classes, scores):
    """The anchor of each object, of objects with one anchor the first."""
    total, taken = 0.0, set()
    for box, word in zip(boxes, classes):
        if word < 0:
            continue
        x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        size = box[2] - box[0], box[3] - box[1]
        alike = [iou([0, 0, *size], [0, 0, *shape]) for shape in SHAPES]
        anchor = 3 * (3 * int(y // 32) + int(x // 32)) + int(np.argmax(alike))
        if anchor not in taken:
            total += surprise(TREE, scores[anchor], word)
        taken.add(anchor)
    return total


def test_a_tree_of_one_level_is_yolo_v2():
    """A special case that must equal something known."""
    boxes, classes, _, outputs = world(0, words=4)
    labels = np.full(len(boxes), -1)
    found = yolo_9000_loss(boxes, classes, labels, outputs, ANCHORS, SIZE, FLAT)
    expected = yolo_v2_loss(boxes, classes, outputs, ANCHORS, SIZE)
    for name in TERMS:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-5, atol=1e-6)


def test_word_tree_loss_by_pencil():
    """Pairs of equal logits: log 2 a level; none below the label, none without one."""
    scores = np.zeros((5, 6), "float32")
    scores[:, 4] = 3.0  # e beside f, which only e's and f's losses see
    found = word_tree_loss(np.array([0, 3, 4, -1, 6]), scores, TREE)
    log2 = math.log(2)
    expected = [log2, 2 * log2, 2 * log2 + math.log(1 + math.exp(-3)), 0, 0]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_labelled_image_by_pencil():
    """Box 7 is the surest of "c": 1/2 * 1/2 * 1/2, where all others say less.

    Its objectness is 1/2, above the assumed 0.3; at 1/5 it costs 5 / 2 * 0.1^2. Boxes
    that stand in the slots do not count.
    """
    outputs = {"scores": np.zeros((1, 18, 6)), "objectness": np.full((1, 18), -4.0),
               "offsets": np.zeros((1, 18, 4))}  # fmt: skip
    outputs["objectness"][0, 7] = 0
    truth = ANCHORS[None, :1], np.array([[1]]), np.array([2])
    found = yolo_9000_loss(*truth, outputs, ANCHORS, SIZE, TREE)
    expected = [0, 0, 0, 0, 2 * math.log(2)]
    np.testing.assert_allclose([found[k][0] for k in TERMS], expected, rtol=1e-5)
    outputs["objectness"][0, 7] = math.log(1 / 4)
    found = yolo_9000_loss(*truth, outputs, ANCHORS, SIZE, TREE)
    np.testing.assert_allclose(found["objects"], [0.025], rtol=1e-4)
    found = yolo_9000_loss(*truth, outputs, ANCHORS, SIZE, TREE, assumed_iou=0)
    np.testing.assert_array_equal(found["objects"], [0])


def test_gradients_reach_what_is_known():
    """A label moves one box's words at its level and above; all slopes are numbers."""
    import tensorflow as tf

    boxes, classes, labels, outputs = world(1)
    labels[1] = 3  # d: a and b, c and d, but not e and f
    outputs = {name: tf.convert_to_tensor(x) for name, x in outputs.items()}
    with tf.GradientTape() as tape:
        tape.watch(list(outputs.values()))
        terms = yolo_9000_loss(boxes, classes, labels, outputs, ANCHORS, SIZE, TREE)
        total = tf.add_n(list(terms.values()))
    slopes = dict(zip(outputs, tape.gradient(total, list(outputs.values()))))
    assert all(np.isfinite(x).all() for x in slopes.values())
    moved = np.argwhere(slopes["scores"][1])
    assert len(set(moved[:, 0])) == 1
    assert sorted(moved[:, 1]) == [0, 1, 2, 3]
    assert not np.any(slopes["offsets"][1])
    assert np.count_nonzero(slopes["objectness"][1]) <= 1
    assert np.all(slopes["objectness"][0])  # an image with boxes


def test_images_without_anything_are_background():
    """Whatever their slots hold; of words that the tree has not, places alone."""
    boxes, classes, labels, outputs = world(0)
    labels[:] = -1
    rest = outputs, ANCHORS, SIZE, TREE
    empty = yolo_9000_loss(boxes, np.full_like(classes, -1), labels, *rest)
    for name in TERMS:
        assert np.all(np.asarray(empty[name]) > 0) == (name == "background")
    nan = np.where(classes[..., None] >= 0, boxes, np.nan)
    first = yolo_9000_loss(nan, np.abs(classes), labels, *rest)
    second = yolo_9000_loss(boxes, classes, labels, *rest)
    for name in TERMS:
        np.testing.assert_array_equal(first[name], second[name])
    beyond = yolo_9000_loss(boxes, np.where(classes < 0, -1, 9), labels, *rest)
    np.testing.assert_array_equal(beyond["sizes"], second["sizes"])
    assert not np.any(beyond["classes"])


@pytest.mark.slow
def test_labels_alone_sharpen_what_boxes_only_name_roughly():
    """Boxes say "d"; images for classification say "e": free numbers learn both."""
    import tensorflow as tf

    boxes = np.float32([[[20, 8, 36, 24]], [[0, 0, 0, 0]]])
    classes, labels = np.int32([[3], [-1]]), np.int32([-1, 4])
    _, _, _, outputs = world(0, images=1)
    outputs["scores"] *= 0.1  # no box is sure of a word
    outputs = {name: tf.Variable(x) for name, x in outputs.items()}
    optimizer = keras.optimizers.Adam(0.1)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            both = {name: tf.repeat(x, 2, axis=0) for name, x in outputs.items()}
            terms = yolo_9000_loss(boxes, classes, labels, both, ANCHORS, SIZE, TREE)
            total = tf.add_n([tf.reduce_sum(x) for x in terms.values()])
        weights = list(outputs.values())
        optimizer.apply_gradients(zip(tape.gradient(total, weights), weights))

    for _ in range(100):
        step()
    objectness, scores = (np.asarray(outputs[k]) for k in ("objectness", "scores"))
    assert objectness[0].argmax() == 0  # the anchor of the box
    words = TREE.predict(TREE.probabilities(scores), 0.5)
    assert int(words[0, 0]) == 4
