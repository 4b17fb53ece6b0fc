"""From pictures with boxes to files that answer on a device, as people call it."""

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
from kcv.boxes.iou import paired_iou
from kcv.tools import results

pytestmark = pytest.mark.slow

COUNTS = {"train": 128, "val": 16, "test": 32}
FILES = {
    *("model.keras", "metrics.json", "history.csv", "recipe.json"),
    *("curves.png", "samples.png", "checkpoints", "tensorboard"),
}


def squares(folder):
    """Red or blue rectangles on grey, 48 x 48, in the format of YOLO."""
    rng = np.random.default_rng(0)
    for split, count in COUNTS.items():
        for kind in ("images", "labels"):
            (folder / kind / split).mkdir(parents=True)
        for number in range(count):
            image = rng.integers(100, 140, (48, 48, 3)).astype("uint8")
            x1, y1 = rng.integers(0, 24, 2)
            width, height = rng.integers(16, 24, 2)
            image[y1 : y1 + height, x1 : x1 + width] = 0
            image[y1 : y1 + height, x1 : x1 + width, 2 * (number % 2)] = 255
            Image.fromarray(image).save(folder / "images" / split / f"{number}.png")
            box = ((x1 + width / 2) / 48, (y1 + height / 2) / 48)
            box += (width / 48, height / 48)
            line = " ".join(map(str, (number % 2, *box)))
            (folder / "labels" / split / f"{number}.txt").write_text(line + "\n")
    text = "names: [red, blue]\n" + "".join(
        f"{split}: images/{split}\n" for split in COUNTS
    )
    (folder / "data.yaml").write_text(text)
    return f"yolo:{folder}"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """(folder of the run, data, answers of the calls)."""
    folder = tmp_path_factory.mktemp("localiser")
    data, run = squares(folder / "data"), folder / "run"
    train = ["--model=localiser_025", f"--data={data}",
             "--image_size=32", "--batch_size=16", "--epochs=20", "--translate=0.1",
             "--learning_rate=4e-3", "--clip_norm=5",
             f"--output_dir={run}"]  # fmt: skip
    measure = [f"--run_dir={run}", f"--results_dir={folder / 'results'}",
               "--qat_epochs=0", "--budget=1", "--threads=1", "--runs=2"]  # fmt: skip
    calls = {"train": train, "again": train, "other": [*train, "--box_weight=1"]}
    answers = several("train_localiser", calls)
    answers |= several("measure", {"measure": measure})
    for what in ("train", "again", "measure"):
        assert answers[what][0] == 0, answers[what]
    return folder, data, answers


def test_a_run_leaves_everything_behind(place):
    folder, _, answers = place
    assert {path.name for path in (folder / "run").iterdir()} >= FILES
    metrics = json.loads((folder / "run" / "metrics.json").read_text())
    assert metrics["labels"] == ["red", "blue"]
    assert metrics["test"]["accuracy"] > 0.9
    best, guess = (
        metrics["test"][f"{x}localisation_accuracy"] for x in ("", "baseline_")
    )
    assert best > guess + 0.05
    assert metrics["examples"] == {"train": 128, "validation": 16, "test": 32}
    assert (
        f"localisation accuracy {metrics['test']['localisation_accuracy']:.4f}"
        in (answers["train"][1])
    )
    rows = list(csv.DictReader((folder / "run" / "history.csv").open()))
    assert len(rows) == 20
    assert float(rows[-1]["validation_mean_iou"]) > float(rows[0]["mean_iou"])
    assert min(Image.open(folder / "run" / "samples.png").size) > 200


def test_a_finished_run_is_not_trained_again_and_another_recipe_refused(place):
    answers = place[-1]
    assert "all 20/20" in answers["train"][2]
    assert "all 20/20" not in answers["again"][2]
    assert "box_weight=10.0 there, 1.0 here" in answers["other"][2]


def test_the_result_is_measured(place):
    folder = place[0]
    (result,) = results.read_all(folder / "results")
    metrics = json.loads((folder / "run" / "metrics.json").read_text())["test"]
    metric = result["metric"]
    assert (result["task"], result["ids"]) == ("localisation", ["C17"])
    assert metric["name"] == "localisation_accuracy"
    assert metric["keras"] == pytest.approx(metrics["localisation_accuracy"], abs=1e-6)
    assert metric["float32"] == pytest.approx(metric["keras"], abs=0.04)
    assert metric["baseline"] == metrics["baseline_localisation_accuracy"]
    assert result["recipe"] is None
    assert result["parity"]["float32"] < 1e-3
    assert metric["qat"] is None and result["note"]
    assert min(Image.open(folder / "run" / "answers.png").size) > 200


@pytest.mark.parametrize("name", ["float32", "int8"])
def test_files_answer_on_a_device(place, name):
    """Boxes of 48 x 48 pictures, from a network of 32 x 32."""
    folder = place[0]
    localiser = kcv.edge.load(folder / "run" / f"{name}.tflite")
    found, truth, right = [], [], 0
    for path in sorted((folder / "data/images/test").iterdir()):
        answer = localiser.predict(path)
        label = folder / "data/labels/test" / f"{path.stem}.txt"
        kind, x, y, width, height = map(float, label.read_text().split())
        truth.append([x - width / 2, y - height / 2, x + width / 2, y + height / 2])
        found.append(answer.box)
        right += answer.label == ("red", "blue")[int(kind)]
    assert right / 32 > 0.9
    iou = np.mean(paired_iou(np.float32(found), 48 * np.float32(truth)))
    metrics = json.loads((folder / "run" / "metrics.json").read_text())["test"]
    assert iou == pytest.approx(metrics["mean_iou"], abs=0.06)


def test_predict_draws_the_box(place, tmp_path):
    folder = place[0]
    command = [sys.executable, "-m", "kcv.tools.predict", f"--output_dir={tmp_path}",
               f"--model={folder / 'run/int8.tflite'}"]  # fmt: skip
    image = str(folder / "data/images/test/0.png")
    done = subprocess.run([*command, image], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    found = kcv.edge.load(folder / "run/int8.tflite").predict(image)
    box = "  ".join(f"{side:.0f}" for side in found.box)
    assert done.stdout.splitlines()[1] == f"  {found.score:.4f}  red  {box}"
    assert Image.open(tmp_path / "0_answer.png").size == (320, 340)
    done = subprocess.run([*command, "--json", image], capture_output=True, text=True)
    (answer,) = json.loads(done.stdout)["predictions"]
    np.testing.assert_allclose(answer["box"], found.box)


def test_a_set_without_boxes_is_one_line(tmp_path):
    flags = ["--model=localiser_025", "--data=digits", f"--output_dir={tmp_path / 'x'}"]
    done = programs.tool("train_localiser", *flags)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: digits has no images: give ")
