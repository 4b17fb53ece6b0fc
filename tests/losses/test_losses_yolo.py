import math

import keras
import numpy as np
import pytest
from slow_yolo import SHAPES, SIZE, TERMS, slow_v1, slow_v2

from kcv.boxes.anchors import grid
from kcv.boxes.coding import decode_sigmoid
from kcv.losses.yolo_v1 import yolo_v1_loss
from kcv.losses.yolo_v2 import yolo_v2_loss

CELLS = grid((2, 3), 32, [(32, 32)] * 2)
ANCHORS = grid((2, 3), 32, SHAPES)


def world(seed, slots=6, images=8):
    """Boxes inside the image, a third of the slots empty, the last image all empty."""
    rng = np.random.default_rng(seed)
    centres = rng.uniform(12, [84, 52], (images, slots, 2))
    half = rng.uniform(2, 12, (images, slots, 2))
    boxes = np.concatenate([centres - half, centres + half], -1)
    classes = rng.integers(-1, 4, (images, slots))
    classes[-1] = -1
    boxes[classes < 0] = 0
    return rng, boxes.astype("float32"), classes.astype("int32")


def outputs_v1(rng, images=8):
    offsets = rng.uniform(0, 1, (images, 12, 4)) * [1, 1, 0.7, 0.7]
    return {
        "scores": rng.normal(0, 1, (images, 6, 4)).astype("float32"),
        "objectness": rng.normal(0, 1, (images, 12)).astype("float32"),
        "offsets": offsets.astype("float32"),
    }


def outputs_v2(rng, images=8):
    return {
        "scores": rng.normal(0, 2, (images, 18, 4)).astype("float32"),
        "objectness": rng.normal(0, 2, (images, 18)).astype("float32"),
        "offsets": rng.normal(0, 0.4, (images, 18, 4)).astype("float32"),
    }


