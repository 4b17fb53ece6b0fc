import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

EDGE = pathlib.Path(__file__).parents[1] / "edge"
sys.path.insert(0, str(EDGE))  # for the tiny model that both folders use
import tiny_tflite  # noqa: E402

import kcv.edge  # noqa: E402


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a model and images, one of them broken."""
    folder = tmp_path_factory.mktemp("predict")
    tiny_tflite.write(folder / "tiny.tflite", "uint8", labels=["ä", "b", "c c", "d"])
    rng = np.random.default_rng(0)
    (folder / "images" / "inner").mkdir(parents=True)
    for name in ("a.png", "b.jpg", "inner/a.PNG", "inner/[1].bmp"):
        pixels = rng.integers(0, 256, (30, 20, 3)).astype("uint8")
        Image.fromarray(pixels).save(folder / "images" / name)
    (folder / "images" / "notes.txt").write_text("no image")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    (folder / "empty").mkdir()
    return folder


def predict(place, *arguments, model="tiny.tflite"):
    command = [sys.executable, "-m", "kcv.tools.predict", f"--model={model}"]
    return subprocess.run(
        [*command, *arguments], cwd=place, capture_output=True, text=True
    )


def test_folders_patterns_and_pictures(place, tmp_path):
    done = predict(place, "images", "images/*.jpg", "images/inner/[1].bmp", "--top_k=2",
                   "--json", f"--output_dir={tmp_path / 'out'}")  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    images = ["a.png", "b.jpg", "inner/[1].bmp", "inner/a.PNG"]
    expected = [*images, "b.jpg", "inner/[1].bmp"]
    assert [line["image"] for line in lines] == [f"images/{name}" for name in expected]
    classifier = kcv.edge.load(place / "tiny.tflite")
    for line in lines:
        assert line.keys() == {"image", "predictions"}
        answers = classifier.predict(place / line["image"], top_k=2)
        assert line["predictions"] == [answer._asdict() for answer in answers]
    pictures = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert pictures == sorted(
        ["a_answer.png", "a_2_answer.png", "b_answer.png", "b_2_answer.png"]
        + ["[1]_answer.png", "[1]_2_answer.png"]
    )
    picture = Image.open(tmp_path / "out" / "a_answer.png")
    assert picture.size == (320, 480 + 2 * 20)
    original = Image.open(place / "images" / "a.png")
    assert picture.getpixel((8, 8)) == original.getpixel((0, 0))
    bars = np.asarray(picture)[480:]
    score = lines[0]["predictions"][0]["score"]
    blue = (bars[1] == (0x9E, 0xCA, 0xE1)).all(-1).sum()
    assert abs(blue - score * 320) <= 2


def test_text_and_a_broken_image_among_good_ones(place):
    done = predict(place, "broken.jpg", "images/a.png", "gone.png", "empty", "x*.png")
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    best = kcv.edge.load(place / "tiny.tflite").predict(place / "images/a.png")
    assert lines[0] == "images/a.png"
    assert lines[1:] == [f"  {p.score:.4f}  {p.label}" for p in best]
    errors = done.stderr.splitlines()
    assert len(errors) == 4
    assert all(error.startswith("error: ") for error in errors)
    for name in ("broken.jpg", "gone.png", "empty", "x*.png"):
        assert sum(name in error for error in errors) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no images"),
        (["images/a.png", "--no_such_flag"], "no_such_flag"),
        (["images/a.png", "--top_k=0"], "top_k"),
        (["images/a.png", "--threads=many"], "threads"),
    ],
)
def test_wrong_usage(place, arguments, message):
    done = predict(place, *arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_names_that_the_terminal_cannot_show(place, tmp_path):
    image = os.fsencode(tmp_path) + b"/\xff 1.png"
    with open(image, "wb") as file:
        file.write((place / "images" / "a.png").read_bytes())
    done = predict(place, tmp_path, "images/a.png", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    names = [json.loads(line)["image"] for line in done.stdout.splitlines()]
    assert names == [os.fsdecode(image), "images/a.png"]


@pytest.mark.parametrize("model", ["gone.tflite", "broken.jpg"])
def test_a_model_that_cannot_be_used(place, model):
    done = predict(place, "images/a.png", model=model)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"error: {model}: ")
    assert len(done.stderr.splitlines()) == 1


def test_a_folder_that_cannot_be_written(place):
    done = predict(place, "images/a.png", "--output_dir=tiny.tflite/x")
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1
    assert not [name for name in os.listdir(place) if name.endswith(".part")]


def test_imports_nothing_heavy(place):
    command = [sys.executable, "-X", "importtime", "-m", "kcv.tools.predict"]
    done = subprocess.run(
        [*command, "--model=tiny.tflite", "images/a.png"],
        cwd=place,
        capture_output=True,
        text=True,
        check=True,
    )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "ai_edge_litert.interpreter" in imported
    heavy = {
        "av",
        "tensorflow",
        "keras",
        "rich",
        "matplotlib",
        "kcv.zoo",
        "kcv.tools.results",
    }
    assert not imported & heavy
