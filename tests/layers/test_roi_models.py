"""The RoI layers inside a model: trained, saved and loaded, exported."""

import keras
import numpy as np
import pytest
from keras import layers

from kcv.export import convert
from kcv.layers import multilevel_roi_align
from kcv.layers.multilevel_roi_align import MultilevelRoIAlign
from kcv.layers.ps_roi_pool import PSRoIPool
from kcv.layers.roi_align import RoIAlign
from kcv.layers.roi_pool import RoIPool


def _model():
    """All four, on boxes that differ from image to image."""
    images = keras.Input((48, 64, 3), name="images")
    x = layers.Conv2D(8, 4, 4, activation="relu", name="stem")(images)
    boxes = layers.Flatten()(layers.AveragePooling2D(4)(x))
    boxes = layers.Dense(5 * 4, name="boxes")(boxes)
    boxes = layers.Reshape((5, 4))(layers.Rescaling(40.0, 20.0)(boxes))
    y = layers.MaxPooling2D(2)(x)
    scores = layers.Conv2D(2 * 9, 1, name="scores")(x)
    outputs = {
        "align": RoIAlign(7, 4, sampling_ratio=1, name="align")(x, boxes),
        "levels": MultilevelRoIAlign(7, 3, 3, 24, name="levels")(
            {"P2": x, "P3": y}, boxes
        ),
        "pool": RoIPool(7, stride=4, name="pool")(x, boxes),
        "ps": PSRoIPool(3, stride=4, name="ps")(scores, boxes),
    }
    return keras.Model(images, outputs, name="rois")


def _images(n):
    return np.random.default_rng(0).uniform(-1, 1, (n, 48, 64, 3)).astype("float32")


def test_trains_saves_and_loads(tmp_path):
    """All weights before the layers learn, but for those of boxes: no gradient."""
    model, images = _model(), _images(2)
    shapes = {"align": (7, 7, 8), "levels": (7, 7, 8), "pool": (7, 7, 8)}
    shapes = {name: (None, 5, *s) for name, s in (shapes | {"ps": (3, 3, 2)}).items()}
    assert {name: x.shape for name, x in model.output.items()} == shapes
    model.compile("sgd", {name: "mse" for name in shapes}, run_eagerly=True)
    before = {w.path: w.numpy() for w in model.weights}
    model.train_on_batch(images, {k: np.ones((2, *s[1:])) for k, s in shapes.items()})
    moved = {w.path for w in model.weights if np.any(w.numpy() != before[w.path])}
    assert moved == {path for path in before if not path.startswith("boxes")}
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    wanted, got = model(images), loaded(images)
    for name in shapes:
        assert np.ptp(wanted[name]) > 0.1
        np.testing.assert_array_equal(got[name], wanted[name])
        config = model.get_layer(name).get_config()
        assert loaded.get_layer(name).get_config() == config


@pytest.mark.slow
def test_export(tmp_path, monkeypatch):
    """With the gather of large pyramids; the products are those of the other layer."""
    monkeypatch.setattr(multilevel_roi_align, "PRODUCTS", 0)
    model = _model()
    report = convert(model, tmp_path / "rois.tflite", probes=_images(8), task="rois")
    assert report.path.is_file()
    assert set(report.parity) == {"align", "levels", "pool", "ps"}
    assert report.operators["BATCH_MATMUL"] >= 5 and report.operators["GATHER"] >= 5
