"""In processes of their own: what is tested for aborts them."""

import subprocess
import sys

import pytest

STEP = """
import numpy as np
from kcv import zoo
from kcv.train import loop, optimizers, schedules
from kcv.train.classifier import classification_losses
import tensorflow as tf

images = np.random.default_rng(0).normal(size=(32, 96, 96, 3)).astype("float32")
batch = {"images": images, "labels": np.arange(32, dtype="int32") % 10}
model = zoo.build("alexnet_025", input_shape=(96, 96, 3), classes=10)
history = loop.train(
    model, classification_losses(), optimizers.make_optimizer("sgd", 0.01),
    lambda *position: tf.data.Dataset.from_tensors(batch),
    steps_per_epoch=1, epochs=1, checkpoint_dir=__import__("sys").argv[1],
    schedule=schedules.make_schedule("constant", 0.01, 1),
)
assert 2 < history[0]["loss"] < 6
"""


@pytest.mark.slow
def test_grouped_convolutions_train(tmp_path):
    """Trap: without the switch TensorFlow 2.21 ends by SIGABRT in the first step."""
    done = subprocess.run(
        [sys.executable, "-c", STEP, tmp_path], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
