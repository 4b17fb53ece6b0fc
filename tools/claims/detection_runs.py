"""What the claims about detectors share: drawn scenes as arrays, and short training.

The scenes are those of `scenes/detection_easy`, small and of few shapes: things without
texture before a gradient, none hidden. They are drawn once for all arms and all seeds;
a seed decides initial weights and the order of the images.
"""

import functools
import time
from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from kcv.boxes.decoding import Decoding
from kcv.data.scenes import scene, views
from kcv.tools.claims import digits_runs
from kcv.tools.claims.over_seeds import band
from kcv.train import detector
from kcv.train.batch_norm import training_batch_norm

SIDE, LARGE = 64, 128  # pixels; SSD's second map has cells of 32
SHAPES = 3  # circle, square, triangle
TRAIN, TEST = 1500, 300  # scenes
BATCH_SIZE, EVALUATED = 16, 50  # images of a step, and of a batch of the test
RATE, CLIP_NORM, WARMUP, LAST_RATE = 2e-3, 10.0, 0.1, 0.02  # shares of steps, of RATE


@functools.cache
def scenes(split, count, side=SIDE, shapes=SHAPES, most=4, **changes):
    """Draws scenes.

    Args:
        split: "train", "validation" or "test".
        count: of scenes.
        side: height and width, pixels.
        shapes: number of classes, the first of scene.SHAPES.
        most: objects in a scene.
        **changes: of the `Config` of easy scenes.

    Returns:
        {"images": uint8 (n, side, side, 3), "boxes": float32 (n, most, 4), "classes":
        int32 (n, most), -1 in empty slots, "crowd": int32 (n, most)}.
    """
    config = views.config_of("detection", side, "easy")._replace(
        categories=scene.SHAPES[:shapes], people=(0, 0), max_objects=most, **changes
    )
    found = {
        "images": np.zeros((count, side, side, 3), "uint8"),
        "boxes": np.zeros((count, most, 4), "float32"),
        "classes": np.full((count, most), -1, "int32"),
        "crowd": np.zeros((count, most), "int32"),
    }
    for index in range(count):
        record = views.record("detection", config, split, 0, index)
        found["images"][index] = record["images"]
        for key in detector.KEYS:
            found[key][index, : len(record[key])] = record[key]
    return found


def batch_of(data, rows):
    """Rows of `scenes` as a batch: images float32 in [-1, 1]."""
    batch = {key: values[rows] for key, values in data.items()}
    return batch | {"images": batch["images"].astype("float32") / 127.5 - 1}


class Learner(NamedTuple):
    """A detector that is trained at every seed; what is traced is kept.

    Args:
        build: function without arguments that builds the model.
        model: that learns.
        decoding: of the model.
        initial: (variable, value) of all of them, and of the optimizer's.
        optimizer: its.
        step: function (batch) -> loss, traced.
        answer: function (images) -> detections, traced.
    """

    build: Callable
    model: keras.Model
    decoding: Decoding
    initial: list
    optimizer: keras.optimizers.Optimizer
    step: Callable
    answer: Callable


def learner(build, method, decoding, losses=None, **options):
    """Makes a `Learner`.

    Args:
        build: function without arguments that builds the model.
        method: a key of detector.METHODS.
        decoding: of the model.
        losses: function (decoding, batch, outputs) -> {"name": (b,)}; None: that of
            the method.
        **options: of the method's training graph.
    """
    row, model = detector.METHODS[method], build()
    graph = row.graph(model, **options) if row.graph else model
    names, losses = row.graph and list(graph.input), losses or row.losses
    optimizer = keras.optimizers.Adam(RATE, global_clipnorm=CLIP_NORM)
    optimizer.build(graph.trainable_variables)

    @tf.function(reduce_retracing=True, autograph=False)
    def step(batch):
        inputs = {name: batch[name] for name in names} if names else batch["images"]
        with tf.GradientTape() as tape:
            terms = losses(decoding, batch, graph(inputs, training=True))
            loss = sum(tf.reduce_mean(term) for term in terms.values())
        gradients = tape.gradient(loss, graph.trainable_variables)
        optimizer.apply_gradients(zip(gradients, graph.trainable_variables))
        return loss

    variables = [*graph.variables, *optimizer.variables]
    initial = [(variable, variable.numpy()) for variable in variables]
    answer = answers(decoding, lambda images: model(images, training=False))
    return Learner(build, model, decoding, initial, optimizer, step, answer)


def answers(decoding, outputs):
    """Returns a traced function (images) -> detections; `outputs` is one to outputs."""

    def answer(images):
        return detector.detect(decoding, outputs(tf.convert_to_tensor(images)))

    return tf.function(answer, reduce_retracing=True, autograph=False)


def start(learner, seed):
    """Takes a learner back to its start, with initial weights of the seed."""
    for variable, value in learner.initial:
        variable.assign(value)
    keras.utils.set_random_seed(seed)
    learner.model.set_weights(learner.build().get_weights())


def train(learner, data, steps, seed, each=None):
    """Trains: the rate rises over a tenth of the steps and falls as a cosine.

    Args:
        learner: of `learner`.
        data: of `scenes`.
        steps: updates.
        seed: of the order of the images.
        each: None or a function of the number of the step, from 1, called after it.

    Returns:
        The losses, one a step.
    """
    losses = []
    rows = np.arange(len(data["images"]))
    with training_batch_norm(learner.model, tf.distribute.get_strategy()):
        order = digits_runs.batches(rows, rows, steps, BATCH_SIZE, seed)
        for number, (chosen, _) in enumerate(order):
            learner.optimizer.learning_rate = RATE * _share(number / steps)
            losses.append(learner.step(batch_of(data, chosen)))
            if each:
                each(number + 1)
    return [float(loss) for loss in losses]


def _share(done):
    if done < WARMUP:
        return (done + 0.2 * WARMUP) / (1.2 * WARMUP)
    wave = (1 + np.cos(np.pi * (done - WARMUP) / (1 - WARMUP))) / 2
    return LAST_RATE + (1 - LAST_RATE) * wave


def precisions(answer, data, classes=SHAPES):
    """{"ap", "ap50", "ap75"} of a learner's `answer` on `scenes`, 0..1."""
    rows = np.array_split(
        np.arange(len(data["images"])), max(1, len(data["images"]) // EVALUATED)
    )
    batches = (batch_of(data, some) for some in rows)
    return detector.average_precisions(answer, batches, classes)


def seconds_of(function, times):
    """The least time of some calls of a function, the first of which does not count."""
    found = []
    for _ in range(1 + times):
        begin = time.perf_counter()
        function()
        found.append(time.perf_counter() - begin)
    return min(found[1:])


def least_step(learner, batch, times=10):
    """The least time of some steps, which train, in seconds."""
    with training_batch_norm(learner.model, tf.distribute.get_strategy()):
        return seconds_of(lambda: float(learner.step(batch)), times)


def course(losses, window=20):
    """Means of windows of losses that follow each other, a list, for a picture."""
    count = max(1, len(losses) // window)
    return [float(np.mean(part)) for part in np.array_split(losses, count)]


def draw_course(axis, courses, color, label, window=20):
    """Draws courses of all seeds over steps."""
    steps = window * (np.arange(len(courses[0])) + 0.5)
    band(axis, steps, courses, color, label)
    axis.set(title="training loss", xlabel="step", yscale="log")