@pytest.mark.parametrize("seed", range(2))
def test_v1_equals_slow_loops(seed):
    rng, boxes, classes = world(seed)
    outputs = outputs_v1(rng)
    found = yolo_v1_loss(boxes, classes, outputs, CELLS, SIZE)
    assert list(found) == TERMS
    for i in range(len(boxes)):
        one = slow_v1(boxes[i], classes[i], *(x[i] for x in outputs.values()))
        for name in TERMS:
            np.testing.assert_allclose(found[name][i], one[name], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("seed", range(2))
def test_v2_equals_slow_loops(seed):
    rng, boxes, classes = world(seed)
    outputs = outputs_v2(rng)
    # Good guesses that are no object's own: what the threshold is for.
    outputs["offsets"][:, ::2] = 0
    boxes[0, 0], classes[0, 0] = [8, 6, 48, 27], 1  # nearly anchor 1
    found = yolo_v2_loss(boxes, classes, outputs, ANCHORS, SIZE)
    assert list(found) == TERMS
    for i in range(len(boxes)):
        one = slow_v2(boxes[i], classes[i], *(x[i] for x in outputs.values()))
        for name in TERMS:
            np.testing.assert_allclose(found[name][i], one[name], rtol=1e-4, atol=1e-6)


def test_v1_by_pencil():
    """One object in cell 4 (row 1, column 1), 24 x 16 pixels at (48, 40).

    Box 0 of the cell has its centre and size, so it answers: IoU 1. It says 0.5, box 1
    says 0.2 and all others 0: 0.25 and half of 0.04. Scores are 0.6 and 0.1 of classes
    1, 0. Then box 0 moves by a quarter cell and its roots by 0.1.
    """
    boxes, classes = np.float32([[[36, 32, 60, 48]]]), np.int32([[1]])
    outputs = {
        "scores": np.zeros((1, 6, 2), "float32"),
        "objectness": np.zeros((1, 12), "float32"),
        "offsets": np.zeros((1, 12, 4), "float32"),
    }
    outputs["scores"][0, 4] = 0.1, 0.6
    outputs["objectness"][0, 8:10] = 0.5, 0.2
    outputs["offsets"][0, 8] = 0.5, 0.25, math.sqrt(24 / 96), math.sqrt(16 / 64)
    found = yolo_v1_loss(boxes, classes, outputs, CELLS, SIZE)
    expected = [0, 0, 0.25, 0.02, 0.01 + 0.16]
    np.testing.assert_allclose([found[k][0] for k in TERMS], expected, atol=1e-6)
    outputs["offsets"][0, 8] += 0.25, 0, 0, 0.1
    found = yolo_v1_loss(boxes, classes, outputs, CELLS, SIZE)
    np.testing.assert_allclose(found["centres"], [5 / 16], rtol=1e-5)
    np.testing.assert_allclose(found["sizes"], [0.05], rtol=1e-4)


def test_v1_nearest_box_answers_where_none_overlaps():
    """Both boxes are points; the second is nearer, so its confidence is to be 0 too."""
    boxes, classes = np.float32([[[36, 32, 60, 48]]]), np.int32([[0]])
    outputs = {"scores": np.zeros((1, 6, 1), "float32"),
               "objectness": np.zeros((1, 12), "float32"),
               "offsets": np.zeros((1, 12, 4), "float32")}  # fmt: skip
    outputs["offsets"][0, 8:10, :2] = [0, 1], [0.5, 0.5]
    found = yolo_v1_loss(boxes, classes, outputs, CELLS, SIZE)
    np.testing.assert_allclose(found["centres"], [5 * 0.25**2], rtol=1e-5)


def test_v2_by_pencil():
    """One object of anchor 1's shape in the middle of cell 0, all answers 0.

    sigmoid(0) = 1/2 is the middle, so places and sizes are right: IoU 1, 5/2 * 1/4. The
    16 others have 1/2 * 1/4 each, and one beyond IoU 0.6 would have none. Two equal
    scores are ln 2.
    """
    boxes, classes = ANCHORS[None, 1:2], np.int32([[0]])
    outputs = {"scores": np.zeros((1, 18, 2)), "objectness": np.zeros((1, 18)),
               "offsets": np.zeros((1, 18, 4))}  # fmt: skip
    found = yolo_v2_loss(boxes, classes, outputs, ANCHORS, SIZE)
    expected = [0, 0, 5 / 8, 17 / 8, math.log(2)]
    np.testing.assert_allclose([found[k][0] for k in TERMS], expected, atol=1e-5)
    for share, others in ((1.0, 16), (0.62, 16), (0.58, 17)):  # anchor 0's IoU with it
        outputs["offsets"][0, 0, 2:] = np.log([40 / 16, share * 20 / 16])
        found = yolo_v2_loss(boxes, classes, outputs, ANCHORS, SIZE)
        np.testing.assert_allclose(found["background"], [others / 8], rtol=1e-5)


@pytest.mark.parametrize("version", [1, 2])
def test_images_without_objects_are_background_alone(version):
    """Whatever their empty slots hold; and every gradient is a number."""
    import tensorflow as tf

    rng, boxes, classes = world(0)
    outputs = outputs_v1(rng) if version == 1 else outputs_v2(rng)
    outputs = {name: tf.Variable(x) for name, x in outputs.items()}
    rest = (CELLS, SIZE) if version == 1 else (ANCHORS, SIZE)
    loss = yolo_v1_loss if version == 1 else yolo_v2_loss
    with tf.GradientTape() as tape:
        terms = loss(boxes, classes, outputs, *rest)
        total = tf.add_n(list(terms.values()))
    for name in TERMS:
        assert (terms[name][-1] > 0) == (name == "background")
    for gradient in tape.gradient(total, list(outputs.values())):
        assert np.all(np.isfinite(gradient)) and np.any(gradient)
    nan = np.where(classes[..., None] >= 0, boxes, np.nan)  # a bad record costs itself
    for name, term in loss(nan, np.abs(classes), outputs, *rest).items():
        np.testing.assert_array_equal(term, terms[name])
    empty = np.full_like(classes, -1)
    first = loss(boxes, empty, outputs, *rest)
    second = loss(np.zeros_like(boxes), empty, outputs, *rest)
    for name in TERMS:
        np.testing.assert_array_equal(first[name], second[name])


def test_gradient_of_centres_by_pencil():
    """d/dt of weight * (sigmoid(t) - x)^2 at t = 0, x = 3/4; the IoU gives none."""
    import tensorflow as tf

    boxes = ANCHORS[None, 0:1] + np.float32([8, 0, 8, 0])
    offsets = tf.Variable(np.zeros((1, 18, 4), "float32"))
    outputs = {"scores": np.zeros((1, 18, 2)), "objectness": np.zeros((1, 18))}
    with tf.GradientTape() as tape:
        terms = yolo_v2_loss(
            boxes, np.int32([[0]]), outputs | {"offsets": offsets}, ANCHORS, SIZE
        )
        total = tf.add_n(list(terms.values()))
    gradient = np.asarray(tape.gradient(total, offsets))
    weight = (2 - 16 * 16 / (64 * 96)) / 2
    np.testing.assert_allclose(gradient[0, 0, 0], weight * 2 * -0.25 * 0.25, rtol=1e-5)
    assert np.count_nonzero(gradient) == 1


@pytest.mark.slow
def test_learning_outputs_finds_the_objects():
    """Outputs that are free numbers become the boxes, the classes and the objects."""
    import tensorflow as tf

    boxes = np.float32([[[20, 8, 36, 24], [50, 33, 88, 55], [0, 0, 0, 0]]])
    classes = np.int32([[1, 3, -1]])
    outputs = outputs_v2(np.random.default_rng(0), 1)
    outputs = {name: tf.Variable(x) for name, x in outputs.items()}
    optimizer = keras.optimizers.Adam(0.1)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            terms = yolo_v2_loss(boxes, classes, outputs, ANCHORS, SIZE)
            total = tf.add_n(list(terms.values()))
        weights = list(outputs.values())
        optimizer.apply_gradients(zip(tape.gradient(total, weights), weights))

    for _ in range(150):
        step()
    best = np.sort(np.argsort(-np.asarray(outputs["objectness"])[0])[:2])
    found = decode_sigmoid(outputs["offsets"], ANCHORS, 32)
    np.testing.assert_allclose(np.asarray(found)[0][best], boxes[0, :2], atol=1.5)
    assert np.asarray(outputs["scores"])[0][best].argmax(axis=1).tolist() == [1, 3]
