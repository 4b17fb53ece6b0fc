"""Rectangles on grey pictures, and what detectors of two stages make of them."""

import keras
import numpy as np

from kcv.boxes.coding import SSD_VARIANCES
from kcv.edge import boxes, detect
from kcv.losses.two_stage import two_stage_loss
from kcv.metrics.coco import CocoMetric
from kcv.models.detection.two_stage import training_graph

SIDE, SLOTS, LABELS = 64, 3, ["red", "blue"]
COLORS = np.float32([[0.9, -0.6, -0.6], [-0.6, -0.4, 0.9]])


def pictures(count, seed=0):
    """Pictures in [-1, 1] of one to three rectangles, red or blue, and the truth."""
    rng = np.random.default_rng(seed)
    images = rng.uniform(-0.2, 0.2, (count, SIDE, SIDE, 3)).astype("float32")
    truth = {
        "boxes": np.zeros((count, SLOTS, 4), "float32"),
        "classes": np.full((count, SLOTS), -1, "int32"),
        "crowd": np.zeros((count, SLOTS), "int32"),
        "masks": np.zeros((count, SLOTS, SIDE, SIDE), "uint8"),
    }
    for k in range(count):
        for slot in range(rng.integers(1, SLOTS + 1)):
            width, height = rng.integers(12, 33, 2)
            x, y = rng.integers(0, SIDE - width), rng.integers(0, SIDE - height)
            # Later ones leave free what is taken.
            if truth["masks"][k, :, y : y + height, x : x + width].any():
                continue
            kind = rng.integers(2)
            part = images[k, y : y + height, x : x + width]
            part[:] = COLORS[kind] + rng.uniform(-0.1, 0.1, part.shape)
            truth["boxes"][k, slot] = (x, y, x + width, y + height)
            truth["classes"][k, slot] = kind
            truth["masks"][k, slot, y : y + height, x : x + width] = 1
    return images, truth


def train(model, steps, rate=2e-3, batch=8, seed=0):
    """Trains a detector of two stages in place, by Adam with a cosine."""
    import tensorflow as tf

    graph = training_graph(model, anchors=64, rois=24, proposals=48, seed=seed)
    images, truth = pictures(steps * batch, seed + 1)
    data = {"images": images, **truth}
    data = {name: data[name] for name in graph.input}
    schedule = keras.optimizers.schedules.CosineDecay(rate, steps)
    optimizer = keras.optimizers.Adam(schedule, clipnorm=5.0)
    optimizer.build(graph.trainable_variables)

    @tf.function
    def step(given):
        with tf.GradientTape() as tape:
            losses = two_stage_loss(graph(given, training=True))
            loss = tf.reduce_mean(sum(losses.values()))
        slopes = tape.gradient(loss, graph.trainable_variables)
        optimizer.apply_gradients(zip(slopes, graph.trainable_variables))
        return loss

    for k in range(steps):
        here = slice(k * batch, (k + 1) * batch)
        step({name: tf.constant(value[here]) for name, value in data.items()})


def average_precision(outputs, truth):
    """AP50 of what the device makes of the outputs of a detector of two stages."""
    how = detect.Decoding("softmax", "regions", None, (SIDE, SIDE), SSD_VARIANCES)
    answers = {"boxes": [], "scores": [], "classes": []}
    for k in range(len(outputs["scores"])):
        one = {name: outputs[name][k] for name in ("scores", "offsets", "proposals")}
        found = boxes.detections(*detect.decode(how, one), score_threshold=0.01)
        for name, values in zip(answers, found):
            answers[name].append(values)
    metric = CocoMetric("boxes", len(LABELS))
    metric.update({key: truth[key] for key in ("boxes", "classes", "crowd")}, answers)
    return metric.result()["ap50"]
