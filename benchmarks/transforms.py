r"""Pictures a second with boxes, masks and keypoints, kcv against keras-cv and Keras.

  python benchmarks/transforms.py --image_size=128

Every side mirrors, turns, shifts and recolours the same batches in memory inside of
tf.data, in turns in this process, autotune off, as many calls at a time as there are
cores. Keras and keras-cv do less: neither moves keypoints. About a minute.

Writes results/benchmarks/transforms_<size>.json, in images/s, against the better of the
two; its details hold the other one, and for each transformation whose it is, and why.
"""

import os
import statistics
import time

import keras
import keras_cv
import numpy as np
import tensorflow as tf
from absl import flags

from kcv.data import random_numbers
from kcv.data.transforms import Transforms, apply
from kcv.tools import results, script

_SIZES = flags.DEFINE_multi_integer("image_size", [128, 256], "Side, in pixels.")
_BATCH = flags.DEFINE_integer("batch_size", 16, "Images in a batch.")
_OBJECTS = flags.DEFINE_integer("objects", 12, "Boxes and masks of an image.")
_STEPS = flags.DEFINE_integer("steps", 16, "Batches of one side in a round.")
_ROUNDS = flags.DEFINE_integer("rounds", 7, "Counted rounds.")
_RESULTS = flags.DEFINE_string("results", "results", "Folder to write into.")

ANGLE, SHIFT, BRIGHTNESS, CONTRAST = 10, 0.1, 0.2, 0.2
OURS = Transforms(
    flip=True, rotate=ANGLE, translate=SHIFT, brightness=BRIGHTNESS, contrast=CONTRAST
)

# Of keras-cv 0.9.0 and Keras 3.15.1: from trying them, with masks, and their sources.
WHOSE = {
    "flip": "ours: Keras hands keypoints on unmoved, keras-cv refuses them",
    "rotate, shear": "ours: both give the box of the turned corners, 1-2 px too large "
    "for disks of 10 px at 36 degrees, though masks are there; each layer "
    "resamples again",
    "translate": "ours: of what leaves Keras keeps a box without area, and keras-cv "
    "moves the later boxes up, away from their masks; no limit on the visible share",
    "zoom": "ours: keras-cv's RandomZoom takes no boxes; Keras's boxes are right",
    "perspective": "ours: Keras's boxes are right up to the corners' box, keras-cv has "
    "none; here part of the one resampling",
    "scale, expand": "ours: neither has them",
    "crop": "ours: keras-cv's RandomCropAndResize goes image by image; part of the "
    "one resampling",
    "brightness, contrast, saturation, hue": "ours: one affine map for all four, with "
    "random numbers of the sample's position; the pixels of theirs are right",
    "intensity, gamma, pca, noise": "ours: neither has gamma or AlexNet's axes",
    "blur": "ours: compiled with the rest",
    "cutout": "ours: RandomCutout and RandomErasing return boxes and masks unchanged",
    "mixup": "ours: both blend label maps as if they were colours",
    "cutmix": "ours: keras-cv's leaves boxes as they are, Keras's raises "
    "NotImplementedError for boxes",
    "mosaic": "ours: keras-cv's boxes are right, but four pictures' instance masks "
    "share channels, and keypoints are refused; Keras has none",
    "rand_augment": "ours: Keras computes every change for every image and selects, "
    "keypoints stay; its seed is a state that a restart does not bring back",
}


def main(argv):
    if len(argv) > 1:
        raise script.UsageError(f"no positional arguments, got {argv[1:]}")
    for size in _SIZES.value:
        compare(size)


def compare(size):
    """Times the three sides in turn and writes the benchmark."""
    keras.utils.set_random_seed(0)
    batch = make_batch(size)
    sides = {
        "kcv": pipeline(batch, ours),
        "keras": pipeline(for_keras(batch), keras_layers()),
        "keras_cv": pipeline(for_keras_cv(batch), keras_cv_layers()),
    }
    seconds = {name: [] for name in sides}
    for turn in range(1 + _ROUNDS.value):  # the first one compiles
        for name, data in sides.items():
            started = time.perf_counter()
            for _ in data:
                pass
            if turn:
                seconds[name].append(time.perf_counter() - started)
    images = _STEPS.value * _BATCH.value
    speed = {name: images / statistics.median(row) for name, row in seconds.items()}
    peer = max("keras", "keras_cv", key=speed.get)
    benchmark = results.benchmark(
        f"transforms_{size}",
        speed["kcv"],
        speed[peer],
        unit="images/s",
        runs=_ROUNDS.value,
        peer_version=f"{peer}, Keras {keras.__version__}, keras-cv "
        f"{keras_cv.__version__}, TensorFlow {tf.__version__}",
        note=f"flip, rotate, translate, brightness and contrast of {size} px images "
        f"with {_OBJECTS.value} boxes and masks, ours with keypoints too; medians of "
        "rounds that take turns, autotune off; higher is better",
        details={
            "batch_size": _BATCH.value,
            "images_per_second": {name: round(s, 1) for name, s in speed.items()},
            "round_seconds": {k: [round(s, 3) for s in v] for k, v in seconds.items()},
            "whose": WHOSE,
        },
    )
    results.write_benchmark(benchmark, _RESULTS.value)
    print(f"{benchmark['name']}: {speed}, ratio {benchmark['ratio']}", flush=True)


