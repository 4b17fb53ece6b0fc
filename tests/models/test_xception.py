"""Xception against keras.applications."""

import functools

import keras
import pytest
from inception_checks import (
    check_exported,
    check_gradients,
    check_published_file,
    check_same_logits,
    check_saved,
    check_subsample,
)

from kcv.models.classification.xception import xception, xception_features

quarter = functools.partial(xception, alpha=0.25)
quarter_features = functools.partial(xception_features, alpha=0.25)


def test_parameters_of_a_quarter():
    """Pencil: a convolution has no bias, batch normalisation four numbers a map."""

    def conv(inputs, filters, area=1):
        return inputs * filters * area + 4 * filters

    def separable(inputs, filters):
        return 9 * inputs + conv(inputs, filters)

    count = conv(3, 8, 9) + conv(8, 16, 9)
    for a, b in ((16, 32), (32, 64), (64, 182)):
        count += separable(a, b) + separable(b, b) + conv(a, b)
    count += 8 * 3 * separable(182, 182)
    count += separable(182, 182) + separable(182, 256) + conv(182, 256)
    count += separable(256, 384) + separable(384, 512) + 512 * 1000 + 1000
    assert quarter().count_params() == count


@pytest.mark.slow
@pytest.mark.parametrize("size", [(72, 91), (72, 80)])
def test_same_logits_as_keras_applications(size):
    """Sizes odd and even; those of the next test are the other way round."""
    check_same_logits(xception, keras.applications.Xception, size)


@pytest.mark.slow
def test_published_file(tmp_path, monkeypatch):
    check_published_file(
        xception, keras.applications.Xception, (71, 80), tmp_path, monkeypatch
    )


def test_features():
    for output_stride, strides in ((32, (8, 16, 32)), (16, (8, 16, 16)), (8, (8,) * 3)):
        maps = quarter_features(keras.Input((71, 131, 3)), output_stride=output_stride)
        sizes = [-(-71 // s) for s in strides]
        assert [maps[f"C{i}"].shape[1] for i in (3, 4, 5)] == sizes
    channels = [maps[f"C{i}"].shape[-1] for i in (1, 2, 3, 4, 5)]
    assert channels == [16, 32, 64, 182, 512]
    assert [maps[f"C{i}"].shape[1:3] for i in (1, 2)] == [(33, 63), (17, 32)]


@pytest.mark.parametrize(("output_stride", "level"), [(16, "C5"), (8, "C4")])
def test_dilated_maps_have_the_coarse_ones(output_stride, level):
    """At 71 pixels the maps before are 9x9 and 5x5, so odd."""
    check_subsample(quarter_features, (71, 71), output_stride, level, 0)


def test_gradients():
    check_gradients(quarter((48, 48, 3), 3, classifier_activation=None))


def test_saved(tmp_path):
    check_saved(quarter((32, 40, 3), 3), tmp_path)


@pytest.mark.slow
def test_exported(tmp_path):
    check_exported(quarter((64, 64, 3), 4), tmp_path)


def test_refused():
    with pytest.raises(ValueError, match="at least 32 pixels"):
        xception((32, 31, 3))
    with pytest.raises(ValueError, match="output_stride must be 8, 16 or 32, got 0"):
        xception_features(keras.Input((32, 32, 3)), output_stride=0)
    with pytest.raises(ValueError, match="alpha 0.25; published: 1.0"):
        quarter((32, 32, 3), weights="imagenet")
