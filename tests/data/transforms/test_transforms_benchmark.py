"""The benchmark runs and leaves a valid file; how fast anything is, is not asserted."""

import pathlib

import programs
import pytest

from kcv.tools import results

ROOT = pathlib.Path(__file__).parents[3]


@pytest.mark.slow
def test_transforms_benchmark(tmp_path):
    flags = ["--image_size=32", "--batch_size=2", "--steps=2", "--rounds=1"]
    flags.append(f"--results={tmp_path}")
    run = programs.run("benchmarks/transforms.py", *flags, cwd=ROOT)
    assert run.returncode == 0, run.stderr[-2000:]
    (measured,) = results.read_benchmarks(tmp_path)
    assert measured["name"] == "transforms_32"
    speeds = measured["details"]["images_per_second"]
    assert measured["peer"] == pytest.approx(
        max(speeds["keras"], speeds["keras_cv"]), rel=1e-2
    )
