"""From folders of people to files that compare pictures, as people call it."""

import csv
import json
import subprocess
import sys

import numpy as np
import programs
import pytest
from PIL import Image
from script_calls import several

import kcv.edge
from kcv.tools import results

pytestmark = pytest.mark.slow

FILES = {
    *("model.keras", "metrics.json", "history.csv", "recipe.json", "roc.png"),
    *("curves.png", "samples.png", "checkpoints", "tensorboard"),
}


def people(folder, count=12, pictures=16):
    """A noisy square of the person's colour, at any place on grey."""
    rng = np.random.default_rng(0)
    levels = np.meshgrid(*[(20, 120, 230)] * 3)
    colours = rng.permutation(np.reshape(levels, (3, 27)).T)
    for person in range(count):
        (folder / f"person {person}").mkdir(parents=True)
        for number in range(pictures):
            image = np.full((40, 36, 3), 128)
            x, y = rng.integers(0, 8, 2)
            image[y : y + 32, x : x + 28] = colours[person]
            image = np.clip(image + rng.normal(0, 15, image.shape), 0, 255)
            path = folder / f"person {person}" / f"{number}.png"
            Image.fromarray(image.astype("uint8")).save(path)
    return folder


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """(folder of the run, answers of the calls)."""
    folder = tmp_path_factory.mktemp("verifier")
    data, run = people(folder / "data"), folder / "run"
    train = ["--model=arcface_025", f"--data={data}",
             "--image_size=32", "--batch_size=16", "--epochs=24", "--margin=0.1",
             "--scale=8", "--learning_rate=4e-3", "--dropout=0",
             f"--output_dir={run}"]  # fmt: skip
    measure = [f"--run_dir={run}", f"--results_dir={folder / 'results'}",
               "--budget=1", "--threads=1", "--runs=2"]  # fmt: skip
    calls = {"train": train, "again": train, "other": [*train, "--margin=0.5"]}
    answers = several("train_verifier", calls)
    answers |= several("measure", {"measure": measure})
    for what in ("train", "again", "measure"):
        assert answers[what][0] == 0, answers[what]
    return folder, answers


def test_a_run_leaves_everything_behind(place):
    folder, answers = place
    assert {path.name for path in (folder / "run").iterdir()} >= FILES
    metrics = json.loads((folder / "run" / "metrics.json").read_text())
    assert not set(metrics["labels"]) & set(metrics["unseen"])
    assert len(metrics["unseen"]) == 4
    test = metrics["test"]
    assert test["equal_error_rate"] < 0.4  # chance: 0.5
    assert test["pairs"] == 2 * 4 * 120
    assert f"equal error rate {test['equal_error_rate']:.4f}" in answers["train"][1]
    rows = list(csv.DictReader((folder / "run" / "history.csv").open()))
    assert len(rows) == 24
    assert 0 <= float(rows[-1]["validation_equal_error_rate"]) <= 1
    for name in ("roc", "samples"):
        assert min(Image.open(folder / "run" / f"{name}.png").size) > 200


def test_a_finished_run_is_not_trained_again_and_another_recipe_refused(place):
    answers = place[-1]
    assert "all 24/24" in answers["train"][2]
    assert "all 24/24" not in answers["again"][2]
    assert "margin=0.1 there, 0.5 here" in answers["other"][2]


def test_the_result_is_measured(place):
    folder = place[0]
    (result,) = results.read_all(folder / "results")
    test = json.loads((folder / "run" / "metrics.json").read_text())["test"]
    metric = result["metric"]
    assert (result["task"], result["ids"]) == ("verification", ["C19"])
    assert metric["name"] == "one_minus_eer"
    assert metric["keras"] == pytest.approx(1 - test["equal_error_rate"], abs=1e-3)
    assert metric["float32"] == pytest.approx(metric["keras"], abs=1e-3)
    assert metric["baseline"] == 1 - test["baseline_equal_error_rate"]
    assert metric["qat"] is None
    assert "No quantisation-aware training: embeddings" in result["note"]
    assert result["parity"]["float32"] < 1e-3
    assert min(Image.open(folder / "run" / "answers.png").size) > 200


@pytest.mark.parametrize("name", ["float32", "int8"])
def test_files_compare_on_a_device(place, name):
    """People it has never seen: the share of right answers at the file's threshold."""
    folder = place[0]
    metrics = json.loads((folder / "run" / "metrics.json").read_text())
    verifier = kcv.edge.load(folder / "run" / f"{name}.tflite")
    assert verifier.threshold == metrics["threshold"]
    kept = {
        person: [verifier.embed(path) for path in (folder / "data" / person).iterdir()]
        for person in metrics["unseen"]
    }
    rates = []
    for a, first in kept.items():
        for b, second in kept.items():
            same = [
                verifier.same(x, y).same
                for i, x in enumerate(first)
                for j, y in enumerate(second)
                if a != b or i < j
            ]
            rates.append(np.mean(same) if a == b else 1 - np.mean(same))
    expected = metrics["test"]["accuracy_at_threshold"]
    assert np.mean(rates) == pytest.approx(expected, abs=0.2)


def test_predict_compares_with_the_first(place):
    folder = place[0]
    model = f"--model={folder / 'run/int8.tflite'}"
    command = [sys.executable, "-m", "kcv.tools.predict", model]
    images = [str(folder / "data" / f"person {k}" / "0.png") for k in (0, 0, 1)]
    done = subprocess.run([*command, *images], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("1.0000  same  ") and len(lines) == 2
    done = subprocess.run([*command, "--json", *images], capture_output=True, text=True)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [answer["other"] for answer in answers] == images[1:]
    assert answers[0]["same"] is True
    done = subprocess.run([*command, images[0]], capture_output=True, text=True)
    assert done.returncode == 2
    assert "compares images: name two or more" in done.stderr


def test_too_few_people_are_one_line(tmp_path):
    folder = people(tmp_path / "few", count=4)
    flags = ["--model=arcface_025", f"--data={folder}", f"--output_dir={tmp_path}/x"]
    done = programs.tool("train_verifier", *flags)
    assert done.returncode == 1
    line = done.stderr.splitlines()[-1]
    assert line.startswith("error: ") and "leave 0 for training; give more" in line
