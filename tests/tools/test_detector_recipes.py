"""Two steps of every recipe of a detector's paper, on data of the same form."""

import pathlib

import programs
import pytest
from coco_squares import squares

RECIPES = pathlib.Path(__file__).parents[2] / "tools" / "recipes"
PAPER = sorted(
    path.stem
    for data in ("coco", "voc")
    for path in RECIPES.glob(f"*_{data}.flags")
    if "train_detector" in path.read_text()
)
SIZES = {"ssd300": 300}  # its six maps fit no smaller image
INSTEAD = {  # 271 million weights tell no more of the flags
    "yolo_v1": "yolo_v1_tiny",
    "yolo_v2": "yolo_v2_025",
    "retinanet": "retinanet_025",
    "r_fcn": "r_fcn_025",
    "faster_rcnn": "faster_rcnn_025",
    "faster_rcnn_fpn": "faster_rcnn_025",
    "mask_rcnn": "mask_rcnn_025",
    "keypoint_rcnn": "keypoint_rcnn_025",
}
RUN = """
import sys, tempfile
import keras
import tensorflow as tf
from absl import flags
from kcv.tools import train_detector

tf.config.run_functions_eagerly(True)  # a graph takes longer than two steps
train_detector.training_run.plain_copy = lambda model, make: model
train_detector.detector.write_results = lambda *_: {}  # pictures of huge networks

for line in sys.argv[1:]:
    name, *overrides = line.split()
    keras.backend.clear_session()
    flags.FLAGS.unparse_flags()
    with tempfile.TemporaryDirectory() as folder:
        flags.FLAGS(["x", "--flagfile=tools/recipes/" + name + ".flags", *overrides,
                     "--output_dir=" + folder])
        train_detector.main(["x"])
    for name_of in flags.FLAGS.get_key_flags_for_module("kcv.tools.train_detector"):
        name_of.unparse()
    print("trained", name, flush=True)
"""


def _command(name, data):
    model = name.rsplit("_", 1)[0]
    size = SIZES.get(model, 64)
    flags = f"--model={INSTEAD.get(model, model)} --image_size={size} --data={data}"
    flags += " --batch_size=2 --epochs=1 --warmup_epochs=0 --notensorboard"
    flags += " --rois=16 --anchors=16"
    # A few images at the rate of many would explode.
    return f"{name} {flags} --learning_rate=1e-6"


def test_there_is_one_for_every_family():
    assert len(PAPER) >= 11
    known = {"ssd300", "retinanet", "yolo", "faster", "r", "mask", "keypoint"}
    assert {name.split("_")[0] for name in PAPER} >= known


@pytest.mark.slow
@pytest.mark.parametrize("half", [0, 1])
def test_two_steps(half, tmp_path):
    data = squares(tmp_path / "data", {"train": 4, "val": 2, "test": 2})
    names = PAPER[half::2]
    commands = [_command(name, data) for name in names]
    done = programs.run("-c", RUN, *commands, cwd=RECIPES.parents[1])
    trained = [x.split()[1] for x in done.stdout.splitlines() if x[:7] == "trained"]
    assert trained == names, done.stderr[-3000:]
