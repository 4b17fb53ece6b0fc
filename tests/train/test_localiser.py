import json

import keras
import numpy as np
import pytest
from PIL import Image

from kcv.losses.localisation import localisation_loss
from kcv.train import localiser

TRUTH = np.float32([[0, 0, 8, 8], [0, 0, 8, 8], [4, 4, 8, 8], [0, 0, 0, 0]])
FOUND = np.float32([[0, 0, 8, 4], [0, 0, 2, 2], [4, 4, 8, 8], [0, 0, 0, 0]])
LABELS = np.array([0, 0, 1, -1], "int32")
PROBABILITIES = np.float32([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.5, 0.5]])


def fixed_model(images, training):
    return {"boxes": FOUND, "predictions": PROBABILITIES}


def test_losses_and_metrics_by_pencil():
    """IoU 1/2, 1/16, 1, 0; the third class is wrong, in the fourth is nothing."""
    losses = localiser.localisation_losses((8, 8), box_weight=3.0)
    batch = {"images": None, "labels": LABELS, "boxes": TRUTH}
    values, metrics = losses(fixed_model, batch, training=True)
    expected = localisation_loss(LABELS, TRUTH, PROBABILITIES, FOUND, (8, 8), 3.0)
    np.testing.assert_allclose(values["localisation"], expected)
    assert float(values["localisation"][3]) == 0
    np.testing.assert_allclose(metrics["mean_iou"], [0.5, 1 / 16, 1, 0], atol=1e-6)
    np.testing.assert_array_equal(metrics["accuracy"], [1, 1, 0, 0])
    np.testing.assert_array_equal(metrics["localisation_accuracy"], [1, 0, 0, 0])


def mean_colour_model():
    """Says the class of the brighter of two channels, and always the same box."""
    images = keras.Input((8, 8, 3))
    x = keras.layers.GlobalAveragePooling2D()(images)
    kernel = np.float32([[9, 0], [0, 9], [0, 0]])
    dense = keras.layers.Dense(2, activation="softmax", name="predictions")
    answers = dense(x)
    dense.set_weights([kernel, np.zeros(2)])
    boxes = keras.layers.Dense(4, name="boxes")
    found = boxes(x)
    boxes.set_weights([np.zeros((3, 4)), np.float32([0, 0, 8, 8])])
    return keras.Model(images, {"boxes": found, "predictions": answers})


def test_results_on_disk(tmp_path):
    images = np.zeros((6, 8, 8, 3), "float32")
    images[[0, 1, 2], ..., 0] = 1
    images[[3, 4, 5], ..., 1] = 1
    test = {
        "images": images,
        "labels": np.array([0, 0, 1, 1, 1, -1], "int32"),
        "boxes": np.float32([[0, 0, 8, 8], [0, 0, 4, 4], *[[0, 0, 8, 6]] * 4]),
    }
    history = [{"epoch": 1, "loss": 1.0, "validation_loss": 2.0, "learning_rate": 0.1}]
    facts = {"labels": ["red", "green"], "pixel_range": (0.0, 1.0)}
    baseline = (1, np.float32([0, 0, 8, 5]))
    model = mean_colour_model()
    scores = localiser.write_results(model, test, baseline, history, tmp_path, facts)
    assert scores["accuracy"] == pytest.approx(4 / 5)
    assert scores["localisation_accuracy"] == pytest.approx(3 / 5)
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["test"]["baseline_localisation_accuracy"] == pytest.approx(3 / 5)
    assert metrics["test"]["baseline_accuracy"] == pytest.approx(3 / 5)
    assert metrics["validation"] == {"loss": 2.0}
    for name in ("samples", "curves"):
        assert min(Image.open(tmp_path / f"{name}.png").size) > 200
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(
        again(images)["predictions"], model(images)["predictions"]
    )
