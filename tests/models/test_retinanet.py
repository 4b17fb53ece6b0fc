import math

import keras
import numpy as np
import pytest
from residual_checks import count, pictures, randomize, shapes_only

from kcv.boxes import anchors
from kcv.boxes.coding import decode
from kcv.models.detection.bodies import BODIES
from kcv.models.detection.retinanet import retinanet, retinanet_anchors

THIN = {"body": "mobilenet_v1", "alpha": 0.25, "filters": 8, "convolutions": 1}


def thin(size=(64, 96), classes=3, **options):
    return retinanet((*size, 3), classes, **(THIN | options))


def test_parameters_of_torchvision():
    """34,014,999, where batch normalisations do not count and no bias is before one."""
    with shapes_only():
        model = retinanet(classes=91)
    channels = 26_560  # of all batch normalisations of ResNet-50
    assert model.count_params() == 34_014_999 + 5 * channels == 34_147_799
    assert count(model)[1] == 34_014_999 + 3 * channels


def test_parameters_by_formula():
    """C5 of MobileNetV1 x 0.25 has 256 channels; P6 may be made of it."""
    with shapes_only():
        ours, papers = thin(convolutions=2), thin(convolutions=2, p6_from="C5")
    assert papers.count_params() - ours.count_params() == 9 * (256 - 8) * 8

    def conv(size, channels, filters):
        return size * size * channels * filters + filters

    heads = 2 * conv(3, 8, 8) + conv(3, 8, 9 * 3), 2 * conv(3, 8, 8) + conv(3, 8, 9 * 4)
    for name, expected in zip(("class_head", "box_head"), heads):
        assert ours.get_layer(name).count_params() == expected


def shapes(model):
    return {name: x.shape for name, x in model.output.items()}


@pytest.mark.parametrize("size", [(64, 96), (33, 70)])
def test_one_answer_an_anchor(size):
    with shapes_only():
        model = thin(size, body="mobilenet_v2")
    n = len(retinanet_anchors((*size, 3)))
    assert shapes(model) == {"scores": (None, n, 3), "offsets": (None, n, 4)}


def test_anchors_are_the_paper_s():
    assert retinanet_anchors().shape == (49104, 4)
    few = retinanet_anchors((64, 64, 3), (3, 4), (1.0,), base=2)
    assert few.shape == ((64 + 16) * 3, 4)
    # Pencil: the first place of P3 is at (4, 4); its square has sides of 16 pixels.
    np.testing.assert_allclose(few[1], [-4, -4, 12, 12])


@pytest.mark.parametrize("levels", [(2, 3, 4), (5, 6, 7)])
def test_levels(levels):
    with shapes_only():
        model = thin(levels=levels, anchors_per_place=3)
    n = len(retinanet_anchors((64, 96, 3), levels, sides=(1.0,)))
    assert shapes(model)["scores"] == (None, n, 3)


def test_a_planted_signal_comes_out_at_its_anchor():
    """Heads that copy the sum of the pyramid, at places known by hand.

    Only one place of one level is lit; its box head moves shape k by k / 10 of the
    anchor to the right, its class head answers 10 k + class.
    """
    maps = {level: np.zeros((1, *map_size, 8)) for level, map_size in _maps().items()}
    maps[4][0, 1, 2, 0] = 1.0
    model = thin()
    model.get_layer("class_head").set_weights(_planted(27, np.arange(9), 3))
    model.get_layer("box_head").set_weights(_planted(36, np.arange(9), 4))
    inner = _from_pyramid(model)
    found = inner([maps[level].astype("float32") for level in (3, 4, 5, 6, 7)])
    scores, offsets = (np.asarray(found[k])[0] for k in ("scores", "offsets"))
    lit = np.flatnonzero(scores.any(axis=1))
    assert len(lit) == 9
    np.testing.assert_allclose(
        scores[lit], 10 * np.arange(9)[:, None] + [1, 2, 3], rtol=1e-6
    )
    boxes = np.asarray(decode(offsets, retinanet_anchors((64, 96, 3))))
    own = anchors.shapes([64 * side for side in anchors.RETINANET_SIDES])
    for k, (box, (width, height)) in enumerate(zip(boxes[lit], own)):
        x, y = 2.5 * 16 + width * (10 * k + 1), 1.5 * 16 + height * (10 * k + 2)
        np.testing.assert_allclose((box[:2] + box[2:]) / 2, [x, y], rtol=1e-4)


def _maps():
    return {level: anchors.map_size((64, 96), 2**level) for level in (3, 4, 5, 6, 7)}


