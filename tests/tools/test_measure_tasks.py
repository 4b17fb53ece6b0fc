"""What `measure` has to know about each task, without training anything."""

import keras
import numpy as np
import pytest

from kcv import data, zoo
from kcv.losses.localisation import localisation_loss
from kcv.tools import (
    finished_run,
    recipe_heads,
    tables,
    task_localisation,
    tasks,
)
from kcv.tools.tasks import TASKS

RUN = {
    "model": "localiser_025",
    "image_shape": [8, 16, 3],
    "flags": {"box_weight": 3.0},
    "test": {"baseline_localisation_accuracy": 0.1},
}


def test_every_task_of_the_zoo_can_be_measured():
    """A module lacks nothing, but for what training with rounding asks."""
    assert TASKS.keys() == {row.task for row in zoo.ZOO.values()}
    of_models = recipe_heads.SCRIPTS.keys() - TASKS.keys()
    assert recipe_heads.SCRIPTS.keys() >= TASKS.keys() and of_models <= zoo.ZOO.keys()
    names = {"METRIC", "NO_QAT", "batches", "network", "split", "evaluate", "baseline"}
    names |= {"export_options", "draw_answers"}
    for task in TASKS.values():
        wanted = names if task.NO_QAT else names | {"examples", "loss"}
        assert wanted <= set(vars(task))
        assert task.METRIC in tables.SHARES


def test_localisation_trains_with_rounding_on_the_loss_of_the_run():
    rng = np.random.default_rng(0)
    batch = {
        "images": np.zeros((3, 8, 16, 3), "float32"),
        "labels": np.array([1, -1, 0], "int32"),
        "boxes": rng.uniform(0, 8, (3, 4)).astype("float32"),
    }
    outputs = {
        "probabilities": keras.ops.softmax(rng.normal(size=(3, 2)).astype("float32")),
        "boxes": rng.uniform(0, 8, (3, 4)).astype("float32"),
    }
    images, targets = task_localisation.examples(batch)
    assert images is batch["images"] and targets.shape == (3, 5)
    found = task_localisation.loss(RUN)(keras.ops.convert_to_tensor(targets), outputs)
    expected = localisation_loss(
        batch["labels"], batch["boxes"], outputs["probabilities"], outputs["boxes"],
        (8, 16), 3.0,
    )  # fmt: skip
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert task_localisation.baseline(RUN) == 0.1


@pytest.mark.parametrize(
    ("model", "data", "recipe"),
    [
        ("mlp", "digits", "mlp_digits"),
        ("localiser_025", "scenes/detection_easy", "localiser_025_scenes"),
        ("yolo_v2_025", "scenes/detection", "yolo_v2_025_scenes"),
        ("yolo_v2_025", "scenes/digits", "yolo_v2_025_digits"),
        ("localiser_025", "coco:/data/coco", None),
    ],
)
def test_a_recipe_is_named_by_model_and_data(model, data, recipe):
    assert finished_run.recipe_of({"model": model, "data": data}) == recipe


def test_what_sees_regions_alone_is_not_measured():
    for model in ("rcnn", "sds"):
        with pytest.raises(ValueError, match=f"{model} sees regions that others"):
            tasks.plan({"model": model})
    with pytest.raises(ValueError, match="mnc_025 lays masks on its own regions"):
        tasks.plan({"model": "mnc_025"})


def test_a_run_of_another_task_is_no_classifier():
    with pytest.raises(ValueError, match="localiser_025 is a model of localisation: "):
        finished_run.batches(RUN, "train")


def test_changed_data_are_refused():
    source = data.source("digits", "test")
    run = {"data": "digits", "data_fingerprint": {"test": source.fingerprint}}
    assert finished_run.checked(source, run, "test") is source
    run["data_fingerprint"]["test"] = "another"
    with pytest.raises(ValueError, match="test images of digits have changed since"):
        finished_run.checked(source, run, "test")
