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
