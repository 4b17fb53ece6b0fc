"""The script that fuses a detector, with models that need no training."""

import pathlib
import sys

import numpy as np
import pytest
import script_calls

EDGE = pathlib.Path(__file__).parents[1] / "edge"
sys.path.insert(0, str(EDGE))  # for the tiny model that both folders use
import tiny_tasks  # noqa: E402
import tiny_tflite  # noqa: E402

from kcv.edge import detect, detectors, model_file  # noqa: E402

ANCHORS = np.float32([[0, 0, 4, 4], [4, 0, 8, 4], [0, 4, 4, 8], [4, 4, 8, 8]])
SSD = detect.Decoding("sigmoid", "log", ANCHORS, (8, 8))
YOLO = SSD._replace(offsets="roots")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fuse")
    outputs = {"scores": np.float32([[0], [1], [2], [3]]), "offsets": np.zeros((4, 4))}
    for name, how in {"ssd": SSD, "yolo": YOLO}.items():
        changes = {"labels": ["cat"], "decoding": detect.to_json(how)}
        tiny_tasks.detector(folder / f"{name}.tflite", outputs, **changes)
    tiny_tflite.write(folder / "digits.tflite")
    (folder / "broken.tflite").write_bytes(b"\0\0\0\0TFL3broken")
    return folder


@pytest.fixture(scope="module")
def told(place):
    """{what: (exit code, stdout, stderr)} of every call."""
    flags = {
        "plain": ["ssd"],
        "flags": ["ssd", "--max_detections=3", "--score_threshold=0.6",
                  "--iou_threshold=0.3"],
        "classifier": ["digits"],
        "yolo": ["yolo"],
        "broken": ["broken"],
        "absent": ["nothing"],
        "score": ["ssd", "--score_threshold=1.5"],
        "iou": ["ssd", "--iou_threshold=0"],
        "most": ["ssd", "--max_detections=0"],
        "word": ["ssd", "word"],
    }  # fmt: skip
    calls = {
        what: [
            f"--model={place}/{model}.tflite",
            f"--output={place}/out/{what}.tflite",
            *rest,
        ]
        for what, (model, *rest) in flags.items()
    }
    path = f"{place}/ssd.tflite"
    calls["itself"] = [f"--model={path}", f"--output={place}/out/../ssd.tflite"]
    calls["folder"] = [f"--model={path}", f"--output={place}"]
    return script_calls.several("fuse_detector", calls)


@pytest.mark.slow
def test_files_that_are_written(told, place):
    """The command of the docstring, and every flag."""
    code, out, error = told["plain"]
    assert code == 0, error
    assert f"wrote {place}/out/plain.tflite" in out
    assert "TFLite_Detection_PostProcess" in out
    made = [
        detectors.detector(model_file.read(place / "out" / f"{what}.tflite"))
        for what in ("plain", "flags")
    ]
    found = [x.outputs(np.zeros((1, 8, 8, 3), "uint8")) for x in made]
    assert [x["boxes"].shape[1] for x in found] == [100, 3]
    assert [x["count"].item() for x in found] == [4, 3]
    assert made[1].model.manifest["decoding"]["score_threshold"] == 0.6
    assert made[1].model.manifest["decoding"]["iou_threshold"] == 0.3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("what", "code", "message"),
    [
        ("classifier", 1, "task 'classification' finds no boxes to suppress"),
        ("yolo", 1, "with log offsets, not sigmoid with roots; kcv.edge reads"),
        ("broken", 1, "has no metadata (kcv.json)"),
        ("absent", 1, "no such file; check the model's path"),
        ("score", 1, "score_threshold must be 0 or more and below 1, not 1.5"),
        ("iou", 1, "iou_threshold must be above 0 and at most 1, not 0.0"),
        ("most", 2, "flag --max_detections=0"),
        ("word", 2, "no positional arguments, got word"),
        ("itself", 2, "is --model itself; choose another path"),
        ("folder", 1, "it is a folder; choose another path"),
    ],
)
def test_errors_of_one_line(told, place, what, code, message):
    assert told[what][0] == code
    line = told[what][2].strip().splitlines()[-1]
    assert line.startswith("error: ") and message in line
    assert not (place / "out" / f"{what}.tflite").exists()
