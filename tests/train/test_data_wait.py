"""The alarm of training that waits for its input."""

import io
import time

import keras
import numpy as np
import pytest
import tensorflow as tf
from rich.console import Console

from kcv import data
from kcv.train import classifier, loop, optimizers, schedules
from kcv.train.data_wait import DataWait
from kcv.train.progress import TrainingProgress


def slow_data(seconds, steps=8):
    def batch(step):
        time.sleep(seconds)
        return np.ones((2, 4), np.float32)

    def batches(epoch, start_step, replicas):
        rows = tf.data.Dataset.range(steps)
        images = rows.map(lambda i: tf.numpy_function(batch, [i], tf.float32))
        return images.map(
            lambda x: {"images": tf.ensure_shape(x, (2, 4)), "labels": [0, 1]}
        )

    return batches


def train(tmp_path, seconds):
    inputs = keras.Input((4,))
    outputs = keras.layers.Dense(2, activation="softmax")(inputs)
    return loop.train(
        keras.Model(inputs, outputs),
        classifier.classification_losses(),
        optimizers.make_optimizer("sgd", 0.1),
        slow_data(seconds),
        steps_per_epoch=8,
        epochs=2,
        schedule=schedules.make_schedule("constant", 0.1, 1),
        checkpoint_dir=tmp_path,
    )


def test_the_share_of_slow_data_is_seen(tmp_path):
    rows = train(tmp_path, seconds=0.1)
    assert all(0.8 < row["waiting"] <= 1 for row in rows)


def test_the_clock_counts_waits_and_steps_apart():
    wait = DataWait()
    assert wait.share() == 0

    @tf.function
    def step(iterator, pause):
        batch = wait.next(iterator)
        return tf.numpy_function(lambda x: (time.sleep(pause), x)[1], [batch], tf.int64)

    numbers = iter(tf.data.Dataset.range(5))
    assert [int(step(numbers, 0.1)) for _ in range(5)] == [0, 1, 2, 3, 4]
    assert wait.share() < 0.2
    wait.reset()
    assert wait.share() == 0


@pytest.mark.parametrize("waiting, warned", [(0.05, False), (0.4, True)])
def test_a_person_is_told_once(waiting, warned):
    row = {"epoch": 1, "learning_rate": 0.1, "seconds": 2.0, "waiting": waiting}
    progress = TrainingProgress("mlp", 2, 8, slowest_stage=lambda: "decoding (so much)")
    progress.console = Console(file=io.StringIO(), width=200)
    progress.on_epoch([row])
    progress.on_epoch([row])
    text = progress.console.file.getvalue()
    assert text.count(f"{waiting:.0%} of it waiting for data") == 2
    assert text.count("the slowest stage is decoding (so much)") == int(warned)


def test_the_slow_stage_is_named():
    digits = data.source("digits", "train")

    def slow(record, size=None):
        def pause(x):
            time.sleep(0.02)
            return x

        decoded = digits.decode(record)
        image = tf.numpy_function(pause, [decoded["images"]], tf.uint8)
        return decoded | {"images": tf.ensure_shape(image, (64, 64, 1))}

    source = digits._replace(decode=slow, records=None, num_examples=64)
    source = source._replace(elements=lambda seed: digits.elements(seed))
    arguments = (source, 16, (8, 8, 1), (0.0, 1.0), data.Augment(rotate=5))
    seconds = data.stage_seconds(*arguments)
    assert list(seconds) == ["reading", "decoding", "augmentation", "batching"]
    assert seconds["decoding"] > max(seconds["reading"], seconds["batching"])
    assert data.slowest_stage(*arguments).startswith("decoding (")
