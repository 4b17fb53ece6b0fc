import json

import keras
import numpy as np
import pytest
from PIL import Image

from kcv.models.classification import verification
from kcv.train import verifier

RNG = np.random.default_rng(0)


def small(classes=4):
    keras.utils.set_random_seed(0)
    return verification.arcface(
        (32, 32, 3), classes, alpha=0.25, embedding=8, margin=0.3, scale=4.0
    )


def people(classes, each, seed=0):
    """Pictures of a colour for each person, with noise."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), each)
    colours = rng.uniform(-0.8, 0.8, (classes, 1, 1, 3))
    images = colours[labels] + rng.normal(0, 0.1, (len(labels), 32, 32, 3))
    return {"images": images.astype("float32"), "labels": labels.astype("int32")}


def test_loss_is_the_cross_entropy_with_the_margin():
    model, batch = small(), people(4, 2)
    for layer in model.layers:  # without statistics all answers are the same
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    model(batch["images"], training=True)
    losses = verifier.verification_losses(model)
    values, metrics = losses(model, batch, training=False)
    logits = np.asarray(verification.with_margin(model)(batch), "float64")
    top = logits.max(axis=1)
    total = np.log(np.exp(logits - top[:, None]).sum(axis=1)) + top
    expected = total - logits[np.arange(8), batch["labels"]]
    np.testing.assert_allclose(values["cross_entropy"], expected, rtol=1e-4)
    answers = np.asarray(model(batch["images"]))
    right = answers.argmax(axis=1) == batch["labels"]
    lowest, highest = np.sort(answers, axis=1)[:, -2:].T
    clear = highest - lowest > 1e-4  # a draw may be rounded either way
    assert clear.sum() >= 4
    np.testing.assert_array_equal(np.array(metrics["accuracy"])[clear], right[clear])


def test_cosines_of_any_length_and_form():
    vectors = np.float32([[[3, 4]], [[6, 8]], [[-4, 3]], [[0, 0]]])
    found = verifier.cosines(vectors, np.array([[0, 1], [0, 2], [0, 3]]))
    np.testing.assert_allclose(found, [1, 0, 0], atol=1e-6)


def test_judged_pairs_are_as_many_of_both_kinds(monkeypatch):
    """Labels 0 0 0 1: three pairs of the same, three of two."""
    indices, same = verifier.judged_pairs(np.array([0, 0, 0, 1]))
    assert len(indices) == 6 and same.sum() == 3
    monkeypatch.setattr(verifier, "PAIRS", 2)
    _, same = verifier.judged_pairs(np.array([0, 0, 0, 1]))
    assert (same.sum(), (~same).sum()) == (2, 2)
    for labels in ([0, 1, 2], [0, 0]):
        with pytest.raises(ValueError, match="make no pairs: two pictures of each"):
            verifier.judged_pairs(np.array(labels))


def test_pairs_of_unequal_numbers_are_drawn(tmp_path):
    """One right pair of the same and two of others, no mistake."""
    images = people(2, 2)["images"]
    indices = np.array([[0, 1], [0, 2], [1, 3]])
    same, scores = np.array([True, False, False]), np.array([0.9, 0.1, -0.2])
    path = tmp_path / "x.png"
    verifier.save_pairs(images, indices, same, scores, 0.5, path, (-1.0, 1.0))
    assert min(Image.open(path).size) > 150


@pytest.mark.slow
def test_results_on_disk(tmp_path):
    """Pixels of these people tell all pairs apart, so the baseline is perfect."""
    model = small()
    history = [
        {"epoch": 1, "loss": 1.0, "validation_equal_error_rate": 0.5, "seconds": 1.0}
    ]
    facts = {"pixel_range": (-1.0, 1.0)}
    found = verifier.write_results(
        model, people(3, 4), people(4, 5, seed=1), history, tmp_path, facts
    )
    assert found["pairs"] == 2 * 4 * 10
    assert found["baseline_equal_error_rate"] < 0.1
    assert 0 <= found["equal_error_rate"] <= 1
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert -1 <= metrics["threshold"] <= 1
    assert metrics["test"] == found
    assert metrics["validation"] == {"equal_error_rate": 0.5}
    for name in ("samples", "curves", "roc"):
        assert min(Image.open(tmp_path / f"{name}.png").size) > 200

    batches = [people(4, 5, seed=1)]
    validate = verifier.make_validate(model, lambda: batches)
    error = validate()["equal_error_rate"]
    assert error == pytest.approx(found["equal_error_rate"], abs=1e-3)
