"""Inception-v2 against a forward pass in NumPy and the published count."""

import functools
import math

import keras
import numpy as np
import pytest
from inception_checks import (
    check_exported,
    check_gradients,
    check_saved,
    check_subsample,
    conv,
    pool,
    randomize,
    relu,
)

from kcv.models.classification.inception_v2 import (
    MODULES,
    inception_v2,
    inception_v2_features,
)

quarter = functools.partial(inception_v2, alpha=0.25)
quarter_features = functools.partial(inception_v2_features, alpha=0.25)


@pytest.mark.slow
def test_parameters():
    """The count of other code bases, 11,295,240, has a bias in each convolution.

    It leaves out the two statistics of each map; there are 10,016 maps.
    """
    with keras.StatelessScope(initialize_variables=False):
        model, published = inception_v2(separable_stem=False), inception_v2()
    assert model.count_params() == 11_305_256
    trainable = sum(math.prod(w.shape) for w in model.trainable_weights)
    maps = sum(la.filters for la in model.layers if isinstance(la, keras.layers.Conv2D))
    assert maps == 10_016 and trainable + maps == 11_295_240
    separable = 7 * 7 * 3 * 8 + 3 * 8 * 64
    assert published.count_params() == 11_305_256 - 9_408 + separable


@pytest.mark.slow
@pytest.mark.parametrize(("alpha", "count"), [(0.75, 6_556_192), (0.5, 3_092_672)])
def test_parameters_of_widths(alpha, count):
    with keras.StatelessScope(initialize_variables=False):
        model = inception_v2(alpha=alpha)
    assert model.count_params() == count


@pytest.mark.parametrize("separable", [True, False])
def test_same_as_numpy(separable):
    model = quarter(
        (33, 48, 3), 5, classifier_activation=None, separable_stem=separable
    )
    images = np.random.default_rng(0).uniform(-1, 1, (8, 33, 48, 3)).astype("float32")
    randomize(model, images)
    images = images[:2]
    weights = {la.name: la.get_weights() for la in model.layers}
    expected = _forward(images, weights, separable)
    scale = np.abs(expected).max()
    assert scale > 0.1 and np.ptp(expected, axis=0).max() > 0.02 * scale
    np.testing.assert_allclose(
        model(images, training=False), expected, atol=1e-4 * scale
    )


def _forward(x, weights, separable):
    def normalized(x, name):
        gamma, beta, mean, variance = weights[f"{name}_bn"]
        return relu(gamma * (x - mean) / np.sqrt(variance + 1e-3) + beta)

    def layer(x, name, strides=1):
        return normalized(conv(x, *weights[name], 0.0, strides), name)

    def module(x, name, average, strides=1):
        n = f"inception_{name}"
        pooled = pool(x, 3, strides, np.nanmean if average else np.nanmax)
        double = layer(layer(x, f"{n}_double_reduce"), f"{n}_double_1")
        branches = [
            layer(layer(x, f"{n}_3x3_reduce"), f"{n}_3x3", strides),
            layer(double, f"{n}_double_2", strides),
        ]
        if strides == 1:
            branches = [layer(x, f"{n}_1x1"), *branches]
            pooled = layer(pooled, f"{n}_projection")
        return np.concatenate([*branches, pooled], -1)

    if separable:
        depthwise, pointwise = weights["conv1"]
        maps = [conv(x[..., i : i + 1], depthwise[:, :, i : i + 1], 0.0, 2)
                for i in range(3)]  # fmt: skip
        x = normalized(np.concatenate(maps, -1) @ pointwise[0, 0], "conv1")
    else:
        x = layer(x, "conv1", 2)
    x = pool(x, 3, 2, np.nanmax)
    x = pool(layer(layer(x, "conv2_reduce"), "conv2"), 3, 2, np.nanmax)
    x = module(module(x, "3a", True), "3b", True)
    x = module(x, "3c", False, 2)
    for name in ("4a", "4b", "4c", "4d"):
        x = module(x, name, True)
    x = module(x, "4e", False, 2)
    x = module(module(x, "5a", True), "5b", False)
    kernel, bias = weights["predictions"]
    return x.mean((1, 2)) @ kernel + bias


def test_channels_are_the_sums_of_figure_5():
    """Pencil: 3a is 64 + 64 + 96 + 32; 3c is 160 + 96 and the 320 that went in."""
    images = keras.Input((32, 32, 3))
    model = keras.Model(images, inception_v2_features(images)["C5"])
    channels = {n: model.get_layer(f"inception_{n}").output.shape[-1] for n in MODULES}
    assert channels == {
        "3a": 256, "3b": 320, "3c": 576, "4a": 576, "4b": 576, "4c": 608, "4d": 608,
        "4e": 1056, "5a": 1024, "5b": 1024,
    }  # fmt: skip


def test_features():
    for output_stride, strides in ((32, (8, 16, 32)), (16, (8, 16, 16)), (8, (8,) * 3)):
        maps = quarter_features(keras.Input((64, 96, 3)), output_stride=output_stride)
        assert [maps[f"C{i}"].shape[1:3] for i in (1, 2, 3, 4, 5)] == [
            (64 // s, 96 // s) for s in (2, 4, *strides)
        ]


@pytest.mark.parametrize(("output_stride", "level"), [(16, "C5"), (8, "C4")])
def test_dilated_maps_have_the_coarse_ones(output_stride, level):
    """Apart from what follows a pooling; the map before is 5x5, so odd."""
    size = (33, 33) if level == "C4" else (65, 65)
    silent = ["inception_4"] if level == "C4" else ["inception_5"]
    check_subsample(quarter_features, size, output_stride, level, 0, silent)


def test_gradients():
    check_gradients(quarter((64, 64, 3), 3, classifier_activation=None))


def test_saved(tmp_path):
    check_saved(quarter((32, 40, 3), 3), tmp_path)


@pytest.mark.slow
def test_exported(tmp_path):
    check_exported(quarter((64, 64, 3), 4), tmp_path)


def test_refused():
    with pytest.raises(ValueError, match="at least 32 pixels"):
        inception_v2((32, 31, 3))
    with pytest.raises(ValueError, match="output_stride must be 8, 16 or 32, got 64"):
        inception_v2_features(keras.Input((32, 32, 3)), output_stride=64)
    with pytest.raises(ValueError, match="no imagenet weights .* inception_v2"):
        quarter((32, 32, 3), weights="imagenet")
