"""R-CNN's stages as people call them: run, interrupted, run again."""

import json

import numpy as np
import pytest
from PIL import Image
from script_calls import several

from kcv.classic import proposals
from kcv.models import saved
from kcv.train import rcnn

pytestmark = pytest.mark.slow

STAGES = ["proposals_train", "proposals_validation", "proposals_test", "features",
          "machines", "regressors"]  # fmt: skip
FILES = {
    *("model.keras", "metrics.json", "history.csv", "recipe.json", "curves.png"),
    *("samples.png", "checkpoints", "tensorboard"),
    *(f"{stage}.npz" for stage in STAGES),
}


def squares(folder):
    """Two rectangles on grey, red or blue, 48 x 40, in the format of YOLO."""
    rng = np.random.default_rng(0)
    for split, count in (("train", 24), ("val", 6), ("test", 12)):
        for kind in ("images", "labels"):
            (folder / kind / split).mkdir(parents=True)
        for number in range(count):
            image = rng.integers(100, 110, (40, 48, 3)).astype("uint8")
            lines = []
            for left in (0, 24):
                x1, y1 = left + rng.integers(0, 8), rng.integers(0, 20)
                width, height = rng.integers(10, 16), rng.integers(10, 20)
                label = rng.integers(2)
                image[y1 : y1 + height, x1 : x1 + width] = 0
                image[y1 : y1 + height, x1 : x1 + width, 2 * label] = 255
                box = ((x1 + width / 2) / 48, (y1 + height / 2) / 40)
                box += (width / 48, height / 40)
                lines.append(" ".join(map(str, (label, *box))))
            if number == 0:  # an image without objects
                image[:], lines = 105, []
            Image.fromarray(image).save(folder / "images" / split / f"{number}.png")
            text = "".join(f"{line}\n" for line in lines)
            (folder / "labels" / split / f"{number}.txt").write_text(text)
    text = "names: [red, blue]\ntrain: images/train\nval: images/val\n"
    (folder / "data.yaml").write_text(text + "test: images/test\n")
    return f"yolo:{folder}"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """(folder of the run, answers of the calls)."""
    folder = tmp_path_factory.mktemp("rcnn")
    run = folder / "run"
    train = [f"--data={squares(folder / 'data')}", "--body=cifar_resnet20",
             "--units=16", "--dropout=0", "--region_size=16", "--batch_size=16",
             "--positive_share=0.5", "--epochs=6", "--learning_rate=3e-3",
             "--proposals=selective_search_fast", "--proposals_per_image=12",
             "--svm_c=0.1", f"--output_dir={run}"]  # fmt: skip
    answers = several("train_rcnn", {"train": train})
    assert answers["train"][0] == 0, answers["train"]
    kept = {path.name: path.stat().st_mtime_ns for path in run.glob("*.npz")}
    first = json.loads((run / "metrics.json").read_text())
    for name in ("machines.npz", "metrics.json", "model.keras"):  # as if killed there
        (run / name).unlink()
    calls = {
        "again": train,
        "other": [*train, "--svm_c=1"],
        "digits": ["--data=digits", f"--output_dir={folder / 'digits'}"],
    }
    answers |= several("train_rcnn", calls)
    return run, kept, first, answers


def test_a_run_leaves_everything_behind(place):
    run, _, metrics, answers = place
    assert {path.name for path in run.iterdir()} >= FILES
    assert metrics["labels"] == ["red", "blue"]
    test = metrics["test"]
    assert test["ap50"] > 0.8 and test["proposal_recall"] > 0.9
    assert f"test ap50 {test['ap50']:.4f}" in answers["train"][1]
    assert "proposals an image reach" in answers["train"][1]
    assert "fine_tuning 6/6" in answers["train"][2]
    assert min(Image.open(run / "samples.png").size) > 200


def test_a_killed_run_goes_on_at_the_last_finished_stage(place):
    run, kept, first, answers = place
    assert answers["again"][0] == 0, answers["again"]
    assert "fine_tuning 6/6" not in answers["again"][2]
    for name, time in kept.items():
        assert ((run / name).stat().st_mtime_ns == time) == (name != "machines.npz")
    again = json.loads((run / "metrics.json").read_text())
    assert again["test"] == first["test"]


def test_the_model_of_a_run_detects(place):
    run = place[0]
    metrics = json.loads((run / "metrics.json").read_text())
    images = [np.asarray(Image.open(run.parent / f"data/images/test/{i}.png"))
              for i in range(3)]  # fmt: skip
    boxes = list(proposals.propose(images, "selective_search_fast", 12))
    how = {key: metrics[key] for key in ("image_shape", "pixel_range", "context")}
    model = saved.load_model(run / "model.keras")
    found = list(rcnn.detect(model, images, boxes, **how))
    assert [len(each[0]) for each in found][1:] >= [1, 1]
    assert all(classes.max(initial=0) < 2 for _, _, classes in found)


def test_one_line_for_another_recipe_and_for_data_without_boxes(place):
    answers = place[-1]
    assert answers["other"][0] == 1
    assert "svm_c=0.1 there, 1.0 here" in answers["other"][2]
    assert answers["digits"][0] == 1
    assert "error: digits has no images" in answers["digits"][2]
