"""Pruning and clustering of a trained run, as people call them."""

import json

import keras
import numpy as np
import programs
import pytest

from kcv.tools import results

pytestmark = pytest.mark.slow


def run(tool, *flags, code=0):
    process = programs.tool(tool, *flags)
    assert process.returncode == code, process.stderr[-3000:]
    return process


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "mlp"
    flags = ("--model=mlp", "--data=digits", "--epochs=12", "--learning_rate=3e-3")
    run("train_classifier", *flags, f"--output_dir={folder}")
    return folder


def kernels(path):
    model = keras.saving.load_model(path, compile=False)
    return [np.asarray(w) for w in model.weights if w.name == "kernel"]


def test_pruned(folder, tmp_path):
    flags = ("--method=prune", "--sparsity=0.6", "--epochs=4", "--budget=0.05")
    process = run(
        "compress", f"--run_dir={folder}", *flags, f"--results_dir={tmp_path}"
    )
    assert "pruned.tflite" in process.stdout
    for kernel in kernels(folder / "pruned.keras"):
        assert np.mean(kernel == 0) == pytest.approx(0.6, abs=0.02)
    assert (folder / "pruned.tflite").stat().st_size > 10_000
    (benchmark,) = results.read_benchmarks(tmp_path)
    assert benchmark["name"] == "pruned_mlp"
    assert benchmark["ratio"] < 0.8
    pruned, whole = benchmark["details"]["accuracy"]
    assert pruned > 0.85
    test = json.loads((folder / "metrics.json").read_text())["test"]
    assert whole == pytest.approx(test["accuracy"], abs=0.02)


def test_clustered(folder):
    flags = ("--method=cluster", "--clusters=8", "--epochs=2", "--budget=0.05")
    run("compress", f"--run_dir={folder}", *flags)
    for kernel in kernels(folder / "clustered.keras"):
        assert len(np.unique(kernel)) <= 8
    assert (folder / "clustered.tflite").exists()


def test_a_wrong_folder_and_a_wrong_method(tmp_path):
    process = run("compress", f"--run_dir={tmp_path}", "--method=prune", code=1)
    line = process.stderr.splitlines()[-1]
    assert line == (
        f"error: {tmp_path} has no metrics.json: it is not a finished run of "
        "a training script"
    )
    process = run("compress", f"--run_dir={tmp_path}", "--method=zip", code=2)
    assert "prune|cluster" in process.stderr
