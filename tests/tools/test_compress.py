"""Pruning and clustering of a trained run, as people call them."""

import json

import keras
import numpy as np
import pytest
from script_calls import several

from kcv.tools import results

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """(folder of the run, folder of the results, answers of the calls)."""
    place = tmp_path_factory.mktemp("compress")
    folder = place / "mlp"
    flags = ["--model=mlp", "--data=digits", "--epochs=12", "--learning_rate=3e-3"]
    trained = several("train_classifier", {"": [*flags, f"--output_dir={folder}"]})
    assert trained[""][0] == 0, trained
    run = [f"--run_dir={folder}", "--budget=0.05"]
    prune = ["--method=prune", "--sparsity=0.6", "--epochs=4"]
    calls = {
        "prune": [*run, *prune, f"--results_dir={place / 'results'}"],
        "cluster": [*run, "--method=cluster", "--clusters=8", "--epochs=2"],
        "no run": [f"--run_dir={place}", "--method=prune"],
        "zip": [f"--run_dir={place}", "--method=zip"],
    }
    answers = several("compress", calls)
    for what in ("prune", "cluster"):
        assert answers[what][0] == 0, answers[what]
    return folder, place / "results", answers


def kernels(path):
    model = keras.saving.load_model(path, compile=False)
    return [np.asarray(w) for w in model.weights if w.name == "kernel"]


def test_pruned(place):
    folder, kept, answers = place
    assert "pruned.tflite" in answers["prune"][1]
    for kernel in kernels(folder / "pruned.keras"):
        assert np.mean(kernel == 0) == pytest.approx(0.6, abs=0.02)
    assert (folder / "pruned.tflite").stat().st_size > 10_000
    (benchmark,) = results.read_benchmarks(kept)
    assert benchmark["name"] == "pruned_mlp"
    assert benchmark["ratio"] < 0.8
    pruned, whole = benchmark["details"]["accuracy"]
    assert pruned > 0.85
    test = json.loads((folder / "metrics.json").read_text())["test"]
    assert whole == pytest.approx(test["accuracy"], abs=0.02)


def test_clustered(place):
    for kernel in kernels(place[0] / "clustered.keras"):
        assert len(np.unique(kernel)) <= 8
    assert (place[0] / "clustered.tflite").exists()


def test_a_wrong_folder_and_a_wrong_method(place):
    folder, _, answers = place
    code, _, error = answers["no run"]
    assert code == 1
    assert error.splitlines()[-1] == (
        f"error: {folder.parent} has no metrics.json: it is not a finished run of "
        "a training script"
    )
    code, _, error = answers["zip"]
    assert code == 2 and "prune|cluster" in error
