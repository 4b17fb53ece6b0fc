r"""RoIAlign against TensorFlow's kernel and against a gather of four neighbours.

  python benchmarks/roi_align.py

Forward and backward to the features, on one map, with 512 boxes in 7x7 and 14x14 bins.
All sides run in this process, in turn, and their answers are compared first. Three
minutes on two cores. Writes results/benchmarks/roi_align_<bins>_<peer>.json, in ms:

  kernel  tf.image.crop_and_resize and average pooling, on a map with its border
          repeated: the same samples. It has no builtin operator in a .tflite file.
  gather  four gathers of all samples, two interpolations and average pooling, as
          libraries write it in plain operations.

In the details: "ours_gather", which large pyramids take.
With --modes=xla the functions are compiled by XLA, for which the kernel does not exist.
"""

import statistics
import time

import keras
import numpy as np
import tensorflow as tf
from absl import flags

from kcv.layers.roi_align import roi_align
from kcv.layers.roi_gather import gather_samples
from kcv.tools import results, script

MODES = ("graph", "xla")
STRIDE, RATIO = 4, 2  # pixels of the image for one of the map; samples a side of a bin

_BOXES = flags.DEFINE_integer("boxes", 512, "Number of boxes.")
_MAP = flags.DEFINE_integer("map_size", 64, "Side of the map, in its pixels.")
_CHANNELS = flags.DEFINE_integer("channels", 256, "Of the map.")
_BINS = flags.DEFINE_multi_integer("bins", [7, 14], "Bins along a side of a box.")
_MODES = flags.DEFINE_multi_enum("modes", ["graph"], list(MODES), "Graph or XLA.")
_ROUNDS = flags.DEFINE_integer("rounds", 10, "Times that the sides take turns.")
_RESULTS = flags.DEFINE_string("results", "results", "Folder to write into.")


def main(argv):
    if len(argv) > 1:
        raise script.UsageError(f"no positional arguments, got {argv[1:]}")
    features, boxes = some_data(_BOXES.value, _MAP.value, _CHANNELS.value)
    for size in _BINS.value:
        for mode in _MODES.value:
            measure(features, boxes, size, mode)


def measure(features, boxes, size, mode):
    """Times the sides in turn and writes one benchmark a peer."""
    sides = {
        "ours": lambda x: roi_align(x, boxes, size, STRIDE, RATIO),
        "ours_gather": lambda x: gather_samples(
            [x], [STRIDE], np.zeros(boxes.shape[:2], "int32"), boxes, size, RATIO
        ),
        "gather": lambda x: four_neighbours(x, boxes, size),
        "kernel": lambda x: crop_and_pool(x, boxes, size),
    }
    peers = {"gather": "four gathers in plain TensorFlow operations"}
    if mode == "graph":
        peers["kernel"] = "tf.image.crop_and_resize and avg_pool2d"
    else:
        del sides["kernel"]
    steps = {name: step(side, mode) for name, side in sides.items()}
    check_equal(steps, features)
    milliseconds = {name: [] for name in steps}
    for _ in range(_ROUNDS.value):
        for name, run in steps.items():
            started = time.perf_counter()
            run(features)[1].numpy()
            milliseconds[name].append(1000 * (time.perf_counter() - started))
    p50 = {name: statistics.median(values) for name, values in milliseconds.items()}
    fastest = {name: round(min(values), 1) for name, values in milliseconds.items()}
    for peer, what in peers.items():
        benchmark = results.benchmark(
            f"roi_align_{size}_{peer}{'_xla' * (mode == 'xla')}",
            p50["ours"],
            p50[peer],
            unit="ms",
            runs=_ROUNDS.value,
            peer_version=f"{what}, TensorFlow {tf.__version__}",
            note="p50 of forward and backward to the features; sides take turns; lower "
            "is better",
            details={
                "boxes": _BOXES.value,
                "map": [_MAP.value, _MAP.value, _CHANNELS.value],
                "p50": {name: round(value, 1) for name, value in p50.items()},
                "fastest": fastest,
                "keras": keras.__version__,
            },
        )
        results.write_benchmark(benchmark, _RESULTS.value)
        print(
            f"{benchmark['name']}: {benchmark['ours']} ms, peer {benchmark['peer']} "
            f"ms, ratio {benchmark['ratio']}"
        )


