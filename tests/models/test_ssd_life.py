import math

import keras
import numpy as np
import pytest
from residual_checks import pictures, randomize

from kcv.boxes.targets import ssd_targets
from kcv.losses.detection import multibox_loss
from kcv.models.detection import ssd, ssd_mobilenet
from kcv.models.detection.ssd import ssd300, ssd512
from kcv.models.detection.ssd_mobilenet import (
    ssd_mobilenet_v1,
    ssd_mobilenet_v2,
    ssdlite_mobilenet_v2,
)

MOBILE = (ssd_mobilenet_v1, ssd_mobilenet_v2, ssdlite_mobilenet_v2)
BOXES = np.float32(
    [[[4, 6, 30, 40], [40, 10, 90, 60], [0, 0, 0, 0]], [[0, 0, 0, 0]] * 3]
)
CLASSES = np.array([[0, 1, -1], [-1, -1, -1]])


def thin(builder, size, alpha=0.125, **options):
    return builder((*size, 3), 2, alpha=alpha, **options)


def anchors_of(builder, size):
    module = ssd_mobilenet if builder in MOBILE else ssd
    return getattr(module, f"{builder.__name__}_anchors")((*size, 3))


@pytest.mark.slow
def test_a_spot_is_answered_where_it_is():
    """Trap: rows for columns, or maps in another order than their boxes."""
    size, side = (257, 320), 12
    model, boxes = thin(ssd300, size), anchors_of(ssd300, size)
    places = np.array([(0.25, 0.25), (0.25, 0.75), (0.75, 0.25), (0.75, 0.75)])
    images = np.repeat(pictures(1, size), 5, axis=0)
    for image, place in zip(images[1:], places * size):
        y, x = (int(p) - side // 2 for p in place)
        image[y : y + side, x : x + side] = 1
    scores = np.asarray(model(images, training=False)["scores"])
    first = math.ceil(257 / 8) * 40 * 4  # boxes of the first map
    moved = np.square(scores[1:, :first] - scores[:1, :first]).sum(axis=-1)
    centres = (boxes[:first, :2] + boxes[:first, 2:]) / 2
    found = (moved @ centres) / moved.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found[:, ::-1], places * size, atol=12)


@pytest.mark.slow
def test_saves_and_loads(tmp_path):
    """SSD512 has the one layer of our own; the others are of stock layers alone."""
    builder, size = ssd512, (257, 300)
    model, images = thin(builder, size), pictures(2, size)
    expected = model(images, training=False)
    model.save(tmp_path / "model.keras")
    model.save_weights(tmp_path / "x.weights.h5")
    for again in (
        keras.saving.load_model(tmp_path / "model.keras"),
        thin(builder, size, weights=tmp_path / "x.weights.h5"),
    ):
        found = again(images, training=False)
        assert found.keys() == {"scores", "offsets"}
        for name, value in found.items():
            np.testing.assert_allclose(value, expected[name], rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("builder", "size"),
    [(ssdlite_mobilenet_v2, (64, 96)), (ssd300, (257, 300))],
)
def test_loss_moves_every_weight(builder, size):
    """An image with two objects and one with none."""
    import tensorflow as tf

    model, images = thin(builder, size), pictures(2, size)
    if builder in MOBILE:
        randomize(model, pictures(8, size))
    truth = ssd_targets(anchors_of(builder, size), BOXES, CLASSES)
    with tf.GradientTape() as tape:
        found = model(images, training=True)
        # With all the background, so that no head is left out. Maps whose boxes find no
        # object have no box loss: the squares of their offsets stand for it.
        parts = multibox_loss(*truth, found["scores"], found["offsets"], ratio=10**6)
        assert all(part.shape == (2,) and part[1] == 0 for part in parts.values())
        loss = sum(map(tf.reduce_sum, parts.values()))
        loss += tf.reduce_sum(tf.square(found["offsets"])) * 1e-3
    weights = model.trainable_weights
    for weight, slope in zip(weights, tape.gradient(loss, [w.value for w in weights])):
        assert np.isfinite(slope).all() and np.abs(slope).max() > 0, weight.path


@pytest.mark.slow
@pytest.mark.parametrize(
    ("builder", "quantize"), [(ssd_mobilenet_v1, "float32"), (ssd300, "int8")]
)
def test_exports(builder, quantize, tmp_path):
    """Builtin operators alone, no other ones behind the heads, two outputs."""
    from kcv.export import convert

    size = (257, 257) if builder is ssd300 else (64, 96)
    model = thin(builder, size)
    if builder in MOBILE:
        randomize(model, pictures(8, size))
    report = convert(
        model,
        tmp_path / "x.tflite",
        quantize=quantize,
        calibration=pictures(8, size),
        bound=math.inf if quantize == "int8" else None,
    )
    assert set(report.parity) == {"scores", "offsets"}
    assert not {"TRANSPOSE", "SHAPE", "PACK", "STRIDED_SLICE"} & set(report.operators)
    assert report.operators["CONCATENATION"] == 2
