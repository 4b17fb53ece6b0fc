"""The benchmark runs and leaves valid files; how fast anything is, is not asserted."""

import pathlib
import subprocess
import sys

import pytest

from kcv.tools import results

ROOT = pathlib.Path(__file__).parents[2]


@pytest.mark.slow
def test_boxes(tmp_path):
    command = [sys.executable, "benchmarks/boxes.py", f"--results={tmp_path}"]
    small = ["--boxes=300", "--anchors=2000", "--objects=7", "--rounds=2"]
    run = subprocess.run(
        [*command, *small], capture_output=True, text=True, cwd=ROOT, timeout=300
    )
    assert run.returncode == 0, run.stderr[-2000:]
    measured = {value["name"]: value for value in results.read_benchmarks(tmp_path)}
    assert set(measured) == {"boxes_nms", "boxes_matching"}
    assert 0 < measured["boxes_nms"]["details"]["kept"]["ours"] < 300
    assert measured["boxes_matching"]["details"]["anchors"] == 2000
    assert all(value["runs"] == 2 and value["peer"] > 0 for value in measured.values())
