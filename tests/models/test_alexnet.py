"""AlexNet against a slow NumPy network, and its towers against full connections."""

import classics_reference as reference
import keras
import numpy as np
import pytest

from kcv.export import convert
from kcv.layers.local_response_norm import LocalResponseNorm
from kcv.models.classification.alexnet import (
    ONE_TOWER,
    TWO_TOWERS,
    alexnet,
    alexnet_features,
    alexnet_one_tower,
    alexnet_one_tower_features,
)

TINY = {"alpha": 1 / 16, "classifier_activation": None}
BUILDERS = [(alexnet, 67), (alexnet_one_tower, 63)]


@pytest.mark.parametrize(
    ("build", "arguments", "published"),
    [
        (alexnet, {}, 60_965_224),
        (alexnet, {"groups": 1}, 62_378_344),
        (alexnet_one_tower, {}, 61_100_840),
        (alexnet, {"alpha": 0.25}, 4_587_592),
        (alexnet_one_tower, {"alpha": 0.25}, 4_593_848),
    ],
)
def test_parameters(build, arguments, published):
    """Those of alpha 1 are published."""
    with keras.StatelessScope(initialize_variables=False):  # shapes without memory
        model = build(**arguments)
    assert model.count_params() == published
    assert f"{published:,}" in build.__doc__


def test_parameters_of_the_layers():
    """Pencil: filters x (kernel x kernel x maps of its own tower + 1)."""
    images = keras.Input((227, 227, 3))
    model = keras.Model(images, alexnet_features(images)["C5"])
    counts = [la.count_params() for la in model.layers if la.weights]
    assert counts == [
        96 * (11 * 11 * 3 + 1),
        256 * (5 * 5 * 48 + 1),
        384 * (3 * 3 * 256 + 1),
        384 * (3 * 3 * 192 + 1),
        256 * (3 * 3 * 192 + 1),
    ]


@pytest.mark.parametrize(
    ("features", "size", "channels"),
    [
        (alexnet_features, 227, (96, 256, 256, 256)),
        (alexnet_one_tower_features, 224, (64, 192, 256, 256)),
    ],
)
def test_maps_are_the_papers(features, size, channels):
    maps = features(keras.Input((size, size, 3)))
    assert {level: x.shape[1:] for level, x in maps.items()} == {
        f"C{i}": (s, s, c) for i, s, c in zip((2, 3, 4, 5), (55, 27, 13, 6), channels)
    }


@pytest.mark.parametrize(
    ("build", "table", "groups"),
    [(alexnet, TWO_TOWERS, 2), (alexnet_one_tower, ONE_TOWER, 1)],
)
def test_logits_equal_numpy(build, table, groups):
    """Raw pixels, for the normalisation to be more than a factor."""
    model = reference.random_biases(build((83, 67, 3), 7, **TINY))
    images = reference.random_images(2, 83, 67, 3, scale=70.0)
    x = images.astype("float64")
    for i, (_, kernel_size, strides, in_tower) in enumerate(table, start=1):
        padding = kernel_size // 2 if i > 1 else 0 if groups == 2 else 2
        x = reference.conv(
            x, model.get_layer(f"conv{i}"), strides, padding, groups if in_tower else 1
        )
        x = reference.norm(x) if groups == 2 and i <= 2 else x
        x = reference.pool(x, 3) if i in (1, 2, 5) else x
    expected = reference.dense(x, model)
    scale = np.abs(expected).max()
    assert np.ptp(expected, axis=0).max() > 0.1 * scale
    np.testing.assert_allclose(model(images), expected, atol=1e-4 * scale)


def test_towers_are_a_full_connection_with_zeros():
    """Special case: kernels that are zero between the towers do without groups."""
    towers = reference.random_biases(alexnet((67, 75, 3), 5, **TINY))
    full = alexnet((67, 75, 3), 5, groups=1, **TINY)
    for ours, theirs in zip(towers.layers, full.layers):
        weights = ours.get_weights()
        if ours.name in ("conv2", "conv4", "conv5"):
            kernel = weights[0]
            half, filters = kernel.shape[2], kernel.shape[3] // 2
            weights[0] = np.zeros((*kernel.shape[:2], 2 * half, 2 * filters))
            weights[0][:, :, :half, :filters] = kernel[..., :filters]
            weights[0][:, :, half:, filters:] = kernel[..., filters:]
        theirs.set_weights(weights)
    images = reference.random_images(2, 67, 75, 3)
    expected = np.asarray(towers(images))
    assert np.ptp(expected) > 0.1
    np.testing.assert_allclose(full(images), expected, atol=1e-4)


@pytest.mark.parametrize("features", [alexnet_features, alexnet_one_tower_features])
def test_dilated_maps_hold_the_usual_ones(features):
    def narrow(images, output_stride):
        return features(images, output_stride, alpha=1 / 16)

    reference.check_dilated(narrow, (131, 99, 3), {16: {}, 8: {}})


def test_parts_of_the_paper():
    """Normalisation after two layers, overlapping pooling, dropout of half."""
    model = alexnet((67, 67, 3), 2, alpha=1 / 16)
    norms = [la for la in model.layers if isinstance(la, LocalResponseNorm)]
    assert [la.name for la in norms] == ["norm1", "norm2"]
    assert (norms[0].depth_radius, norms[0].bias, norms[0].alpha, norms[0].beta) == (
        2, 2.0, 1e-4, 0.75,
    )  # fmt: skip
    pools = [la for la in model.layers if isinstance(la, keras.layers.MaxPooling2D)]
    assert [(la.pool_size, la.strides) for la in pools] == [((3, 3), (2, 2))] * 3
    drops = [la for la in model.layers if isinstance(la, keras.layers.Dropout)]
    assert [(la.name, la.rate) for la in drops] == [
        ("fc6_dropout", 0.5),
        ("fc7_dropout", 0.5),
    ]


@pytest.mark.parametrize(("build", "smallest"), BUILDERS)
def test_minimum_is_the_smallest_that_builds(build, smallest):
    build((smallest, smallest, 3), **TINY)
    with pytest.raises(ValueError, match=f"at least {smallest} pixels"):
        build((smallest - 1, 80, 3), **TINY)


def test_errors():
    with pytest.raises(ValueError, match="must be 8, 16 or 32, got 4"):
        alexnet_features(keras.Input((67, 67, 3)), output_stride=4)
    with pytest.raises(ValueError, match="no imagenet weights were published for alex"):
        alexnet((67, 67, 3), weights="imagenet", **TINY)


@pytest.mark.parametrize(("build", "smallest"), BUILDERS)
def test_saves_loads_and_trains(build, smallest, tmp_path):
    keras.utils.set_random_seed(0)
    model = build((smallest, smallest + 9, 3), 4, alpha=1 / 16)
    reference.check_life(model, tmp_path / "model.keras")


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["float32", "int8"])
@pytest.mark.parametrize(("build", "smallest"), BUILDERS)
def test_exports(build, smallest, mode, tmp_path):
    keras.utils.set_random_seed(0)
    model = build((smallest, smallest, 3), 4, alpha=1 / 16)
    path = tmp_path / "x.tflite"
    images = reference.random_images(64, smallest, smallest, 3).clip(-1, 1)
    report = convert(model, path, quantize=mode, calibration=images)
    norms = 2 if build is alexnet else 0
    assert report.operators["CONV_2D"] == 5 + norms
