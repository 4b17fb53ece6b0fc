"""Inception-v3 against keras.applications, and its head for training."""

import functools
import math

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

from kcv.models.classification.inception_v3 import (
    LOSS_WEIGHTS,
    inception_v3,
    inception_v3_features,
)

quarter = functools.partial(inception_v3, alpha=0.25)
quarter_features = functools.partial(inception_v3_features, alpha=0.25)


@pytest.mark.slow
def test_parameters():
    """The head of other code bases has 3,326,696 trainable ones, with a gamma."""
    with keras.StatelessScope(initialize_variables=False):
        model = inception_v3(auxiliary=True)
    assert model.count_params() == 27_179_376
    head = [la for la in model.layers if la.name.startswith("auxiliary")]
    trainable = sum(math.prod(w.shape) for la in head for w in la.trainable_weights)
    assert trainable + 128 + 768 == 3_326_696 == 27_161_264 - 23_834_568


@pytest.mark.slow
def test_parameters_of_half_the_width():
    with keras.StatelessScope(initialize_variables=False):
        model = inception_v3(alpha=0.5)
    assert model.count_params() == 6_488_824


@pytest.mark.slow
def test_same_logits_as_keras_applications():
    """At other sizes than in the next test."""
    check_same_logits(inception_v3, keras.applications.InceptionV3, (76, 91))


@pytest.mark.slow
def test_published_file(tmp_path, monkeypatch):
    """It has no auxiliary head: with one, the body loads and the head is random."""

    def with_head(*args, **kwargs):
        model = inception_v3(*args, **kwargs, auxiliary=True)
        return keras.Model(model.input, model.output["predictions"])

    theirs, size = keras.applications.InceptionV3, (107, 110)
    check_published_file(inception_v3, theirs, size, tmp_path, monkeypatch, with_head)


def test_training_file_serves_inference_and_back(tmp_path):
    """At another size, too: nothing of the body depends on it."""
    images = np.random.default_rng(0).uniform(-1, 1, (2, 107, 107, 3))
    with_head = quarter((107, 107, 3), 5, auxiliary=True)
    randomize(with_head, images)
    with_head.save(tmp_path / "head.keras")
    answers = with_head(images, training=False)
    assert set(answers) == set(LOSS_WEIGHTS)
    plain = quarter((107, 107, 3), 5, weights=tmp_path / "head.keras")
    expected = answers["predictions"]
    np.testing.assert_array_equal(plain(images, training=False), expected)
    plain.save(tmp_path / "plain.keras")
    again = quarter((111, 107, 3), 5, weights=tmp_path / "plain.keras", auxiliary=True)
    np.testing.assert_array_equal(
        again.get_layer("mixed9_branch0_last").kernel,
        plain.get_layer("mixed9_branch0_last").kernel,
    )


def test_features():
    for output_stride, sizes in ((32, (10, 4, 1)), (16, (10, 4, 4)), (8, (10,) * 3)):
        maps = quarter_features(keras.Input((99, 131, 3)), output_stride=output_stride)
        assert [maps[f"C{i}"].shape[1] for i in (3, 4, 5)] == list(sizes)
    assert [maps[f"C{i}"].shape[1:] for i in (1, 2)] == [(47, 63, 16), (21, 29, 48)]


@pytest.mark.parametrize(("output_stride", "level"), [(16, "C5"), (8, "C4")])
def test_dilated_maps_have_the_coarse_ones(output_stride, level):
    """Apart from what follows a pooling; the maps before are 11x11 and 5x5, so odd."""
    silent = [f"mixed{i}" for i in ((9, 10) if level == "C5" else (4, 5, 6, 7))]
    check_subsample(quarter_features, (107, 107), output_stride, level, 1, silent)


def test_gradients():
    check_gradients(
        quarter((107, 107, 3), 3, classifier_activation=None, auxiliary=True)
    )


@pytest.mark.slow
def test_saved(tmp_path):
    check_saved(quarter((75, 80, 3), 3), tmp_path)


@pytest.mark.slow
def test_exported(tmp_path):
    check_exported(quarter((75, 75, 3), 4), tmp_path)


def test_refused():
    with pytest.raises(ValueError, match="at least 75 pixels"):
        inception_v3((74, 75, 3))
    with pytest.raises(ValueError, match="at least 107 pixels"):
        inception_v3((107, 106, 3), auxiliary=True)
    with pytest.raises(ValueError, match="output_stride must be 8, 16 or 32, got '8'"):
        inception_v3_features(keras.Input((75, 75, 3)), output_stride="8")
    with pytest.raises(ValueError, match="alpha 0.25; published: 1.0"):
        quarter((75, 75, 3), weights="imagenet")


def test_minimum_of_the_head_is_the_smallest_that_builds():
    """Pencil: 107, 53, 51, 25, 23, 11, 5; a pixel less, and 4 are too few for 5x5."""
    maps = quarter_features(keras.Input((107, 106, 3)))
    assert maps["C4"].shape[1:3] == (5, 4)
