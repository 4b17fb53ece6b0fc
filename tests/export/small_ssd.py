"""An SSD of 96 x 96 pixels that finds many things, all of them nonsense."""

import keras
import numpy as np

from kcv.edge import detect
from kcv.export import convert
from kcv.models.detection import ssd_mobilenet

SHAPE = (96, 96, 3)
LABELS = ("cat", "dog", "cow")
DECODING = detect.Decoding(
    "softmax",
    "log",
    ssd_mobilenet.ssd_mobilenet_v1_anchors(SHAPE),
    SHAPE[:2],
    (0.1, 0.1, 0.2, 0.2),
)


def pixels(count, seed=0):
    """Smooth pictures that differ, uint8 (count, 96, 96, 3)."""
    coarse = np.random.default_rng(seed).integers(0, 256, (count, 6, 6, 3))
    return coarse.repeat(16, axis=1).repeat(16, axis=2).astype("uint8")


def write(folder, kinds=("float32", "int8")):
    """Exports it to folder; returns {kind: path}."""
    keras.utils.set_random_seed(0)
    model = ssd_mobilenet.ssd_mobilenet_v1(SHAPE, classes=len(LABELS), alpha=0.25)
    images = pixels(12).astype("float32") / 127.5 - 1
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0  # the statistics become those of the pictures
    outputs = model(images, training=True)
    # As of a trained one: a picture has few things, and offsets are small.
    for name, spread in (("scores", 2.5), ("offsets", 1.0)):
        scale = spread / np.std(outputs[name])
        for i in range(1, 7):
            kernel, bias = model.get_layer(f"{name}{i}").weights
            kernel.assign(kernel * scale)
            if name == "scores":
                background = np.tile([3.0] + [0.0] * len(LABELS), bias.shape[0] // 4)
                bias.assign(background)
    paths = {kind: folder / f"{kind}.tflite" for kind in kinds}
    for kind, path in paths.items():
        convert(
            model,
            path,
            quantize=kind,
            calibration=images,
            task="detection",
            labels=LABELS,
            bound=5.0,  # random weights; files are compared with files, not with Keras
            extra={"decoding": detect.to_json(DECODING)},
        )
    return paths
