"""MediaPipe's ObjectDetector finds what kcv.edge finds; see test_mediapipe."""

import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from test_mediapipe import PYTHON, make_environment

from kcv.edge import detectors, model_file

WORKER = pathlib.Path(__file__).parent / "mediapipe_detector_worker.py"
# Of scores; random weights make more of the difference of two versions of XNNPACK.
TOLERANCE = {"float32": 1e-3, "int8": 2 / 256}
EXPORT = pathlib.Path(__file__).parents[1] / "export"


@pytest.mark.slow
def test_mediapipe_finds_the_same_things(tmp_path):
    """The same classes and scores; its boxes are whole pixels."""
    make_environment()
    sys.path.insert(0, str(EXPORT))  # for the detector that both folders use
    import small_ssd

    from kcv.export.post_process import fuse_post_process

    fused = {}
    for kind, path in small_ssd.write(tmp_path).items():
        fused[kind] = tmp_path / f"fused_{kind}.tflite"
        read = model_file.read(path)
        fused[kind].write_bytes(fuse_post_process(read, score_threshold=0.3))
    images = small_ssd.pixels(6, seed=2)
    np.save(tmp_path / "images.npy", images)
    done = subprocess.run(
        [PYTHON, WORKER, tmp_path / "images.npy", *fused.values()],
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    answers = json.loads(done.stdout.splitlines()[-1])
    for kind, theirs in zip(fused, answers):
        detector = detectors.detector(model_file.read(fused[kind]))
        tolerance = TOLERANCE[kind]
        outputs = detector.outputs(images)
        for k, things in enumerate(theirs):
            ours = _things(detector.labels, {x: y[k] for x, y in outputs.items()})
            assert len(ours) == len(things) > 10
            for thing in things:
                ours.remove(next(x for x in ours if _alike(x, thing, tolerance)))


def _alike(ours, theirs, tolerance):
    """Whether both are one thing; it may lie at the border of two pixels."""
    low = np.subtract(ours[2], theirs[2]) + 96 * tolerance
    inside = (low >= 0).all() and (low < 1 + 2 * 96 * tolerance).all()
    return ours[0] == theirs[0] and abs(ours[1] - theirs[1]) < tolerance and inside


def _things(labels, outputs):
    """[label, score, (x, y, width, height) in pixels] of one image of 96 x 96."""
    found = []
    for k in range(int(outputs["count"])):
        y1, x1, y2, x2 = (96 * outputs["boxes"][k]).tolist()
        label = labels[int(outputs["classes"][k])]
        found.append([label, float(outputs["scores"][k]), [x1, y1, x2 - x1, y2 - y1]])
    return found
