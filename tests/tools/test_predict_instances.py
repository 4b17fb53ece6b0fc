"""What `predict` says of masks and keypoints."""

import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

EDGE = pathlib.Path(__file__).parents[1] / "edge"
sys.path.insert(0, str(EDGE))  # for the tiny model that both folders use
import tiny_stages  # noqa: E402

import kcv.edge  # noqa: E402
from kcv.edge import detected  # noqa: E402
from kcv.tools import predict_json  # noqa: E402


@pytest.mark.parametrize("head", ["mask_head", "keypoint_head"])
def test_json_and_a_picture(tmp_path, head):
    model = tiny_stages.write(tmp_path / "x.tflite", [head])
    Image.new("RGB", (40, 16)).save(tmp_path / "a.png")
    command = [sys.executable, "-m", "kcv.tools.predict", f"--model={model}", "--json",
               "--least_score=0.3", f"--output_dir={tmp_path}", "a.png"]  # fmt: skip
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    said = json.loads(done.stdout)["predictions"]
    found = kcv.edge.load(model).predict(tmp_path / "a.png", 0.3)
    assert len(said) == len(found) > 0
    for one, thing in zip(said, found):
        assert one["label"] == thing.label and one["score"] == thing.score
        if head == "mask_head":
            assert one["mask_area"] == thing.mask.sum() and "mask" not in one
        else:
            np.testing.assert_allclose(one["keypoints"], thing.keypoints, atol=1e-3)
    assert Image.open(tmp_path / "a_answer.png").size == (320, 128)


def test_a_mask_is_told_by_its_area_and_the_box_around_it():
    mask = np.zeros((6, 9), "uint8")
    mask[2:4, 3:8] = 1
    thing = detected.Segmented("cat", 0, 0.9, (3.0, 2.0, 8.0, 4.0), mask)
    said = predict_json.plain(thing)
    assert (said["mask_area"], said["mask_box"]) == (10, [3, 2, 8, 4])
    assert predict_json.plain(thing._replace(mask=0 * mask))["mask_box"] == [0, 0, 0, 0]
