"""VGG against keras.applications, and with batch norm against VGG without."""

import inspect
import math

import classics_reference as reference
import keras
import numpy as np
import pytest

from kcv.export import convert
from kcv.models.classification import vgg

TINY = {"alpha": 1 / 16, "classifier_activation": None}
LOGITS = {"classes": 7, "classifier_activation": None}


@pytest.mark.parametrize(
    ("variant", "published", "statistics"),
    [
        ("vgg11", 132_863_336, 0),
        ("vgg13", 133_047_848, 0),
        ("vgg16", 138_357_544, 0),
        ("vgg19", 143_667_240, 0),
        ("vgg11_bn", 132_868_840, 2 * 2752),
        ("vgg13_bn", 133_053_736, 2 * 2944),
        ("vgg16_bn", 138_365_992, 2 * 4224),
        ("vgg19_bn", 143_678_248, 2 * 5504),
    ],
)
def test_published_parameters(variant, published, statistics):
    """Mean and variance of a filter are ours to count; the publishers leave them out.

    The exact number that the docstring states is their sum.
    """
    build = getattr(vgg, variant)
    with keras.StatelessScope(initialize_variables=False):  # shapes without memory
        model = build()
    assert model.count_params() == published + statistics
    trainable = [math.prod(weight.shape) for weight in model.trainable_weights]
    assert sum(trainable) == published
    assert f"{published + statistics:,}" in build.__doc__


def test_parameters_of_a_quarter():
    with keras.StatelessScope(initialize_variables=False):
        model = vgg.vgg16(alpha=0.25)
    assert model.count_params() == 9_418_936
    shapes = [model.get_layer(name).kernel.shape for name in ("fc6", "fc7")]
    assert shapes == [(7 * 7 * 128, 1024), (1024, 1024)]


@pytest.mark.parametrize(
    ("ours", "theirs", "size"),
    [
        (vgg.vgg16, keras.applications.VGG16, (32, 75)),
        pytest.param(
            vgg.vgg19, keras.applications.VGG19, (64, 47), marks=pytest.mark.slow
        ),
    ],
)
def test_same_logits_as_keras_applications(ours, theirs, size):
    model = ours((*size, 3), **LOGITS)
    oracle = theirs(input_shape=(*size, 3), weights=None, **LOGITS)
    reference.random_biases(model)
    oracle.set_weights(model.get_weights())
    images = reference.random_images(2, *size, 3)
    less_mean = np.array(model.get_layer("minus_mean").offset, "float32")
    expected = np.asarray(oracle(images + less_mean))
    scale = np.abs(expected).max()
    assert scale > 0.1 and np.ptp(expected, axis=0).max() > 0.05 * scale
    np.testing.assert_allclose(model(images), expected, atol=1e-4 * scale)


@pytest.mark.parametrize("variant", ["vgg11", "vgg13"])
def test_rows_a_and_b_end_each_block_like_row_d(variant):
    """Special case: further layers of row D that change nothing leave row A or B.

    A kernel that is one in its middle for each map keeps what a ReLU has let through.
    """
    small = reference.random_biases(getattr(vgg, variant)((32, 48, 3), 5, **TINY))
    full = vgg.vgg16((32, 48, 3), 5, **TINY)
    names = {layer.name for layer in small.layers}
    for layer in full.layers:
        if layer.name in names:
            layer.set_weights(small.get_layer(layer.name).get_weights())
        elif layer.weights:
            kernel, bias = layer.get_weights()
            kernel[:] = 0
            kernel[1, 1] = np.eye(kernel.shape[-1])
            layer.set_weights([kernel, 0 * bias])
    images = reference.random_images(2, 32, 48, 3)
    expected = np.asarray(small(images))
    assert np.ptp(expected, axis=0).max() > 0.1
    np.testing.assert_allclose(full(images), expected, atol=1e-4)


@pytest.mark.parametrize("name", ["vgg11", "vgg19"])
def test_batch_norm_that_does_nothing(name):
    """Special case: means of 0, variances of 1 leave the network without it."""
    plain = reference.random_biases(getattr(vgg, name)((32, 32, 3), 5, **TINY))
    normed = getattr(vgg, f"{name}_bn")((32, 32, 3), 5, **TINY)
    for layer in normed.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.epsilon = 0.0
        elif layer.weights:
            layer.set_weights(plain.get_layer(layer.name).get_weights())
    images = reference.random_images(2, 32, 32, 3, scale=3)
    expected = np.asarray(plain(images))
    assert np.ptp(expected, axis=0).max() > 0.1
    np.testing.assert_allclose(normed(images), expected, atol=1e-4)


