"""SDS's stages as people call them: run, interrupted, run again."""

import json

import numpy as np
import pytest
from coco_squares import squares
from PIL import Image
from script_calls import several

from kcv.models import saved

pytestmark = pytest.mark.slow

STAGES = {f"regions_{split}.npz" for split in ("train", "validation", "test")}
STAGES |= {"refinement.npz"}
FILES = STAGES | {
    *("model.keras", "metrics.json", "history.csv", "recipe.json", "curves.png"),
    *("samples.png", "checkpoints", "tensorboard"),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """(folder of the run, times of files, first metrics, answers of the calls)."""
    folder = tmp_path_factory.mktemp("sds")
    run = folder / "run"
    data = squares(folder / "data", {"train": 24, "val": 6, "test": 12})
    train = [f"--data={data}", "--options=task=instances", "--body=cifar_resnet20",
             "--units=16", "--dropout=0", "--region_size=16", "--batch_size=16",
             "--positive_share=0.5", "--epochs=6", "--learning_rate=3e-3", "--grid=5",
             "--proposals=selective_search_fast", "--proposals_per_image=12",
             f"--output_dir={run}"]  # fmt: skip
    answers = several("train_sds", {"train": train})
    assert answers["train"][0] == 0, answers["train"]
    kept = {path.name: path.stat().st_mtime_ns for path in run.glob("*.npz")}
    first = json.loads((run / "metrics.json").read_text())
    for name in ("refinement.npz", "metrics.json", "model.keras"):  # as if killed there
        (run / name).unlink()
    calls = {
        "again": train,
        "other": [*train, "--grid=6"],
        "boxes": [f"--data={data}", f"--output_dir={folder / 'boxes'}"],
    }
    answers |= several("train_sds", calls)
    return run, kept, first, answers


def test_a_run_leaves_everything_behind(place):
    run, _, metrics, answers = place
    assert {path.name for path in run.iterdir()} >= FILES
    assert metrics["labels"] == ["red", "blue"] and len(metrics["refinement"]) == 4
    test = metrics["test"]
    assert test["mask_ap50"] > 0.8 and test["region_recall"] > 0.9
    assert f"test mask ap50 {test['mask_ap50']:.4f}" in answers["train"][1]
    assert "regions an image reach" in answers["train"][1]
    assert min(Image.open(run / "samples.png").size) > 100


def test_a_killed_run_goes_on_at_the_last_finished_stage(place):
    run, kept, first, answers = place
    assert answers["again"][0] == 0, answers["again"]
    assert "fine_tuning 6/6" not in answers["again"][2]
    for name, time in kept.items():
        assert ((run / name).stat().st_mtime_ns == time) == (name != "refinement.npz")
    again = json.loads((run / "metrics.json").read_text())
    assert again["test"] == first["test"]


def test_the_model_of_a_run_tells_red_from_blue(place):
    run = place[0]
    model = saved.load_model(run / "model.keras")
    crops = np.full((2, 16, 16, 3), -1, "float32")
    crops[0, ..., 0] = crops[1, ..., 2] = 1
    given = {"images": crops, "regions": crops, "grids": np.ones((2, 5, 5))}
    found = model(given)
    assert np.argmax(found["scores"], axis=1).tolist() == [1, 2]
    own = np.asarray(found["masks"])[[0, 1], :, :, [0, 1]]
    assert (own > 0).mean() > 0.8


def test_one_line_for_another_recipe_and_for_data_without_masks(place):
    answers = place[-1]
    assert answers["other"][0] == 1
    assert "grid=5 there, 6 here" in answers["other"][2]
    assert answers["boxes"][0] == 1
    assert "has no masks" in answers["boxes"][2]
