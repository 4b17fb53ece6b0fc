r"""Measures suppression of boxes on a device, and their matching in training.

  python benchmarks/boxes.py

Takes half a minute. kcv.edge.boxes.nms, in NumPy and one thread, takes turns with
TensorFlow's own kernel on 10,000 boxes about 20 objects; kcv.boxes.matching.match, in
a graph on all cores, with the table of overlaps and the matcher of keras-cv on 100,000
anchors and 100 objects. Writes results/benchmarks/boxes_nms.json and
boxes_matching.json: p50 in milliseconds. Who is kept is checked first, and so is which
anchors keras-cv gives an object.
"""

import statistics
import time

import keras_cv
import numpy as np
import tensorflow as tf
from absl import flags
from keras_cv.layers import BoxMatcher

from kcv.boxes import matching
from kcv.edge import boxes as edge
from kcv.tools import results, script

_BOXES = flags.DEFINE_integer("boxes", 10_000, "Boxes that NMS chooses from.")
_ANCHORS = flags.DEFINE_integer("anchors", 100_000, "Anchors that are matched.")
_OBJECTS = flags.DEFINE_integer("objects", 100, "Objects that they are matched with.")
_ROUNDS = flags.DEFINE_integer("rounds", 30, "Times that the sides take turns.")
_RESULTS = flags.DEFINE_string("results", "results", "Folder to write into.")

SIDE = 640  # of the image, pixels
IOU = 0.5
FOREGROUND, BACKGROUND = 0.5, 0.4  # of RetinaNet
AIMS = {"nms": 10, "matching": 40}  # ms


def main(argv):
    if len(argv) > 1:
        raise script.UsageError(f"no positional arguments, got {argv[1:]}")
    measure_nms(_BOXES.value)
    measure_matching(_ANCHORS.value, _OBJECTS.value)


def measure_nms(count):
    rng = np.random.default_rng(0)
    boxes, scores = about_objects(rng, count, 20)
    even = random_boxes(rng, count, 16, 200)
    classes = rng.integers(0, 80, count)
    tensors = tf.constant(boxes), tf.constant(scores)
    sides = {
        "ours": lambda: edge.nms(boxes, scores, IOU),
        "peer": lambda: tf.image.non_max_suppression(*tensors, count, IOU).numpy(),
        "ours, 100 kept": lambda: edge.nms(boxes, scores, IOU, 100),
        "ours, 80 classes": lambda: edge.nms(boxes, scores, IOU, classes=classes),
        "ours, anywhere": lambda: edge.nms(even, scores, IOU),
        "peer, anywhere": lambda: tf.image.non_max_suppression(
            even, scores, count, IOU
        ).numpy(),
    }
    kept = {name: len(side()) for name, side in sides.items()}
    if not np.array_equal(sides["ours"](), sides["peer"]()):
        raise ValueError("kcv.edge.boxes.nms and TensorFlow keep different boxes")
    times = in_turns(sides)
    write(
        "nms",
        times,
        f"p50 of {count} boxes about 20 objects, all of one class, NumPy in one "
        "thread; peer: its kernel; anywhere: boxes about nothing, of which far more "
        "are kept",
        f"tf.image.non_max_suppression of TensorFlow {tf.__version__}",
        {"boxes": count, "kept": kept},
    )


def measure_matching(count, objects):
    rng = np.random.default_rng(0)
    anchors = tf.constant(random_boxes(rng, count, 8, 300))
    boxes = tf.constant(random_boxes(rng, objects, 8, 300)[None])
    classes = tf.zeros((1, objects), tf.int32)
    matcher = BoxMatcher(
        [BACKGROUND, FOREGROUND], [-1, -2, 1], force_match_for_each_col=True
    )

    def ours(boxes, classes):
        return matching.match(anchors, boxes, classes, FOREGROUND, BACKGROUND).objects

    def peer(boxes, classes):
        del classes  # there is no empty slot
        table = keras_cv.bounding_box.compute_iou(anchors, boxes[0], "xyxy")
        return matcher(table)

    graphs = {
        "ours": tf.function(ours),
        "peer": tf.function(peer),
        "ours, XLA": tf.function(ours, jit_compile=True),
    }
    found = graphs["ours"](boxes, classes)[0].numpy()
    index, kind = (each.numpy() for each in graphs["peer"](boxes, classes))
    # Forced anchors aside, of which there are at most as many as objects.
    same = np.where(kind == 1, index, kind) == found
    if np.sum(~same) > 2 * objects:
        raise ValueError(f"{np.sum(~same)} anchors are matched otherwise by keras-cv")
    times = in_turns(
        {
            name: lambda g=g: np.asarray(g(boxes, classes)[0])
            for name, g in graphs.items()
        }
    )
    write(
        "matching",
        times,
        f"p50 of {count} anchors and {objects} objects of one image, a TensorFlow "
        "graph on all cores; peer: the table of overlaps, then its matcher",
        f"compute_iou and BoxMatcher of keras-cv {keras_cv.__version__}",
        {"anchors": count, "objects": objects, "differ": int(np.sum(~same))},
    )


def in_turns(sides):
    """Milliseconds of every call of every side."""
    for side in sides.values():
        side()
    times = {name: [] for name in sides}
    for _ in range(_ROUNDS.value):
        for name, side in sides.items():
            started = time.perf_counter()
            side()
            times[name].append(1000 * (time.perf_counter() - started))
    return times


def write(name, times, note, peer_version, details):
    p50 = {side: statistics.median(values) for side, values in times.items()}
    fastest = {side: round(min(values), 3) for side, values in times.items()}
    benchmark = results.benchmark(
        f"boxes_{name}",
        p50["ours"],
        p50["peer"],
        unit="ms",
        runs=_ROUNDS.value,
        peer_version=peer_version,
        note=f"{note}; lower is better, the aim is {AIMS[name]} ms",
        details={
            "p50": {side: round(value, 3) for side, value in p50.items()},
            "fastest": fastest,
            **details,
        },
    )
    path = results.write_benchmark(benchmark, _RESULTS.value)
    print(
        f"{name}: {benchmark['ours']} ms, aim {AIMS[name]} ms, peer "
        f"{benchmark['peer']} ms; wrote {path}"
    )


def random_boxes(rng, count, smallest, largest):
    """Boxes anywhere in the image, float32 (count, 4)."""
    centres = rng.uniform(0, SIDE, (count, 2))
    half = rng.uniform(smallest, largest, (count, 2)) / 2
    return np.concatenate([centres - half, centres + half], 1).astype("float32")


def about_objects(rng, count, objects):
    """Boxes as a detector answers them: near objects, and better where nearer."""
    objects = random_boxes(rng, objects, 30, 200)[rng.integers(objects, size=count)]
    sizes = objects[:, 2:] - objects[:, :2]
    moved = rng.normal(0, 0.15, (count, 2))
    half = sizes * np.exp(rng.normal(0, 0.2, (count, 2))) / 2
    centres = (objects[:, :2] + objects[:, 2:]) / 2 + moved * sizes
    scores = np.exp(-4 * np.abs(moved).sum(axis=1)) * rng.uniform(0.5, 1, count)
    boxes = np.concatenate([centres - half, centres + half], axis=1)
    return boxes.astype("float32"), scores.astype("float32")


if __name__ == "__main__":
    script.run(main)
