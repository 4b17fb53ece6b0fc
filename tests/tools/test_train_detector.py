"""From pictures with boxes to files that find them on a device, as people call it."""

import csv
import json
import pathlib

import numpy as np
import programs
import pytest
from coco_squares import COUNTS, squares
from PIL import Image
from script_calls import several

import kcv.edge
from kcv.tools import results

pytestmark = pytest.mark.slow

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "detection.md"
FILES = {
    *("model.keras", "metrics.json", "history.csv", "recipe.json"),
    *("curves.png", "samples.png", "checkpoints", "tensorboard"),
}


def documented(tool):
    """The flags of a tool in the four commands of docs/detection.md."""
    block = PAGE.read_text().split("```bash\n")[1].split("```")[0]
    commands = block.replace("\\\n", " ").splitlines()
    (command,) = (line.split() for line in commands if f"kcv.tools.{tool} " in line)
    return [word for word in command if word.startswith("--")]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """(folder of the run, data, answers of the calls)."""
    folder = tmp_path_factory.mktemp("detector")
    data, run = squares(folder / "data"), folder / "run"
    # As documented, but shorter and on smaller pictures.
    train = [*documented("train_detector"), f"--data={data}", f"--output_dir={run}",
             "--image_size=64", "--batch_size=8", "--epochs=12", "--translate=0.1",
             "--zoom=0", "--learning_rate=3e-3", "--clip_norm=10"]  # fmt: skip
    measure = [*documented("measure"), f"--run_dir={run}", "--budget=1", "--runs=2",
               f"--results_dir={folder / 'results'}", "--threads=1"]  # fmt: skip
    show = [*documented("show_data"), f"--data={data}",
            f"--output={folder / 'boxes.png'}"]  # fmt: skip
    ssd = ["--model=ssd_mobilenet_v1_050", f"--data={data}", "--image_size=64",
           "--debug_targets", f"--output_dir={folder / 'targets'}"]  # fmt: skip
    calls = {
        "train": train,
        "again": train,
        "other": [*train, "--batch_size=4"],
        "targets": ssd,
        "cells": [*train, "--debug_targets"],
        "lots": [*ssd, "--model=faster_rcnn_025"],
        "masks": [*train, "--model=mask_rcnn_025"],
    }
    answers = several("train_detector", calls)
    answers |= several("measure", {"measure": measure})
    answers |= several("show_data", {"show": show})
    for what in ("train", "again", "targets", "measure", "show"):
        assert answers[what][0] == 0, answers[what]
    return folder, data, answers


def test_a_run_leaves_everything_behind(place):
    folder, _, answers = place
    assert {path.name for path in (folder / "run").iterdir()} >= FILES
    metrics = json.loads((folder / "run" / "metrics.json").read_text())
    assert metrics["labels"] == ["red", "blue"]
    assert metrics["test"]["ap50"] > 0.6
    assert metrics["test"]["ap50"] > metrics["test"]["baseline_ap50"] + 0.3
    assert list(metrics["examples"].values()) == list(COUNTS.values())
    assert len(metrics["anchor_shapes"]) == 5
    assert f"AP50 {metrics['test']['ap50']:.4f}" in answers["train"][1]
    rows = list(csv.DictReader((folder / "run" / "history.csv").open()))
    assert len(rows) == 12
    assert float(rows[-1]["loss"]) < float(rows[0]["loss"]) / 2
    assert float(rows[-1]["validation_ap50"]) > 0.5
    for picture in ("run/samples.png", "boxes.png"):
        assert min(Image.open(folder / picture).size) > 200


def test_a_finished_run_is_not_trained_again_and_another_recipe_refused(place):
    answers = place[-1]
    assert "all 12/12" in answers["train"][2]
    assert "all 12/12" not in answers["again"][2]
    assert "batch_size=8 there, 4 here" in answers["other"][2]


def test_targets_are_drawn_where_there_are_anchors(place):
    folder, _, answers = place
    assert min(Image.open(folder / "targets" / "targets.png").size) > 200
    assert not (folder / "targets" / "model.keras").exists()
    assert answers["cells"][0] == 2
    assert "yolo_v2_025 has cells, no anchors" in answers["cells"][2]
    assert answers["lots"][0] == 2
    assert "faster_rcnn_025 draws lots from its anchors" in answers["lots"][2]


def test_the_result_is_measured(place):
    folder = place[0]
    (result,) = results.read_all(folder / "results")
    metrics = json.loads((folder / "run" / "metrics.json").read_text())["test"]
    metric = result["metric"]
    assert (result["task"], result["ids"]) == ("detection", ["D08"])
    assert metric["name"] == "ap50"
    assert metric["keras"] == pytest.approx(metrics["ap50"], abs=1e-3)
    assert metric["float32"] == pytest.approx(metric["keras"], abs=1e-3)
    assert metric["int8"] == pytest.approx(metric["keras"], abs=0.15)
    assert metric["baseline"] == metrics["baseline_ap50"]
    assert result["parity"]["float32"] < 1e-3
    assert min(Image.open(folder / "run" / "answers.png").size) > 200


@pytest.mark.parametrize("name", ["float32", "int8"])
def test_files_find_things_on_a_device(place, name):
    """In 64 x 48 pictures, with a network of 64 x 64."""
    folder = place[0]
    detector = kcv.edge.load(folder / "run" / f"{name}.tflite")
    path = folder / "data/annotations/instances_test.json"
    truth = json.loads(path.read_text())
    found = 0
    for thing in truth["annotations"]:
        image = folder / "data/test" / f"{thing['image_id']}.png"
        x, y, width, height = thing["bbox"]
        label = {5: "red", 9: "blue"}[thing["category_id"]]
        found += any(
            answer.label == label
            and np.abs(np.subtract(answer.box, (x, y, x + width, y + height))).max() < 7
            for answer in detector.predict(image, score_threshold=0.2)
        )
    assert found / len(truth["annotations"]) > 0.6


def test_predict_draws_the_boxes(place, tmp_path):
    folder = place[0]
    model, image = folder / "run/int8.tflite", str(folder / "data/test/0.png")
    flags = [*documented("predict"), f"--model={model}", "--least_score=0.1"]
    done = programs.tool("predict", *flags, f"--output_dir={tmp_path}", image)
    assert (done.returncode, done.stderr) == (0, "")
    found = kcv.edge.load(model).predict(image, score_threshold=0.1)
    assert found
    lines = done.stdout.splitlines()
    assert len(lines) == 1 + len(found)
    box = "  ".join(f"{side:.0f}" for side in found[0].box)
    assert lines[1] == f"  {found[0].score:.4f}  {found[0].label}  {box}"
    assert Image.open(tmp_path / "0_answer.png").size == (320, 240)
    done = programs.tool("predict", *flags, f"--output_dir={tmp_path}", "--json", image)
    answers = json.loads(done.stdout)["predictions"]
    np.testing.assert_allclose(answers[0]["box"], found[0].box)


def test_a_set_read_without_masks_is_one_line(place):
    code, _, error = place[-1]["masks"]
    assert code == 1
    assert error.splitlines()[-1].startswith("error: ")
    assert "has no masks: give a set that has them" in error.splitlines()[-1]


def test_a_set_without_boxes_is_one_line(tmp_path):
    flags = ["--model=yolo_v2_025", "--data=digits", f"--output_dir={tmp_path / 'x'}"]
    done = programs.tool("train_detector", *flags)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: digits has no images: give")
