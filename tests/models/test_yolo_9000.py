import keras
import numpy as np
import pytest
from residual_checks import pictures, randomize, shapes_only

from kcv.boxes.clusters import iou_of_sizes
from kcv.boxes.word_tree import SCENES, word_tree
from kcv.models.detection.yolo_9000 import COCO_SHAPES, yolo_9000, yolo_9000_anchors
from kcv.models.detection.yolo_v2 import yolo_v2


def thin(size=(64, 64), **options):
    small = {"alpha": 0.0625, "passthrough_filters": 32, "classes": len(SCENES)}
    options = small | options
    return yolo_9000((*size, 3), **options)


def test_parameters_of_9418_words():
    """YOLOv2 with 3 anchors of 9,418 words in place of 5 of 20 classes, by pencil.

    The authors' own last convolution has 28,269 filters: 3 * (9418 + 1 + 4).
    """
    with shapes_only():
        model = yolo_9000()
    last = 3 * (9418 + 1 + 4)
    assert last == 28_269
    expected = 50_676_061 - 1025 * 5 * (20 + 1 + 4) + 1025 * last
    assert model.count_params() == expected == 79_523_661
    assert model.name == "yolo_9000"


@pytest.mark.parametrize("stride", [16, 32])
def test_one_answer_an_anchor(stride):
    with shapes_only():
        model = thin((64, 96), stride=stride)
    n = len(yolo_9000_anchors((64, 96, 3), stride=stride))
    assert n == 3 * 64 * 96 // stride**2
    assert {name: x.shape for name, x in model.output.items()} == {
        "scores": (None, n, len(SCENES)), "objectness": (None, n),
        "offsets": (None, n, 4),
    }  # fmt: skip


def test_anchors_of_coco():
    anchors = yolo_9000_anchors()
    assert anchors.shape == (13 * 13 * 3, 4) and anchors.dtype == np.float32
    np.testing.assert_allclose(anchors[:3, 2:] - anchors[:3, :2], COCO_SHAPES, 1e-5)
    assert iou_of_sizes(COCO_SHAPES, COCO_SHAPES).argmax(axis=1).tolist() == [0, 1, 2]


@pytest.mark.slow
def test_life(tmp_path):
    """YOLOv2 with its weights answers the same; saved, loaded, a gradient for all."""
    import tensorflow as tf

    model, images = thin(), pictures(4, (64, 64))
    randomize(model, images)
    expected = model(images)
    known = yolo_v2((64, 64, 3), len(SCENES), None, 3, 32, 32, 0.0625)
    known.set_weights(model.get_weights())
    model.save(tmp_path / "model.keras")
    model.save_weights(tmp_path / "x.weights.h5")
    for again in (
        known,
        keras.saving.load_model(tmp_path / "model.keras"),
        thin(weights=tmp_path / "x.weights.h5"),
    ):
        for name, value in again(images).items():
            assert np.ptp(value, axis=0).max() > 0.1
            np.testing.assert_allclose(value, expected[name], atol=1e-4)
    with tf.GradientTape() as tape:
        outputs = model(images, training=True)
        loss = sum(tf.reduce_mean(tf.square(x)) for x in outputs.values())
    weights = model.trainable_weights
    for weight, gradient in zip(weights, tape.gradient(loss, weights)):
        assert gradient is not None and np.any(gradient), weight.path


@pytest.mark.slow
def test_exports_without_its_tree(tmp_path):
    """The softmax of siblings is not in the graph: builtin operators, three outputs.

    Words of the file's logits are those of Keras'.
    """
    from ai_edge_litert.interpreter import Interpreter

    from kcv.export import convert

    model, tree = thin(), word_tree(SCENES)
    randomize(model, pictures(8, (64, 64)))
    probes = pictures(4, (64, 64), seed=3)
    report = convert(model, tmp_path / "x.tflite", probes=probes, task="detection")
    assert set(report.operators) == {
        "CONCATENATION", "CONV_2D", "LEAKY_RELU", "MAX_POOL_2D", "RESHAPE",
        "STRIDED_SLICE",
    }  # fmt: skip
    assert set(report.parity) == {"scores", "objectness", "offsets"}
    runner = Interpreter(str(tmp_path / "x.tflite")).get_signature_runner()
    scores = runner(images=probes[:1])["scores"]
    expected = tree.probabilities(model(probes[:1])["scores"])
    np.testing.assert_allclose(tree.probabilities(scores), expected, atol=1e-3)


def test_refused():
    with shapes_only(), pytest.raises(ValueError, match="must be multiples of stride"):
        thin((64, 48))
