"""Words without boxes, as people train them: the paper's point on red and blue.

Boxes say "red" and, of blue things, "square" alone; pictures of one thing say "blue".
"""

import json

import numpy as np
import programs
import pytest
from coco_squares import squares
from PIL import Image
from script_calls import several

pytestmark = pytest.mark.slow

FILES = {
    *("model.keras", "metrics.json", "history.csv", "recipe.json"),
    *("curves.png", "samples.png", "checkpoints", "tensorboard"),
}


def pictures(folder, count=48):
    """Writes folders red and blue of pictures with one such rectangle on grey each."""
    rng = np.random.default_rng(1)
    for kind, name in enumerate(("red", "blue")):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            image = rng.integers(100, 140, (48, 64, 3)).astype("uint8")
            x, y, width, height = rng.integers((0, 0, 16, 16), (40, 24, 24, 24))
            image[y : y + height, x : x + width] = 0
            image[y : y + height, x : x + width, 2 * kind] = 255
            Image.fromarray(image).save(folder / name / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """(folder of the runs, answers of the calls)."""
    folder = tmp_path_factory.mktemp("yolo9000")
    tree, twice = folder / "tree.txt", folder / "twice.txt"
    tree.write_text("red square\nblue square\nsquare thing\n")
    twice.write_text("red square\nblue square\nred thing\n")
    (folder / "below.txt").write_text("red square\nblue square\ndark blue\n")
    (folder / "flat.txt").write_text("red thing\nblue thing\n")
    always = ["--model=yolo_9000_025", f"--data={squares(folder / 'data')}",
              "--image_size=64", "--epochs=12", "--cluster_anchors=3",
              "--learning_rate=3e-3", "--clip_norm=10"]  # fmt: skip
    alone = [*always, "--batch_size=8", f"--tree={tree}", "--boxes_without=blue",
             f"--output_dir={folder / 'alone'}"]  # fmt: skip
    joint = [*alone, "--batch_size=16", f"--output_dir={folder / 'joint'}",
             f"--labels_data={pictures(folder / 'labels')}",
             "--boxes_first=2"]  # fmt: skip
    wrong = [*joint, f"--output_dir={folder / 'wrong'}"]
    calls = {
        "alone": alone,
        "joint": joint,
        "again": joint,
        "other tree": [*joint, f"--tree={folder / 'flat.txt'}", "--boxes_without="],
        "twice": [*wrong, f"--tree={twice}"],
        "no class": [*wrong, "--boxes_without=blue,green"],
        "no word": [*wrong, f"--tree={folder / 'flat.txt'}"],
        "below": [*wrong, f"--tree={folder / 'below.txt'}"],
        "unknown": [*wrong, "--tree=scenes"],
    }
    answers = several("train_yolo9000", calls)
    for what in ("alone", "joint", "again"):
        assert answers[what][0] == 0, answers[what]
    return folder, answers


def metrics(folder, name):
    return json.loads((folder / name / "metrics.json").read_text())


def test_a_run_leaves_everything_behind(place):
    folder, answers = place
    assert {path.name for path in (folder / "joint").iterdir()} >= FILES
    run = metrics(folder, "joint")
    assert (run["labels"], run["parents"]) == (["square", "red", "blue"], [-1, 0, 0])
    assert run["words"] == {"train": [1, 0], "validation": [1, 2], "test": [1, 2]}
    shares = [value for name, value in run["test"].items() if name[:5] == "tree_"]
    assert len(shares) == 4 and sum(shares) == pytest.approx(1)
    assert (
        f"ap50 without boxes {run['test']['ap50_without_boxes']:.4f}"
        in (answers["joint"][1])
    )
    assert "all 12/12" in answers["joint"][2]
    assert "all 12/12" not in answers["again"][2]


def test_words_without_boxes_are_found_by_joint_training(place):
    """Boxes alone: all that is square is red, the one word below that they name."""
    joint, alone = (metrics(place[0], name)["test"] for name in ("joint", "alone"))
    assert joint["ap50_with_boxes"] > 0.5
    assert joint["ap50_without_boxes"] > 0.5
    assert joint["ap50_without_boxes"] > alone["ap50_without_boxes"] + 0.3


def test_what_cannot_be_trained_is_one_line(place):
    folder, answers = place
    for what, code, message in (
        ("other tree", 1, "holds a run of another recipe"),
        ("twice", 1, "twice.txt:3: 'red' stands below 'square' already"),
        ("no class", 2, "--boxes_without=green: no class of --data; red, blue are"),
        ("no word", 2, "--boxes_without=blue: there is no word above it but the root"),
        ("below", 2, "'blue', a class of --data, has words below it"),
        ("unknown", 1, "the tree has no word 'red': add it below another"),
    ):
        assert answers[what][0] == code, answers[what]
        assert message in answers[what][2].splitlines()[-1]
    assert not (folder / "wrong").exists()


def test_a_set_without_boxes_is_one_line(tmp_path):
    flags = ["--model=yolo_9000_025", "--data=digits", f"--output_dir={tmp_path}"]
    done = programs.tool("train_yolo9000", *flags)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: digits has no images: give")
