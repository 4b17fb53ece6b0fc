"""MediaPipe reads our files as we do.

It cannot share an environment with tensorflow-model-optimization (absl-py), so it has
.venv-mediapipe beside .venv, which this test makes once (0.5 GB). MediaPipe has been
seen to hang: it runs in a process with a time limit.
"""

import json
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest

import kcv.edge

VERSION = "1.2.2"
VENV = pathlib.Path(__file__).parents[2] / ".venv-mediapipe"
PYTHON = VENV / "bin" / "python"
WORKER = pathlib.Path(__file__).parent / "mediapipe_worker.py"

# The largest difference of a score; the two carry different versions of XNNPACK.
TOLERANCE = {"float32": 1e-5, "float16": 1e-5, "uint8": 2 / 256, "int16x8": 1e-3}


def make_environment():
    """Installs MediaPipe unless it is there; skips with the reason where it cannot."""
    probe = [PYTHON, "-c", "import mediapipe; print(mediapipe.__version__)"]
    if PYTHON.exists():
        done = subprocess.run(probe, capture_output=True, text=True, timeout=120)
        if done.stdout.strip() == VERSION:
            return
    beside = pathlib.Path(sys.executable).with_name("uv")
    uv = str(beside) if beside.exists() else shutil.which("uv")
    requirement = f"mediapipe=={VERSION}"
    if uv:
        steps = [
            [uv, "venv", "--clear", "--python", sys.executable, VENV],
            [uv, "pip", "install", "--python", PYTHON, requirement],
        ]
    else:
        steps = [
            [sys.executable, "-m", "venv", "--clear", VENV],
            [PYTHON, "-m", "pip", "install", "--retries=1", requirement],
        ]
    for command in [*steps, probe]:
        done = subprocess.run(command, capture_output=True, text=True, timeout=600)
        if done.returncode:
            last = (done.stderr or done.stdout).strip().splitlines()[-1:]
            pytest.skip(f"MediaPipe cannot be installed: {command[:4]} said {last}")


@pytest.mark.slow
def test_mediapipe_gives_the_same_answers(exported, tmp_path):
    make_environment()
    images = exported.pixels[:60]
    np.save(tmp_path / "images.npy", images)
    files = [str(exported.files[kind]) for kind in TOLERANCE]
    done = subprocess.run(
        [PYTHON, WORKER, tmp_path / "images.npy", *files],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    answers = json.loads(done.stdout.splitlines()[-1])
    for kind, theirs in zip(TOLERANCE, answers):
        classifier = kcv.edge.load(exported.files[kind])
        ours = classifier.probabilities(images)
        for scores, (index, label, score) in zip(ours, theirs):
            # One of the best: quantized scores can tie.
            assert scores[index] == pytest.approx(scores.max(), abs=TOLERANCE[kind])
            assert score == pytest.approx(scores[index], abs=TOLERANCE[kind])
            assert label == classifier.labels[index]
        right = np.mean([index for index, _, _ in theirs] == exported.labels[:60])
        assert right > 0.85
