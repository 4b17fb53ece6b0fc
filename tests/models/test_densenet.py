"""DenseNet against keras.applications."""

import inspect

import keras
import numpy as np
import pytest
from residual_checks import (
    assert_dilated_equals_strided,
    assert_lives,
    assert_same_as_applications,
    export,
    shapes_only,
)

from kcv.models.classification import densenet

applications = keras.src.applications.densenet
SHORT = {depth: ((2, 3, 1, 2), k) for depth, (_, k) in densenet.BLOCKS.items()}


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setattr(densenet, "BLOCKS", SHORT)


@pytest.mark.parametrize(
    "size", [pytest.param((64, 64), marks=pytest.mark.slow), (50, 79)]
)
def test_same_logits_as_keras_applications(size, short):
    oracle = applications.DenseNet(
        [2, 3, 1, 2], weights=None, input_shape=(*size, 3), classes=7,
        classifier_activation=None,
    )  # fmt: skip
    model = densenet.densenet121((*size, 3), 7, None)
    assert_same_as_applications(model, oracle, size)


@pytest.mark.slow
@pytest.mark.parametrize("depth", [121, 169, 201])
def test_full_depths_have_the_weights_of_theirs(depth):
    """Layer by layer; what the layers compute, the short one shows."""
    with shapes_only():
        model = getattr(densenet, f"densenet{depth}")()
        oracle = getattr(keras.applications, f"DenseNet{depth}")(weights=None)
    assert [w.shape for w in model.weights] == [w.shape for w in oracle.weights]


def test_channels(short):
    """Pencil: 64 and 2 x 32 are 128; half and 3 x 32 are 160; 80 + 32; 56 + 64."""
    maps = densenet.densenet_features(keras.Input((None, None, 3)))
    assert [x.shape[-1] for x in maps.values()] == [64, 128, 160, 112, 120]


@pytest.mark.slow
def test_dilated_equals_strided(short):
    """At sizes that halve, as poolings drop what is left over."""

    def features(images, output_stride):
        return densenet.densenet_features(images, 121, output_stride)

    assert_dilated_equals_strided(features, (64, 96))


def test_pooling_in_place_by_hand():
    """Means of pixels 0 and 2 apart, right and below; zeros outside, no convolution."""
    images = keras.Input((3, 4, 2))
    pool = keras.Model(images, densenet._transition(images, 1, 2, "t"))
    pool.set_weights([np.array([[[[1.0], [0.0]]]])])
    x = np.stack([np.arange(12.0), np.ones(12)], axis=-1).reshape(1, 3, 4, 2)
    expected = np.array(
        [[0 + 2 + 8 + 10, 1 + 3 + 9 + 11, 2 + 10, 3 + 11],
         [4 + 6, 5 + 7, 6, 7],
         [8 + 10, 9 + 11, 10, 11]]
    )  # fmt: skip
    np.testing.assert_allclose(pool(x)[0, ..., 0], expected / 4)


def test_errors():
    images = keras.Input((32, 32, 3))
    with pytest.raises(ValueError, match="must be 8, 16 or 32, got 12"):
        densenet.densenet_features(images, output_stride=12)
    with pytest.raises(ValueError, match="depth 100 here; choose from 121, 169, 201"):
        densenet.densenet_features(images, 100)
    with pytest.raises(ValueError, match="at least 32 pixels"):
        densenet.densenet121((32, 31, 3))


def test_imagenet_files(short):
    """Names of keras.applications; the hashes are in its source, not in a table."""
    source = inspect.getsource(applications.DenseNet)
    for depth in (121, 169, 201):
        url, md5 = densenet._imagenet_file(depth)
        assert url == getattr(applications, f"DENSENET{depth}_WEIGHT_PATH")
        name = url.rsplit("/", 1)[1]
        assert md5 in source[source.index(name) :].split("file_hash=")[1]
    with pytest.raises(ValueError, match="no imagenet weights .* densenet161"):
        densenet.densenet161((32, 32, 3), 2, weights="imagenet")


@pytest.mark.slow
def test_life(short, tmp_path):
    assert_lives(densenet.densenet121((32, 40, 3), 4), tmp_path)


@pytest.mark.slow
def test_export(short, tmp_path):
    export(densenet.densenet121((32, 32, 3), 4), tmp_path)
