import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from kcv import zoo
from kcv.boxes import coding
from kcv.boxes.decoding import decode
from kcv.train import detector

SHAPES = [(16.0, 16.0), (32.0, 24.0)]
BOXES = np.float32([[[4, 4, 20, 20], [30, 10, 60, 34], [0, 0, 0, 0]]])
CLASSES = np.array([[1, 0, -1]], "int32")
BATCH = {"boxes": BOXES, "classes": CLASSES, "crowd": np.zeros((1, 3), "uint8")}


def grid(input_shape, shapes=SHAPES):
    """Anchors of every shape in the middle of every cell of 16 pixels."""
    from kcv.boxes.anchors import grid

    height, width = input_shape[:2]
    return grid((height // 16, width // 16), 16, shapes)


def entry(method, stride=0):
    return zoo.ZOO["ssd300"]._replace(method=method, anchors=grid, stride=stride)


def perfect(method, decoding, classes=2):
    """Outputs that answer BATCH: what the targets ask for, with large logits."""
    n = len(decoding.anchors)
    if method in ("ssd", "retinanet"):
        targets = {
            "ssd": detector._ssd_targets,
            "retinanet": detector._retinanet_targets,
        }
        found = targets[method](decoding, BATCH)
        own, offsets = np.asarray(found.classes)[0], np.asarray(found.offsets)
        background = method == "ssd"
        scores = np.full((1, n, classes + background), -20.0, "float32")
        for anchor, kind in enumerate(own):
            if kind >= 0:
                scores[0, anchor, kind + background] = 20
            elif background:
                scores[0, anchor, 0] = 20
        return {"scores": scores, "offsets": offsets}
    scores = np.full((1, n, classes), -20.0, "float32")
    objectness = np.full((1, n), -20.0, "float32")
    offsets = np.zeros((1, n, 4), "float32")
    for box, kind in zip(BOXES[0][:2], CLASSES[0]):
        centre = (box[:2] + box[2:]) / 2
        cells = (decoding.anchors[:, :2] + decoding.anchors[:, 2:]) / 2
        ious = [_iou(box - np.tile(centre, 2), a - np.tile(c, 2))
                for a, c in zip(decoding.anchors, cells)]  # fmt: skip
        here = (np.abs(cells - centre) <= 8).all(axis=1)
        anchor = np.argmax(np.where(here, ious, -1))
        code = np.asarray(coding.encode_sigmoid(box, decoding.anchors[anchor], 16))
        place = np.clip(code[:2], 1e-4, 1 - 1e-4)
        offsets[0, anchor] = [*np.log(place / (1 - place)), *code[2:]]
        scores[0, anchor, kind], objectness[0, anchor] = 20, 20
    return {"scores": scores, "objectness": objectness, "offsets": offsets}


def _iou(a, b):
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    areas = [(c[2] - c[0]) * (c[3] - c[1]) for c in (a, b)]
    return width * height / (sum(areas) - width * height)


@pytest.mark.parametrize("method", ["ssd", "retinanet", "yolo_v2"])
def test_what_the_loss_asks_for_is_what_is_detected(method):
    """Targets, loss, decoding and suppression agree with each other."""
    decoding = detector.decoding_of(entry(method, 16), (64, 64, 3))
    outputs = perfect(method, decoding)
    losses = detector.detector_losses(method, decoding)
    values, metrics = losses(lambda images, training: outputs, BATCH | {"images": 0}, 1)
    assert not metrics
    assert sum(float(value[0]) for value in values.values()) < 0.02
    found = {k: np.asarray(v)[0] for k, v in detector.detect(decoding, outputs).items()}
    best = np.argsort(-found["scores"])[:2]
    assert set(found["classes"][best]) == {0, 1}
    for k in best:
        (slot,) = np.flatnonzero(CLASSES[0] == found["classes"][k])
        np.testing.assert_allclose(found["boxes"][k], BOXES[0, slot], atol=0.2)
    wrong = {**outputs, "scores": outputs["scores"][..., ::-1]}
    worse, _ = losses(lambda images, training: wrong, BATCH | {"images": 0}, 1)
    assert sum(float(value[0]) for value in worse.values()) > 1


def test_yolo_v1_detects_what_its_loss_asks_for():
    """Two boxes a cell; the IoU of the better is its confidence."""
    of = entry("yolo_v1")._replace(
        anchors=lambda input_shape: np.repeat(grid(input_shape, [(16, 16)]), 2, axis=0)
    )
    decoding = detector.decoding_of(of, (64, 64, 3))
    cells = decoding.anchors
    outputs = {
        "scores": np.zeros((1, 16, 2), "float32"),
        "objectness": np.zeros((1, 32), "float32"),
        "offsets": np.zeros((1, 32, 4), "float32"),
    }
    for box, kind in zip(BOXES[0][:2], CLASSES[0]):
        x, y = (box[:2] + box[2:]) / 2
        cell = int(y // 16) * 4 + int(x // 16)
        code = coding.encode_roots(box, cells[2 * cell], (64, 64))
        outputs["offsets"][0, 2 * cell] = code
        outputs["scores"][0, cell, kind] = outputs["objectness"][0, 2 * cell] = 1
    losses = detector.detector_losses("yolo_v1", decoding)
    values, _ = losses(lambda images, training: outputs, BATCH | {"images": 0}, True)
    assert sum(float(value[0]) for value in values.values()) < 1e-3
    boxes, scores = decode(decoding, outputs)
    assert boxes.shape == (1, 32, 4) and scores.shape == (1, 32, 2)
    found = detector.detect(decoding, outputs)
    np.testing.assert_allclose(found["scores"][0, :3], [1, 1, 0], atol=1e-5)
    assert set(np.asarray(found["classes"])[0, :2]) == {0, 1}


def test_crowds_teach_yolo_nothing():
    decoding = detector.decoding_of(entry("yolo_v2", 16), (64, 64, 3))
    outputs = perfect("yolo_v2", decoding)
    losses = detector.detector_losses("yolo_v2", decoding)
    crowd = {**BATCH, "crowd": np.uint8([[0, 1, 0]]), "images": 0}
    empty = {**BATCH, "classes": np.int32([[1, -1, -1]]), "images": 0}
    first, second = (
        losses(lambda i, training: outputs, b, 1)[0] for b in (crowd, empty)
    )
    for name in first:
        np.testing.assert_array_equal(first[name], second[name])


@pytest.mark.slow
def test_two_stages_learn_in_a_graph_of_their_own():
    """It has the model's weights; what is detected comes from the model itself."""
    keras.utils.set_random_seed(0)
    row = zoo.entry("faster_rcnn_025")
    model = row.build(input_shape=(64, 64, 3), classes=2)
    graph = detector.METHODS[row.method].graph(
        model, anchors=16, rois=8, proposals=32, candidates=64
    )
    decoding = detector.decoding_of(row, (64, 64, 3))
    losses = detector.detector_losses(row.method, decoding)
    images = np.random.default_rng(0).normal(0, 0.5, (1, 64, 64, 3)).astype("float32")
    batch = {**BATCH, "images": images}
    optimizer = keras.optimizers.Adam(1e-3)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            values, metrics = losses(graph, batch, training=True)
            total = sum(tf.reduce_sum(value) for value in values.values())
        assert not metrics and len(values) == 4
        gradients = tape.gradient(total, graph.trainable_variables)
        optimizer.apply_gradients(zip(gradients, graph.trainable_variables))
        return total

    before = model.get_weights()
    totals = [float(step()) for _ in range(12)]
    assert np.isfinite(totals).all() and np.mean(totals[-3:]) < np.mean(totals[:3]) / 2
    moved = [np.any(w != b) for w, b in zip(model.get_weights(), before)]
    assert all(moved)
    found = detector.detect(decoding, model(images, training=False))
    assert found["boxes"].shape == (1, detector.MOST, 4)
    boxes = np.asarray(found["boxes"])
    assert (boxes >= 0).all() and (boxes <= 64).all()


def test_precisions_and_guess_by_pencil():
    """Two images; the objects of one are no answer for the other, but of class 0."""
    truths = {
        "boxes": np.float32([[[0, 0, 8, 8]], [[0, 0, 8, 9]]]),
        "classes": np.int32([[0], [0]]),
        "crowd": np.zeros((2, 1), "uint8"),
    }
    data = [{**truths, "images": np.zeros((2, 8, 8, 3))}]
    found = detector.guess(data, 2)
    assert found["ap50"] == pytest.approx(1.0) and found["ap"] < 1
    other = {**data[0], "classes": np.int32([[0], [1]])}
    assert detector.guess([other], 2)["ap50"] == 0

    def answer(images):
        return {**truths, "scores": np.ones((2, 1))}

    assert detector.average_precisions(answer, data, 2) == {
        "ap": pytest.approx(1.0), "ap50": pytest.approx(1.0),
        "ap75": pytest.approx(1.0),
    }  # fmt: skip


def fixed_model(outputs):
    """Always gives `outputs`, whatever the image."""
    images = keras.Input((64, 64, 3), name="images")
    x = keras.layers.GlobalAveragePooling2D()(images)
    made = {}
    for name, value in outputs.items():
        dense = keras.layers.Dense(value[0].size, kernel_initializer="zeros")
        made[name] = keras.layers.Reshape(value.shape[1:], name=name)(dense(x))
        dense.bias.assign(value[0].ravel())
    return keras.Model(images, made)


def test_results_on_disk(tmp_path):
    decoding = detector.decoding_of(entry("ssd"), (64, 64, 3))
    model = fixed_model(perfect("ssd", decoding))
    images = np.zeros((2, 64, 64, 3), "float32")
    batch = {k: np.concatenate([v, v]) for k, v in BATCH.items()} | {"images": images}
    history = [{"epoch": 1, "loss": 1.0, "validation_ap50": 0.2, "learning_rate": 0.1}]
    facts = {"labels": ["red", "green"], "pixel_range": (-1.0, 1.0)}
    scores = detector.write_results(
        model, decoding, lambda: [batch], history, tmp_path, facts
    )
    assert scores["ap50"] == pytest.approx(1.0)
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["test"]["ap50"] == pytest.approx(1.0)
    assert metrics["test"]["baseline_ap50"] == pytest.approx(1.0)  # both are alike
    assert metrics["validation"] == {"ap50": 0.2}
    for name in ("samples", "curves"):
        assert min(Image.open(tmp_path / f"{name}.png").size) > 200