def make_batch(size):
    """Rectangles in noise, with all labels."""
    rng = np.random.default_rng(0)
    rows, count = _BATCH.value, _OBJECTS.value
    masks = np.zeros((rows, count, size, size), np.uint8)
    corner = rng.integers(0, size // 2, (rows, count, 2))
    side = rng.integers(size // 8, size // 2, (rows, count, 2))
    boxes = np.concatenate([corner, corner + side], axis=-1)
    for i, j in np.ndindex(rows, count):
        x1, y1, x2, y2 = boxes[i, j]
        masks[i, j, y1:y2, x1:x2] = 1
    keypoints = rng.uniform(0, size, (rows, count, 17, 3)).astype(np.float32)
    keypoints[..., 2] = 2
    return {
        "images": rng.integers(0, 256, (rows, size, size, 3)).astype(np.uint8),
        "boxes": boxes.astype(np.float32),
        "classes": rng.integers(0, 80, (rows, count)).astype(np.int32),
        "masks": masks,
        "keypoints": keypoints,
    }


def pipeline(batch, function):
    """The batch again and again, changed."""
    data = tf.data.Dataset.from_tensors(batch).repeat(_STEPS.value).enumerate()
    data = data.map(function, num_parallel_calls=os.cpu_count()).prefetch(2)
    options = tf.data.Options()
    options.autotune.enabled = False  # its teardown alone can take seconds
    return data.with_options(options)


def ours(step, batch):
    positions = step * _BATCH.value + tf.range(_BATCH.value, dtype=tf.int64)
    return apply(OURS, batch, random_numbers.epoch_key(0, 0), positions)


def for_keras(batch):
    """Keras takes instance masks as channels, and no keypoints."""
    return {
        "images": batch["images"],
        "bounding_boxes": {"boxes": batch["boxes"], "labels": batch["classes"]},
        "segmentation_masks": np.ascontiguousarray(
            batch["masks"].transpose(0, 2, 3, 1)
        ),
    }


def keras_layers():
    layers, boxes = keras.layers, {"bounding_box_format": "xyxy"}
    moves = (
        layers.RandomFlip("horizontal", **boxes),
        layers.RandomRotation(ANGLE / 360, fill_mode="constant", **boxes),
        layers.RandomTranslation(SHIFT, SHIFT, fill_mode="constant", **boxes),
    )
    colours = layers.RandomBrightness(BRIGHTNESS), layers.RandomContrast(CONTRAST)

    def change(step, batch):
        for layer in moves:
            batch = layer(batch, training=True)
        for layer in colours:  # labels stay: less work for Keras
            batch["images"] = layer(batch["images"], training=True)
        return batch

    return change


def for_keras_cv(batch):
    """keras-cv wants float classes and masks."""
    batch = for_keras(batch)
    boxes = batch["bounding_boxes"]
    batch["bounding_boxes"] = {
        "boxes": boxes["boxes"],
        "classes": boxes["labels"].astype(np.float32),
    }
    return batch


def keras_cv_layers():
    layers, boxes = keras_cv.layers, {"bounding_box_format": "xyxy"}
    shift, levels = (-SHIFT, SHIFT), {"value_range": (0, 255)}
    changes = (
        layers.RandomFlip("horizontal", **boxes),
        layers.RandomRotation(ANGLE / 360, fill_mode="constant", **boxes),
        layers.RandomTranslation(shift, shift, fill_mode="constant", **boxes),
        layers.RandomBrightness(BRIGHTNESS, **levels),
        layers.RandomContrast(factor=CONTRAST, **levels),
    )

    def change(step, batch):
        for layer in changes:
            batch = layer(batch, training=True)
        return batch

    return change


if __name__ == "__main__":
    script.run(main)
