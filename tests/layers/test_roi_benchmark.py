"""The benchmark runs and leaves valid files; how fast anything is, is not asserted."""

import pathlib

import programs
import pytest

from kcv.tools import results

ROOT = pathlib.Path(__file__).parents[2]


@pytest.mark.slow
def test_roi_align(tmp_path):
    flags = [
        "--boxes=9",
        "--image_size=64,96",
        "--channels=3",
        "--bins=2",
        "--rounds=1",
    ]
    flags += ["--modes=graph", "--modes=xla", f"--results={tmp_path}"]
    run = programs.run("benchmarks/roi_align.py", *flags, cwd=ROOT)
    assert run.returncode == 0, run.stderr[-2000:]
    measured = {value["name"]: value for value in results.read_benchmarks(tmp_path)}
    what = ("gather", "kernel", "pyramid", "memory", "gather_xla", "pyramid_xla")
    assert set(measured) == {f"roi_align_2_{name}" for name in what}
    for value in measured.values():
        assert value["details"]["image"] == [64, 96]
        assert value["details"]["boxes"] == 9
        if value["unit"] == "ms":
            assert value["details"]["gradient_error"]["gather"] < 1e-3
    assert measured["roi_align_2_gather"]["details"]["p50"]["ours_gather"] > 0
    assert measured["roi_align_2_memory"]["details"]["peaks"]["kernel"] > 100
