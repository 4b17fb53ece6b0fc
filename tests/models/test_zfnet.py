"""ZFNet against a slow NumPy network."""

import classics_reference as reference
import keras
import numpy as np
import pytest

from kcv.export import convert
from kcv.models.classification.zfnet import (
    zfnet,
    zfnet_b,
    zfnet_b_features,
    zfnet_features,
)

TINY = {"alpha": 1 / 16, "classifier_activation": None}


@pytest.mark.parametrize(
    ("build", "arguments", "published"),
    [
        (zfnet, {}, 62_357_608),
        (zfnet_b, {}, 107_627_624),
        (zfnet, {"alpha": 0.25}, 4_670_728),
    ],
)
def test_parameters(build, arguments, published):
    """Those of alpha 1 are published."""
    with keras.StatelessScope(initialize_variables=False):  # shapes without memory
        model = build(**arguments)
    assert model.count_params() == published
    assert f"{published:,}" in build.__doc__


@pytest.mark.parametrize(
    ("features", "channels"),
    [
        (zfnet_features, (96, 96, 256, 256, 256)),
        (zfnet_b_features, (96, 96, 256, 512, 512)),
    ],
)
def test_maps_are_those_of_figure_3(features, channels):
    maps = features(keras.Input((224, 224, 3)))
    assert {level: x.shape[1:] for level, x in maps.items()} == {
        f"C{i}": (s, s, c)
        for i, s, c in zip(range(1, 6), (110, 55, 26, 13, 6), channels)
    }


def test_logits_equal_numpy():
    """Raw pixels, for the normalisation to be more than a factor."""
    model = reference.random_biases(zfnet((80, 64, 3), 7, **TINY))
    images = reference.random_images(2, 80, 64, 3, scale=70.0)
    conv = [None] + [model.get_layer(f"conv{i}") for i in range(1, 6)]
    x = reference.conv(images.astype("float64"), conv[1], strides=2, padding=1)
    x = reference.norm(reference.pool(x, 3, padding=(1, 1)))  # 38x30 to 19x15
    x = reference.conv(x, conv[2], strides=2)
    x = reference.norm(reference.pool(x, 3, padding=(1, 1)))  # 8x6 to 4x3
    for layer in conv[3:]:
        x = reference.conv(x, layer, padding=1)
    expected = reference.dense(reference.pool(x, 3), model)
    scale = np.abs(expected).max()
    assert np.ptp(expected, axis=0).max() > 0.1 * scale
    np.testing.assert_allclose(model(images), expected, atol=1e-4 * scale)


def test_dilated_maps_hold_the_usual_ones():
    """At stride 8 they begin at 1: the second pooling of an even size pads its end."""

    def narrow(images, output_stride):
        return zfnet_features(images, output_stride, alpha=1 / 16)

    starts = {16: {}, 8: {"C4": 1, "C5": 1}}
    assert narrow(keras.Input((144, 112, 3)), 8)["C3"].shape[1:3] == (16, 12)
    reference.check_dilated(narrow, (144, 112, 3), starts)


def test_minimum_is_the_smallest_that_builds():
    zfnet((53, 53, 3), **TINY)
    with pytest.raises(ValueError, match="at least 53 pixels"):
        zfnet((80, 52, 3), **TINY)


def test_errors():
    with pytest.raises(ValueError, match="must be 8, 16 or 32, got 64"):
        zfnet_features(keras.Input((64, 64, 3)), output_stride=64)
    with pytest.raises(ValueError, match="no imagenet weights were published for zfn"):
        zfnet((53, 53, 3), weights="imagenet", **TINY)


def test_saves_loads_and_trains(tmp_path):
    keras.utils.set_random_seed(0)
    model = zfnet((53, 65, 3), 4, alpha=1 / 16)
    reference.check_life(model, tmp_path / "model.keras")


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["float32", "int8"])
def test_exports(mode, tmp_path):
    keras.utils.set_random_seed(0)
    model = zfnet((53, 53, 3), 4, alpha=1 / 16)
    path = tmp_path / "x.tflite"
    images = reference.random_images(64, 53, 53, 3).clip(-1, 1)
    report = convert(model, path, quantize=mode, calibration=images)
    assert report.operators["CONV_2D"] == 5 + 2
