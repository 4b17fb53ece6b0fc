"""Published weights answer alike for our pixels and for theirs.

The residual ones have a unit or two a stage here: theirs come from the same functions.
"""

import keras
import numpy as np
import pytest
from residual_checks import pictures, randomize
from test_densenet import SHORT
from test_resnet import short_applications
from test_weights import _write_legacy

from kcv.models.classification import densenet, resnet, vgg
from kcv.models.pixel_mean import CAFFE_MEAN, from_caffe, subtract_mean

SIZE = {"classes": 7, "classifier_activation": None, "input_shape": (33, 32, 3)}
CASES = {
    "vgg": (vgg.vgg16, keras.applications.VGG16, keras.applications.vgg16),
    "resnet": (resnet.resnet50, lambda **size: short_applications((33, 32)),
               keras.applications.resnet),
    "densenet": (densenet.densenet121,
                 lambda **size: keras.src.applications.densenet.DenseNet(
                     [2, 3, 1, 2], **size),
                 keras.applications.densenet),
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "suffix"),
    [
        pytest.param("vgg", "h5", marks=pytest.mark.slow),
        pytest.param("resnet", "keras", marks=pytest.mark.slow),
        pytest.param("resnet", "h5", marks=pytest.mark.slow),
        ("densenet", "h5"),
    ],
)
def test_published_file_for_our_pixels(name, suffix, tmp_path, monkeypatch):
    """Both borders and channels count: a flip or a shift more would show."""
    blocks = {depth: (2, 1, 2, 1) for depth in resnet.BLOCKS}
    monkeypatch.setattr(resnet, "BLOCKS", blocks)
    monkeypatch.setattr(densenet, "BLOCKS", SHORT)
    build, theirs, module = CASES[name]
    oracle = theirs(weights=None, **SIZE)
    randomize(oracle, pictures(8, (33, 32)))
    path = tmp_path / f"theirs.{suffix}"
    _write_legacy(oracle, path) if suffix == "h5" else oracle.save(path)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 33, 32, 3)).astype("float32")
    expected = np.asarray(oracle(module.preprocess_input(pixels.copy())))
    scale = np.abs(expected).max()
    assert 0.1 < scale < 1e6
    ours = build(weights=path, **SIZE)
    found = np.asarray(ours(pixels / 127.5 - 1))
    np.testing.assert_allclose(found, expected, atol=1e-4 * scale)
    other = np.asarray(ours(pixels[..., ::-1] / 127.5 - 1))
    assert np.abs(other - expected).max() > 1e-3 * scale

    ours.save(tmp_path / "ours.keras")  # and ours is not changed again
    again = build(weights=tmp_path / "ours.keras", **SIZE)
    np.testing.assert_array_equal(again(pixels / 127.5 - 1), found)


def test_grey_images_have_no_mean_colour():
    images = keras.Input((8, 8, 1))
    assert subtract_mean(images, CAFFE_MEAN) is images
    kernel = np.ones((3, 3, 1, 2), "float32")
    assert from_caffe([kernel])[0] is kernel
