"""The benchmark runs and leaves a valid file; how fast anything is, is not asserted."""

import pathlib
import subprocess
import sys

import pytest

from kcv.tools import results

ROOT = pathlib.Path(__file__).parents[3]


@pytest.mark.slow
def test_transforms_benchmark(tmp_path):
    command = [sys.executable, "benchmarks/transforms.py", f"--results={tmp_path}"]
    command += ["--image_size=32", "--batch_size=2", "--steps=2", "--rounds=1"]
    run = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=300)
    assert run.returncode == 0, run.stderr[-2000:]
    (measured,) = results.read_benchmarks(tmp_path)
    assert measured["name"] == "transforms_32"
    speeds = measured["details"]["images_per_second"]
    assert measured["peer"] == pytest.approx(
        max(speeds["keras"], speeds["keras_cv"]), rel=1e-2
    )
