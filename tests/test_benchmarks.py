"""The benchmarks run and leave valid files; how fast anything is, is not asserted."""

import pathlib

import programs
import pytest

from kcv.tools import results

ROOT = pathlib.Path(__file__).parents[1]


def _run(name, folder, *arguments):
    run = programs.run(
        f"benchmarks/{name}.py", f"--results={folder}", *arguments, cwd=ROOT
    )
    assert run.returncode == 0, run.stderr[-2000:]
    return {value["name"]: value for value in results.read_benchmarks(folder)}


def test_import_time(tmp_path):
    measured = _run("import_time", tmp_path, "--runs=1")
    assert set(measured) == {
        *("import_kcv", "import_kcv_edge", "import_kcv_edge_classify")
    }
    assert measured["import_kcv_edge_classify"]["ours"] > measured["import_kcv"]["ours"]


@pytest.mark.slow
def test_edge_latency(tmp_path):
    measured = _run(
        *("edge_latency", tmp_path),
        *("--models=mobilenet_v1", "--modes=int8", "--image_size=64", "--rounds=2"),
    )
    assert set(measured) == {"latency_mobilenet_v1_int8"}
    operators = measured["latency_mobilenet_v1_int8"]["details"]["operators"]
    ours, peer = operators["ours"], operators["peer"]
    assert ours["CONV_2D"] == 14 and peer["CONV_2D"] == 15
    assert "SHAPE" not in ours and "RESHAPE" not in ours and "PAD" not in ours


@pytest.mark.slow
def test_training_epoch(tmp_path):
    measured = _run(
        *("training_epoch", tmp_path),
        *("--models=mobilenet_v1_025", "--image_size=32", "--files=40"),
        *("--batch_size=8", "--rounds=1"),
        *("--modes=disk", "--modes=loop"),
    )
    modes = ("disk", "loop")
    assert set(measured) == {f"training_{mode}_mobilenet_v1_025" for mode in modes}
    for value in measured.values():
        assert value["details"]["images"] == 40


@pytest.mark.slow
def test_scenes(tmp_path):
    measured = _run(
        *("scenes", tmp_path, "--sizes=64", "--runs=1", "--seconds=0.2"),
        "--memory_scenes=20",
    )
    assert set(measured) == {"scenes_64", "scenes_memory"}
    assert measured["scenes_64"]["ours"] > 1


def test_coco_evaluation(tmp_path):
    measured = _run(
        *("coco_evaluation", tmp_path, "--images=6", "--boxes=6", "--rounds=1"),
        "--memory_images=3",
    )
    assert set(measured) == {"coco_evaluation", "coco_evaluation_memory"}
    assert 0 < measured["coco_evaluation"]["details"]["ap"] < 1
    for side in ("ours", "peer"):
        assert 20 < measured["coco_evaluation_memory"][side] < 500


@pytest.mark.slow
def test_detector_share(tmp_path):
    small = ("--models=ssd_mobilenet_v1_050", "--image_size=96", "--classes=3")
    measured = _run("detector_share", tmp_path, *small, "--rounds=2")
    (value,) = measured.values()
    assert value["name"] == "detector_share_ssd_mobilenet_v1_050"
    assert 0 < value["ours"] < 100
    assert 0 < value["details"]["kept"]["0.5"] <= value["details"]["kept"]["0.05"]


@pytest.mark.slow
def test_two_stage_step(tmp_path):
    small = ("--options=body=mobilenet_v1,alpha=0.25", "--image_size=64", "--rois=8")
    small += ("--rounds=1", "--parts=body", "--parts=backward")
    measured = _run("two_stage_step", tmp_path, *small)
    parts = measured["two_stage_step_faster_rcnn_fpn"]["details"]["p50_by_part"]
    assert set(parts) == {"body", "backward"}
    whole = measured["two_stage_step_faster_rcnn_fpn"]["ours"]
    assert sum(parts.values()) == pytest.approx(whole, rel=0.02)
