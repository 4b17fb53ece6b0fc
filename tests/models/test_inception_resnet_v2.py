"""Inception-ResNet-v2 against keras.applications."""

import functools

import keras
import numpy as np
import pytest
from inception_checks import (
    check_exported,
    check_gradients,
    check_published_file,
    check_same_logits,
    check_saved,
    check_subsample,
    randomize,
)
from keras import layers

from kcv.models.classification.inception_resnet_v2 import (
    inception_resnet_v2,
    inception_resnet_v2_features,
)

small = functools.partial(inception_resnet_v2, repeats=(1, 1, 1))
tiny = functools.partial(small, alpha=0.25)
tiny_features = functools.partial(
    inception_resnet_v2_features, repeats=(1, 1, 1), alpha=0.25
)


def test_parameters_of_the_small_one():
    """Pencil: what the modules left out of each kind have, by Figures 16, 17 and 19."""

    def normalized(inputs, filters, area):
        return inputs * filters * area + 3 * filters

    def up(filters, channels):
        return filters * channels + channels

    a = 3 * normalized(320, 32, 1) + normalized(32, 32, 9) + up(128, 320)
    a += normalized(32, 48, 9) + normalized(48, 64, 9)
    b = normalized(1088, 192, 1) + normalized(1088, 128, 1) + up(384, 1088)
    b += normalized(128, 160, 7) + normalized(160, 192, 7)
    c = 2 * normalized(2080, 192, 1) + up(448, 2080)
    c += normalized(192, 224, 3) + normalized(224, 256, 3)
    with keras.StatelessScope(initialize_variables=False):
        model = small()
    assert model.count_params() == 55_873_736 - 9 * a - 19 * b - 9 * c


@pytest.mark.slow
def test_same_logits_as_keras_applications():
    """At other sizes than in the next test."""
    theirs = keras.applications.InceptionResNetV2
    check_same_logits(inception_resnet_v2, theirs, (76, 91))


@pytest.mark.slow
def test_published_file(tmp_path, monkeypatch):
    theirs = keras.applications.InceptionResNetV2
    check_published_file(inception_resnet_v2, theirs, (75, 80), tmp_path, monkeypatch)


def test_residuals_are_scaled():
    """Trap: with silent branches a module is its ReLU; otherwise the scale counts."""
    images = keras.Input((75, 75, 3))
    maps = inception_resnet_v2_features(images, (1, 1, 2), 0.25)
    model = keras.Model(images, maps)
    layer = {la.name: la for la in model.layers}
    scales = {
        n: la.scale for n, la in layer.items() if isinstance(la, layers.Rescaling)
    }
    assert scales == {"A1_scale": 0.17, "B1_scale": 0.1, "C1_scale": 0.2}
    batch = np.random.default_rng(0).uniform(-1, 1, (2, 75, 75, 3)).astype("float32")
    randomize(model, batch)
    probe = keras.Model(
        images, [layer["mixed_6a"].output, layer["B1_up"].output, maps["C4"]]
    )
    before, residual, after = map(np.asarray, probe(batch))
    np.testing.assert_allclose(after, np.maximum(before + 0.1 * residual, 0), atol=1e-4)
    assert np.abs(residual).max() > 0.1


def test_features():
    for output_stride, sizes in ((32, (10, 4, 1)), (16, (10, 4, 4)), (8, (10,) * 3)):
        maps = tiny_features(keras.Input((99, 131, 3)), output_stride=output_stride)
        assert [maps[f"C{i}"].shape[1] for i in (3, 4, 5)] == list(sizes)
    channels = [maps[f"C{i}"].shape[-1] for i in (1, 2, 3, 4, 5)]
    assert channels == [16, 48, 80, 272, 384]
    assert [maps[f"C{i}"].shape[1:3] for i in (1, 2)] == [(47, 63), (21, 29)]


@pytest.mark.parametrize(("output_stride", "level"), [(16, "C5"), (8, "C4")])
def test_dilated_maps_have_the_coarse_ones(output_stride, level):
    """The maps before are 11x11 and 5x5, so odd; no residual module has a pooling."""
    check_subsample(tiny_features, (107, 107), output_stride, level, 1)


def test_gradients():
    check_gradients(tiny((75, 75, 3), 3, classifier_activation=None))


def test_saved(tmp_path):
    check_saved(tiny((75, 80, 3), 3), tmp_path)


@pytest.mark.slow
def test_exported(tmp_path):
    """The scale costs no operator: the converter folds it into the convolution."""
    reports = check_exported(tiny((75, 75, 3), 4), tmp_path)
    for report in reports.values():
        assert "MUL" not in report.operators


def test_refused():
    with pytest.raises(ValueError, match="at least 75 pixels"):
        inception_resnet_v2((75, 74, 3))
    for repeats in ((1, 1), (1, 0, 1)):
        with pytest.raises(ValueError, match="repeats must be three numbers .*, got"):
            inception_resnet_v2((75, 75, 3), repeats=repeats)
    with pytest.raises(ValueError, match="output_stride must be 8, 16 or 32, got 2"):
        inception_resnet_v2_features(keras.Input((75, 75, 3)), output_stride=2)
    with pytest.raises(
        ValueError, match=r"\(1, 1, 1\) and alpha 0.25; published: \(10"
    ):
        tiny((75, 75, 3), weights="imagenet")
