"""Detectors of two stages, measured: one graph in float, parts in int8."""

import json
import pathlib
import sys

import keras
import numpy as np
import pytest
from coco_squares import squares
from script_calls import several

MODELS = pathlib.Path(__file__).parents[1] / "models"
sys.path.insert(0, str(MODELS))
from residual_checks import pictures, randomize  # noqa: E402

import kcv.edge  # noqa: E402
from kcv import zoo  # noqa: E402
from kcv.boxes.coding import SSD_VARIANCES  # noqa: E402
from kcv.data import objects  # noqa: E402
from kcv.edge import detect, detect_staged, detected  # noqa: E402
from kcv.export import convert  # noqa: E402
from kcv.tools import task_detection, tasks  # noqa: E402

RUN = {"model": "mask_rcnn_025", "image_shape": [64, 64, 3], "labels": ["red", "blue"],
       "anchor_shapes": None}  # fmt: skip


def test_the_plan_of_a_run():
    plan = tasks.plan(RUN)
    assert plan.metric == "mask_ap50" and plan.to_int8 is not convert
    assert plan.in_parts and "have no gradient" in plan.no_qat
    assert tasks.plan({"model": "keypoint_rcnn_025"}).metric == "keypoint_ap50"
    assert tasks.plan({"model": "faster_rcnn_025"}).metric == "ap50"
    for model in ("yolo_v2_025", "localiser_025"):
        plan = tasks.plan({"model": model})
        assert plan.to_int8 is convert and not plan.in_parts and not plan.no_qat
        assert plan.metric == tasks.TASKS[zoo.entry(model).task].METRIC


def test_what_a_device_needs_is_exported():
    images = keras.Input((8, 8, 3), name="images")
    names = ("scores", "offsets", "proposals", "masks", "mask_boxes")
    outputs = dict.fromkeys((*names, "proposal_scores", "proposal_offsets"), images)
    model = keras.Model(images, outputs, name="net")
    assert set(task_detection.network(model).output) == set(names)
    outside = {"images": images, "proposals": keras.Input((3, 4), name="proposals")}
    with pytest.raises(ValueError, match="net gets its proposals from outside"):
        task_detection.network(keras.Model(outside, outputs, name="net"))


def test_masks_are_judged_as_the_device_draws_them():
    """Two proposals a picture on its two rectangles, the first with half a mask."""
    boxes = np.float32([[[8, 8, 24, 40], [32, 16, 56, 32]]] * 2)
    masks = np.zeros((2, 2, 64, 64), "uint8")
    masks[:, 0, 8:40, 8:24] = masks[:, 1, 16:32, 32:56] = 1
    test = {"images": np.zeros((2, 64, 64, 3), "float32"), "boxes": boxes,
            "classes": np.array([[0, 1]] * 2), "crowd": np.zeros((2, 2)),
            "masks": masks}  # fmt: skip
    logits = np.full((2, 2, 4, 4, 2), 20, "float32")
    outputs = {
        "scores": np.float32([[[0, 9, 0], [0, 0, 9]]] * 2),
        "offsets": np.zeros((2, 2, 2, 4), "float32"),
        "proposals": boxes, "mask_boxes": boxes, "masks": logits,
    }  # fmt: skip
    evaluate = task_detection.evaluate(RUN, test)
    assert evaluate(lambda images: outputs) == pytest.approx(1)
    logits[:, 0, 1:] = -20  # an eighth is left
    assert evaluate(lambda images: outputs) == pytest.approx(0.5)
    nothing = {name: x * 0 for name, x in outputs.items()}
    assert evaluate(lambda images: nothing) == 0


@pytest.mark.slow
def test_a_run_is_measured(tmp_path):
    """Of random weights, which the bounds are wide enough for."""
    data = squares(tmp_path / "data", {"train": 8, "val": 2, "test": 4})
    options = {"task": "instances"}
    fingerprints = {
        split: objects.open_split(data, split, 0, ("masks",), **options).fingerprint
        for split in ("train", "test")
    }
    folder = tmp_path / "run"
    folder.mkdir()
    model = zoo.build("mask_rcnn_025", input_shape=(64, 64, 3), classes=2)
    randomize(model, pictures(4, (64, 64)))
    # exp() of large offsets would enlarge each rounding error.
    for weight in model.get_layer("rpn").get_layer("proposal_offsets").weights:
        weight.assign(weight * 0.1)
    model.save(folder / "model.keras")
    flags = {"options": ["task=instances"], "batch_size": 4, "seed": 0, "slots": 4,
             "test_split": "test", "epochs": 1}  # fmt: skip
    run = RUN | {
        "data": data, "pixel_range": [-1, 1], "flags": flags,
        "data_fingerprint": fingerprints, "examples": {"train": 8, "test": 4},
        "test": {"baseline_mask_ap50": 0.1}, "train_seconds": 1.0,
    }  # fmt: skip
    (folder / "metrics.json").write_text(json.dumps(run))
    arguments = [f"--run_dir={folder}", "--budget=1", "--bound=100", "--runs=2",
                 "--threads=1", "--calibration_images=4",
                 f"--results_dir={tmp_path / 'results'}"]  # fmt: skip
    ((code, out, error),) = several("measure", {"measure": arguments}).values()
    assert code == 0, (out, error)
    (path,) = (tmp_path / "results").glob("mask_rcnn_025_*.json")
    result = json.loads(path.read_text())
    assert result["metric"]["name"] == "mask_ap50" and result["metric"]["qat"] is None
    assert "whole answers" in result["note"]
    assert {"float32_1", "int8_1"} == set(result["latency_ms"])
    assert "WHILE" not in result["operators"]
    assert result["bytes"]["int8"] < result["bytes"]["float32"] / 2
    kinds = {"float32": detect.Detector, "int8": detect_staged.StagedDetector}
    for name, kind in kinds.items():
        detector = kcv.edge.load(folder / f"{name}.tflite")
        assert isinstance(detector, kind)
        assert detector.decoding.variances == pytest.approx(SSD_VARIANCES)
        things = detector.predict(np.zeros((20, 30, 3), "uint8"), score_threshold=0)
        assert all(isinstance(thing, detected.Segmented) for thing in things)
    assert (folder / "answers.png").is_file()
