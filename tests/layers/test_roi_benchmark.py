"""The benchmark runs and leaves valid files; how fast anything is, is not asserted."""

import pathlib

import programs
import pytest

from kcv.tools import results

ROOT = pathlib.Path(__file__).parents[2]


@pytest.mark.slow
def test_roi_align(tmp_path):
    flags = ["--boxes=9", "--map_size=12", "--channels=3", "--bins=2", "--rounds=1"]
    flags += ["--modes=graph", "--modes=xla", f"--results={tmp_path}"]
    run = programs.run("benchmarks/roi_align.py", *flags, cwd=ROOT)
    assert run.returncode == 0, run.stderr[-2000:]
    measured = {value["name"]: value for value in results.read_benchmarks(tmp_path)}
    peers = ("gather", "kernel", "gather_xla")
    assert set(measured) == {f"roi_align_2_{peer}" for peer in peers}
    for value in measured.values():
        assert value["details"]["map"] == [12, 12, 3]
        assert value["details"]["p50"]["ours_gather"] > 0
