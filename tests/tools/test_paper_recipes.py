"""Two steps of every recipe of a paper, on data that only look like the real ones."""

import pathlib

import programs
import pytest

from kcv import zoo

RECIPES = pathlib.Path(__file__).parents[2] / "tools" / "recipes"
PAPER = sorted(
    path.stem
    for data in ("imagenet", "cifar10", "mnist")
    for path in RECIPES.glob(f"*_{data}.flags")
)
SIZES = {"alexnet": 67, "zfnet": 63, "inception_v3": 107, "inception_resnet_v2": 75,
         "googlenet": 65, "xception": 71}  # fmt: skip
INSTEAD = {  # fewer weights tell as much of the flags
    "alexnet": "alexnet_025",
    "zfnet": "zfnet_025",
    "vgg16": "vgg11_025",
    "inception_v2": "inception_v2_025",
    "inception_v3": "inception_v3_025",
    "xception": "xception_025",
    "resnet50": "resnet18",
    "mobilenet_v1": "mobilenet_v1_025",
    "mobilenet_v2": "mobilenet_v2_035",
    "mobilenet_v3_large": "mobilenet_v3_small",
    "vit_b16": "vit_ti16",
}
DEEP = {  # two steps of them take long, and what is special is tested elsewhere
    *("inception_resnet_v2", "preact_resnet200", "cifar_resnet110", "preact_resnet164"),
    *("cifar_plain56", "cifar_resnet56", "wide_resnet28_10", "wide_resnet50_2"),
    "resnext50_32x4d",  # the flags of resnet50
}
RUN = """
import sys, tempfile
import keras, numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds
from absl import flags
from kcv.tools import train_classifier

tf.config.run_functions_eagerly(True)  # a graph takes longer than two steps
# What a run leaves behind, test_train_classifier looks at.
train_classifier.training_run.plain_copy = lambda model, make: model
train_classifier.classifier.write_results = lambda *results: 0.0

for line in sys.argv[1:]:
    name, *overrides = line.split()
    keras.backend.clear_session()
    flags.FLAGS.unparse_flags()
    with tempfile.TemporaryDirectory() as folder, tfds.testing.mock_data(9):
        flags.FLAGS(["x", "--flagfile=tools/recipes/" + name + ".flags", *overrides,
                     "--output_dir=" + folder])
        train_classifier.main(["x"])
    for flag in flags.FLAGS.flags_by_module_dict()["kcv.tools.training_flags"]:
        flag.unparse()
    for module in ("kcv.tools.classifier_flags", "kcv.tools.augment_flags"):
        for flag in flags.FLAGS.flags_by_module_dict()[module]:
            flag.unparse()
    print("trained", name, flush=True)
"""


def _command(name):
    model, data = name.rsplit("_", 1)
    flags = f"--model={INSTEAD.get(model, model)}"
    flags += " --batch_size=5 --epochs=1 --warmup_epochs=0 --notensorboard"
    flags += " --learning_rate=1e-5"  # a few images at the rate of many would explode
    if data == "imagenet":
        flags += f" --image_size={SIZES.get(model, 32)}"
    return f"{name} {flags}"


def test_there_is_one_for_every_family():
    """Of ImageNet or CIFAR-10; the perceptrons and localisation have none."""
    families = {name.rsplit("_", 1)[0].rstrip("0123456789_x") for name in PAPER}
    assert len(PAPER) >= 25 and len(families) >= 18
    for name in PAPER:
        model = name.rsplit("_", 1)[0]
        lines = (RECIPES / f"{name}.flags").read_text().splitlines()
        assert f"--model={model}" in lines and model in zoo.ZOO


@pytest.mark.slow
@pytest.mark.parametrize("part", [0, 1])
def test_two_steps_on_a_mock(part):
    names = [name for name in PAPER if name.rsplit("_", 1)[0] not in DEEP][part::2]
    done = programs.run(
        *("-c", RUN, *map(_command, names)), cwd=RECIPES.parents[1], timeout=900
    )
    trained = [x.split()[1] for x in done.stdout.splitlines() if x[:7] == "trained"]
    assert trained == names, done.stderr[-3000:]
