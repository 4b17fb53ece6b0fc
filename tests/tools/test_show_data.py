"""Data sets shown, as people call it; one process for all calls saves its start."""

import json

import numpy as np
import pytest
from PIL import Image
from script_calls import several

pytestmark = pytest.mark.slow


def _coco(folder):
    """Twelve pictures with one box each; one box has no area, one file is missing."""
    rng = np.random.default_rng(0)
    images, annotations = [], []
    (folder / "val2017").mkdir(parents=True)
    (folder / "annotations").mkdir()
    for i in range(12):
        name = f"{i:012d}.jpg"
        images.append({"id": i, "file_name": name, "height": 30, "width": 40})
        size = [0, 9] if i == 3 else [10, 9]
        annotation = {"id": i, "image_id": i, "category_id": 7, "bbox": [5, 6, *size]}
        annotations.append(annotation | {"area": 90.0, "iscrowd": 0})
        if i != 5:
            pixels = rng.integers(0, 255, (30, 40, 3), np.uint8)
            Image.fromarray(pixels).save(folder / "val2017" / name)
    content = {"images": images, "annotations": annotations}
    content["categories"] = [{"id": 7, "name": "kite", "supercategory": "toy"}]
    path = folder / "annotations" / "instances_val2017.json"
    path.write_text(json.dumps(content))
    return f"coco:{folder}"


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """{what: (exit code, stdout, stderr)} and the folder of the pictures."""
    folder = tmp_path_factory.mktemp("shown")
    coco = _coco(folder / "coco")
    (folder / "taken.png").mkdir()
    calls = {
        "scenes": ["--data=scenes/detection_64", "--count=3"],
        "digits": ["--data=digits", "--split=test", "--count=2"],
        "coco": [
            *(f"--data={coco}", "--split=validation"),
            *("--options=max_bad_share=0.5", "--options=orientation=upright"),
        ],
        "too many bad": [f"--data={coco}", "--split=validation"],
        "no such path": ["--data=coco:/nowhere"],
        "no such data": ["--data=pictures"],
        "taken": ["--data=digits", "--count=1"],
        "no data": [],
        "positional": ["--data=digits", "more"],
        "split": ["--data=digits", "--split=training"],
        "count": ["--data=digits", "--count=0"],
        "option": [f"--data={coco}", "--options=colour"],
        "unknown option": ["--data=digits", "--options=colour=red"],
    }
    calls = {
        what: [*call, f"--output={folder}/{what.split()[0]}.png"]
        for what, call in calls.items()
    }
    calls["suffix"] = ["--data=digits", f"--output={folder}/digits.jpg"]
    return several("show_data", calls), folder


def test_scenes_are_told_and_drawn(answers):
    (code, out, error), folder = answers[0]["scenes"], answers[1]
    assert code == 0 and error == ""
    lines = [line.split() for line in out.splitlines()]
    assert lines[0] == ["data", "scenes/detection_64,", "train"]
    assert ["malformed", "0"] in lines
    row = next(line for line in lines if line[:1] == ["images"])
    assert row[1:7] == ["64", "x", "64", "x", "3", "uint8"]
    keys = [line[0] for line in lines if line[-2:-1] == ["to"]]
    assert keys == ["images", "boxes", "classes", "crowd", "masks"]
    assert "circle, square, triangle" in out
    assert out.endswith(f"{folder}/scenes.png\n")
    with Image.open(folder / "scenes.png") as picture:
        assert picture.width > 3 * 256 and len(picture.getcolors(1 << 24)) > 1000


def test_digits_are_shown(answers):
    code, out, _ = answers[0]["digits"]
    assert code == 0 and "labels" in out
    assert (answers[1] / "digits.png").exists()


def test_malformed_records_are_named(answers):
    code, out, _ = answers[0]["coco"]
    assert code == 0
    lines = out.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("malformed"))
    assert lines[at].split() == ["malformed", "2"]
    assert "000000000003.jpg" in lines[at + 1] and "000000000005.jpg" in lines[at + 2]
    assert "1: kite" in out and "records      10" in out


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("too many bad", "2 of 12 images"),
        ("no such path", "/nowhere"),
        ("no such data", "unknown data 'pictures'"),
        ("taken", "taken.png"),
    ],
)
def test_failures_are_one_line_and_exit_1(what, words, answers):
    code, _, error = answers[0][what]
    assert code == 1
    assert error.startswith("error: ") and error.count("\n") == 1 and words in error


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("no data", "--data"),
        ("positional", "more"),
        ("split", "training"),
        ("count", "--count"),
        ("option", "--options=colour: write NAME=VALUE"),
        ("unknown option", "colour"),
        ("suffix", "must end in .png"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_2(what, words, answers):
    code, out, error = answers[0][what]
    assert code == 2 and out == ""
    assert error.startswith("error: ") and error.count("\n") == 1 and words in error


def test_nothing_else_is_left(answers):
    left = {path.name for path in answers[1].iterdir()}
    assert left == {"coco", "coco.png", "digits.png", "scenes.png", "taken.png"}