def _planted(outputs, shapes, size):
    """Channel 0 through both convolutions, times 10 * shape + 1, 2, ..."""
    first, last = np.zeros((3, 3, 8, 8)), np.zeros((3, 3, 8, outputs))
    first[1, 1, 0, 0] = 1
    values = 10 * shapes[:, None] + np.arange(1, size + 1)
    if size == 4:
        values[:, 2:] = 0  # the sides stay
    last[1, 1, 0] = values.ravel()
    return [first, np.zeros(8), last, np.zeros(outputs)]


def _from_pyramid(model):
    """The part of the model behind its pyramid."""
    levels = [model.get_layer(f"fpn_output{level}").output for level in (3, 4, 5, 6, 7)]
    return keras.Model(levels, model.output)


def test_an_untrained_head_gives_every_class_the_prior():
    model = thin(convolutions=2)
    scores = np.asarray(model(pictures(2, (64, 96)))["scores"])
    assert abs(scores + math.log(99)).max() < 0.05
    assert str(scores.dtype) == "float32"
    head = model.get_layer("class_head")  # trap: one initializer for two layers
    first, second = (head.get_layer(f"class_head_conv{i}").kernel for i in (1, 2))
    assert not np.allclose(first, second)


@pytest.mark.slow
def test_life(tmp_path):
    """Saved, loaded twice, the same answers; a gradient for every weight."""
    import tensorflow as tf

    model, images = thin((64, 64)), pictures(4, (64, 64))
    randomize(model, images)
    expected = model(images)
    assert np.ptp(expected["scores"], axis=0).max() > 0.1
    model.save(tmp_path / "model.keras")
    model.save_weights(tmp_path / "x.weights.h5")
    for again in (
        keras.saving.load_model(tmp_path / "model.keras"),
        thin((64, 64), weights=tmp_path / "x.weights.h5"),
    ):
        for name, value in again(images).items():
            np.testing.assert_allclose(value, expected[name], atol=1e-4)
    with tf.GradientTape() as tape:
        outputs = model(images, training=True)
        loss = sum(tf.reduce_mean(tf.square(x)) for x in outputs.values())
    weights = model.trainable_weights
    for weight, gradient in zip(weights, tape.gradient(loss, weights)):
        assert gradient is not None and np.any(gradient), weight.path


def test_half_precision_ends_before_the_outputs():
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        with shapes_only():
            model = thin()
    finally:
        keras.mixed_precision.set_global_policy("float32")
    assert {x.dtype for x in model.outputs} == {"float32"}


@pytest.mark.parametrize("body", ["resnet18", "vgg16"])
def test_bodies(body):
    with shapes_only():
        model = retinanet((64, 64, 3), 3, body=body, filters=8, convolutions=1)
    assert shapes(model)["scores"] == (None, 9 * (64 + 16 + 4 + 1 + 1), 3)
    assert body in BODIES


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"body": "resnet19"}, "no body 'resnet19'; known: resnet18"),
        ({"body": "resnet50"}, "resnet50 has no alpha, got 0.25"),
        ({"levels": (3, 5)}, "levels must follow each other"),
        ({"levels": (6, 7)}, "levels must follow each other"),
        ({"levels": (4, 5, 6, 7, 8)}, "levels must follow each other"),
        ({"levels": ()}, "levels must follow each other"),
        ({"p6_from": "C4"}, "p6_from must be 'P5' or 'C5', got 'C4'"),
        ({"size": (70, 64), "body": "vgg16"}, "makes C3 of 8x8, anchors need 9x8"),
        ({"size": (96, 96), "body": "inception_v3"}, "of 32, not .*, or another"),
        ({"size": (31, 64)}, "at least 32 pixels"),
    ],
)
def test_refused(options, message):
    with shapes_only(), pytest.raises(ValueError, match=message):
        thin(**options)


@pytest.mark.slow
def test_exports_with_separate_outputs(tmp_path):
    """The gate refuses all but builtin operators; these are all, none behind heads."""
    from kcv.export import convert

    model = thin((64, 64))
    randomize(model, pictures(8, (64, 64)))
    probes = pictures(4, (64, 64), seed=3)
    report = convert(model, tmp_path / "x.tflite", probes=probes, task="detection")
    assert set(report.operators) == {
        "ADD", "CONCATENATION", "CONV_2D", "DEPTHWISE_CONV_2D", "PAD", "RELU",
        "RESHAPE", "RESIZE_NEAREST_NEIGHBOR",
    }  # fmt: skip
    assert set(report.parity) == {"scores", "offsets"}