def step(side, mode):
    """A compiled function of the features: the bins and the gradient of their sum.

    The sum is of squares, so that the gradient depends on every bin.
    """

    @tf.function(jit_compile=mode == "xla")
    def run(features):
        with tf.GradientTape() as tape:
            tape.watch(features)
            bins = side(features)
            total = tf.reduce_sum(tf.square(bins))
        return bins, tf.convert_to_tensor(tape.gradient(total, features))

    return run


def check_equal(steps, features):
    """Raises ValueError unless all sides give the same bins and gradients."""
    wanted = None
    for name, run in steps.items():
        bins, back = (x.numpy() for x in run(features))
        got = bins.ravel(), back.ravel()
        wanted = wanted or got
        for ours, theirs in zip(wanted, got):
            if not np.allclose(ours, theirs, atol=1e-3 * np.abs(ours).max()):
                raise ValueError(f"{name} differs from ours by more than 0.1 %")


def some_data(count, side, channels):
    """A random map, and boxes of 4 to 0.8 * side of its pixels, cut to the image."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(1, side, side, channels)).astype("float32")
    centres = rng.uniform(0, side, (1, count, 2))
    half = np.exp(rng.uniform(np.log(2), np.log(0.4 * side), (1, count, 2)))
    corners = np.clip(np.concatenate([centres - half, centres + half], -1), 0, side)
    return tf.constant(features), tf.constant(STRIDE * corners.astype("float32"))


def places(boxes, size):
    """Rows and columns of the samples, (count, samples), in pixels of the map."""
    samples = size * RATIO
    steps = (tf.range(samples, dtype=tf.float32) + 0.5) / samples
    x1, y1, x2, y2 = tf.split(boxes[0] / STRIDE - 0.5, 4, axis=-1)
    return y1 + steps * (y2 - y1), x1 + steps * (x2 - x1)


def crop_and_pool(features, boxes, size):
    """TensorFlow's kernel; it takes the first and the last sample of a box."""
    _, height, width, _ = features.shape
    features = tf.pad(features, [[0, 0], [1, 1], [1, 1], [0, 0]], "SYMMETRIC")
    ys, xs = ((x + 1) / (n + 1) for x, n in zip(places(boxes, size), (height, width)))
    ends = tf.stack([ys[:, 0], xs[:, 0], ys[:, -1], xs[:, -1]], axis=-1)
    image = tf.zeros(ends.shape[0], tf.int32)
    samples = tf.image.crop_and_resize(features, ends, image, 2 * [size * RATIO])
    return tf.nn.avg_pool2d(samples, RATIO, RATIO, "VALID")[None]


def four_neighbours(features, boxes, size):
    """Each sample from four gathered neighbours."""
    _, height, width, channels = features.shape
    ys, xs = places(boxes, size)
    ys, xs = ys[:, :, None], xs[:, None, :]
    inside = (ys >= -1) & (ys <= height) & (xs >= -1) & (xs <= width)
    ys, xs = tf.clip_by_value(ys, 0, height - 1), tf.clip_by_value(xs, 0, width - 1)
    top, left = tf.floor(ys), tf.floor(xs)
    down, right = (ys - top)[..., None], (xs - left)[..., None]
    top, left = tf.cast(top, tf.int32), tf.cast(left, tf.int32)
    bottom, end = tf.minimum(top + 1, height - 1), tf.minimum(left + 1, width - 1)
    pixels = tf.reshape(features, (height * width, channels))

    def line(row):
        first = tf.gather(pixels, row * width + left)
        return first * (1 - right) + tf.gather(pixels, row * width + end) * right

    samples = line(top) * (1 - down) + line(bottom) * down
    samples = samples * tf.cast(inside, tf.float32)[..., None]
    return tf.nn.avg_pool2d(samples, RATIO, RATIO, "VALID")[None]


if __name__ == "__main__":
    script.run(main)