@pytest.mark.parametrize("output_stride", [32, 16, 8])
def test_maps(output_stride):
    maps = vgg.vgg_features(keras.Input((64, 96, 3)), output_stride=output_stride)
    channels = (128, 256, 512, 512, 512)
    strides = [min(2**i, output_stride) for i in range(1, 6)]
    assert {level: x.shape[1:] for level, x in maps.items()} == {
        f"C{i}": (64 // s, 96 // s, c)
        for i, (s, c) in enumerate(zip(strides, channels), start=1)
    }


def test_dilated_maps_hold_the_usual_ones():
    """For sizes that are multiples of 32: others lose a row in each pooling."""

    def narrow(images, output_stride):
        return vgg.vgg_features(images, "vgg11", output_stride, alpha=1 / 16)

    reference.check_dilated(narrow, (64, 96, 3), {16: {}, 8: {}})


def test_minimum_is_the_smallest_that_builds():
    vgg.vgg11((32, 32, 3), **TINY)
    with pytest.raises(ValueError, match="at least 32 pixels"):
        vgg.vgg11((31, 32, 3), **TINY)


def test_errors():
    images = keras.Input((32, 32, 3))
    with pytest.raises(ValueError, match="must be 8, 16 or 32, got 1"):
        vgg.vgg_features(images, output_stride=1)
    with pytest.raises(ValueError, match="no variant 'vgg17'; known: vgg11, .*_bn"):
        vgg.vgg_features(images, "vgg17")
    for build in (vgg.vgg11, vgg.vgg16_bn):
        with pytest.raises(ValueError, match="no imagenet weights were published for"):
            build((32, 32, 3), weights="imagenet", **TINY)


@pytest.mark.parametrize("changes", [{"input_shape": (32, 32, 3)}, {"alpha": 0.0625}])
def test_imagenet_weights_are_for_one_size(changes):
    arguments = {"alpha": 1 / 16, "input_shape": (224, 224, 3)} | changes
    with pytest.raises(ValueError, match=r"vgg16 .*published: \(224, 224, 3\) and 1.0"):
        vgg.vgg16(weights="imagenet", **arguments)


@pytest.mark.parametrize("name", ["vgg16", "vgg19"])
def test_imagenet_file_is_the_one_of_keras_applications(name):
    theirs = getattr(keras.src.applications, name)
    url, md5 = vgg._imagenet_file(name, (224, 224, 3), 1.0)
    assert url == theirs.WEIGHTS_PATH
    asked = inspect.getsource(theirs).split(" WEIGHTS_PATH,")[1].split(")")[0]
    assert f'file_hash="{md5}"' in asked


@pytest.mark.slow
def test_imagenet_loads_a_file_of_keras_applications(tmp_path, monkeypatch):
    """Of another number of classes, so that the classifier stays as it is."""
    theirs = keras.applications.VGG16(input_shape=(32, 32, 3), weights=None, **LOGITS)
    theirs.save(tmp_path / "theirs.keras")
    file = lambda *_: ("https://example.org/x.h5", None)  # noqa: E731
    monkeypatch.setattr(vgg, "_imagenet_file", file)
    monkeypatch.setattr(
        keras.utils, "get_file", lambda *_, **__: tmp_path / "theirs.keras"
    )
    ours = vgg.vgg16((32, 32, 3), 3, weights="imagenet")
    for mine, other in zip(ours.get_weights()[1:-2], theirs.get_weights()[1:-2]):
        np.testing.assert_array_equal(mine, other)


@pytest.mark.parametrize("build", [vgg.vgg11, vgg.vgg11_bn])
def test_saves_loads_and_trains(build, tmp_path):
    keras.utils.set_random_seed(0)
    model = build((32, 48, 3), 4, alpha=1 / 16)
    reference.check_life(model, tmp_path / "model.keras")


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["float32", "int8"])
@pytest.mark.parametrize("build", [vgg.vgg16, vgg.vgg16_bn])
def test_exports(build, mode, tmp_path):
    """Batch norm and ReLU cost no operator."""
    keras.utils.set_random_seed(0)
    model = build((32, 32, 3), 4, alpha=1 / 16)
    path = tmp_path / "x.tflite"
    images = reference.random_images(64, 32, 32, 3).clip(-1, 1)
    report = convert(model, path, quantize=mode, calibration=images)
    expected = {"CONV_2D": 13, "MAX_POOL_2D": 5, "FULLY_CONNECTED": 3, "SOFTMAX": 1}
    expected["ADD"] = 1  # the mean
    assert expected.items() <= report.operators.items()
    assert set(report.operators) <= {*expected, "QUANTIZE", "RESHAPE"}
