r"""RoIAlign against TensorFlow's kernel and against a gather of four neighbours.

  python benchmarks/roi_align.py

Forward and backward to the features, with 512 boxes in 7x7 and 14x14 bins, on "C4" of
an image of 608x800 pixels and on its pyramid. All sides run in this process, in turn,
and their answers are compared first; then some take a step in processes of their own.
Six minutes on two cores. Writes results/benchmarks/roi_align_<bins>_<what>.json:

  kernel   ms, peer: tf.image.crop_and_resize and average pooling, on a map with its
           border repeated: the same samples. It has no builtin operator in a .tflite
           file, and on several threads not the same gradient, see below.
  gather   ms, peer: four gathers of all samples, two interpolations and average
           pooling, as libraries write it in plain operations.
  pyramid  ms, peer: the same gathers, of each box from its level of P2 to P5.
  memory   MiB, peer: the gathers on "C4".

With --modes=xla the functions are compiled by XLA, for which the kernel does not exist.

The threads of the kernel add to the same pixels of the gradient without waiting for
each other (TensorFlow 2.21), so that some of what they add is lost. Its details say
how much, as a share of the largest value.
"""

import statistics
import time

import keras
import numpy as np
import peak_memory
import roi_peers
import tensorflow as tf
from absl import flags

from kcv.layers.multilevel_roi_align import multilevel_roi_align
from kcv.layers.roi_align import roi_align
from kcv.layers.roi_gather import gather_samples
from kcv.layers.roi_sampling import pyramid_levels
from kcv.tools import results, script

MODES = ("graph", "xla")
STRIDE, RATIO = 16, 2  # pixels of the image for one of "C4"; samples a side of a bin
LEVELS = (2, 3, 4, 5)
WHAT = ("map", "pyramid", "memory")

_BOXES = flags.DEFINE_integer("boxes", 512, "Number of boxes.")
_SIZE = flags.DEFINE_list("image_size", ["608", "800"], "Height and width, in pixels.")
_CHANNELS = flags.DEFINE_integer("channels", 256, "Of the maps.")
_BINS = flags.DEFINE_multi_integer("bins", [7, 14], "Bins along a side of a box.")
_MODES = flags.DEFINE_multi_enum("modes", ["graph"], list(MODES), "Graph or XLA.")
_WHAT = flags.DEFINE_multi_enum("what", list(WHAT), list(WHAT), "What is measured.")
_ROUNDS = flags.DEFINE_integer("rounds", 10, "Times that the sides take turns.")
_RESULTS = flags.DEFINE_string("results", "results", "Folder to write into.")
_ALONE = flags.DEFINE_string("alone", None, "Take a step of this side; print the peak.")

GATHER = "four gathers in plain TensorFlow operations"
KERNEL = "tf.image.crop_and_resize and avg_pool2d"


def main(argv):
    if len(argv) > 1:
        raise script.UsageError(f"no positional arguments, got {argv[1:]}")
    rng = np.random.default_rng(0)
    boxes = some_boxes(rng, _BOXES.value)
    if _ALONE.value:
        maps = some_maps(rng, [STRIDE])
        step(map_sides(boxes, _BINS.value[0])[_ALONE.value], "graph")(*maps)
        print(peak_memory.of_this_process())
        return
    for size in _BINS.value:
        for mode in _MODES.value:
            end = "_xla" * (mode == "xla")
            if "map" in _WHAT.value:
                sides = map_sides(boxes, size)
                peers = {"gather": GATHER, "kernel": KERNEL}
                if mode == "xla":
                    del sides["kernel"], peers["kernel"]
                found = measure(sides, some_maps(rng, [STRIDE]), mode)
                for peer, what in peers.items():
                    write(f"{size}_{peer}{end}", found, peer, what)
            if "pyramid" in _WHAT.value:
                maps = some_maps(rng, [2**level for level in LEVELS])
                found = measure(pyramid_sides(boxes, size), maps, mode)
                write(f"{size}_pyramid{end}", found, "gather", GATHER)
        if "memory" in _WHAT.value:
            measure_memory(size)


def map_sides(boxes, size):
    which = np.zeros(boxes.shape[:2], "int32")
    return {
        "ours": lambda x: roi_align(x, boxes, size, STRIDE, RATIO),
        "ours_gather": lambda x: gather_samples(
            [x], [STRIDE], which, boxes, size, RATIO
        ),
        "gather": lambda x: roi_peers.four_neighbours(
            [x], [STRIDE], which, boxes, size, RATIO
        ),
        "kernel": lambda x: roi_peers.crop_and_pool(x, STRIDE, boxes, size, RATIO),
    }


def pyramid_sides(boxes, size):
    strides = [2**level for level in LEVELS]
    which = pyramid_levels(boxes, LEVELS[0], LEVELS[-1]) - LEVELS[0]
    return {
        "ours": lambda *maps: multilevel_roi_align(
            {f"P{level}": x for level, x in zip(LEVELS, maps)}, boxes, size, RATIO
        ),
        "gather": lambda *maps: roi_peers.four_neighbours(
            maps, strides, which, boxes, size, RATIO
        ),
    }


def measure(sides, maps, mode):
    """Checks the sides and times them in turn.

    Returns:
        {side: milliseconds of its calls} and {side: share of the largest value by which
        its gradient differs from ours}.
    """
    steps = {name: step(side, mode) for name, side in sides.items()}
    errors = check_equal(steps, maps)
    milliseconds = {name: [] for name in steps}
    for _ in range(_ROUNDS.value):
        for name, run in steps.items():
            started = time.perf_counter()
            run(*maps)[1].numpy()
            milliseconds[name].append(1000 * (time.perf_counter() - started))
    return milliseconds, errors


def write(name, found, peer, what):
    milliseconds, errors = found
    p50 = {side: statistics.median(values) for side, values in milliseconds.items()}
    fastest = {side: round(min(values), 1) for side, values in milliseconds.items()}
    benchmark = results.benchmark(
        f"roi_align_{name}",
        p50["ours"],
        p50[peer],
        unit="ms",
        runs=_ROUNDS.value,
        peer_version=f"{what}, TensorFlow {tf.__version__}",
        note="p50 of forward and backward to the features; sides take turns; lower is "
        f"better, the aim is {1.1 if peer == 'kernel' else 0.5} of the peer",
        details={
            "boxes": _BOXES.value,
            "image": image_size(),
            "channels": _CHANNELS.value,
            "p50": {side: round(value, 1) for side, value in p50.items()},
            "fastest": fastest,
            "gradient_error": {side: float(f"{x:.2g}") for side, x in errors.items()},
            "keras": keras.__version__,
        },
    )
    results.write_benchmark(benchmark, _RESULTS.value)
    print(
        f"{benchmark['name']}: {benchmark['ours']} ms, peer {benchmark['peer']} ms, "
        f"ratio {benchmark['ratio']}; fastest {fastest}",
        flush=True,
    )


def measure_memory(size):
    """Writes the peaks of processes that take one step each."""
    flags_ = [f"--boxes={_BOXES.value}", f"--channels={_CHANNELS.value}"]
    flags_ += [f"--bins={size}", "--image_size=" + ",".join(map(str, image_size()))]
    peaks = {
        side: peak_memory.of_a_process(__file__, f"--alone={side}", *flags_) / 2**20
        for side in ("ours", "gather", "kernel")
    }
    benchmark = results.benchmark(
        f"roi_align_{size}_memory",
        peaks["ours"],
        peaks["gather"],
        unit="MiB",
        runs=1,
        peer_version=f"{GATHER}, TensorFlow {tf.__version__}",
        note="peak of a process that imports TensorFlow and takes one step forward and "
        "backward; lower is better, the aim is 0.7 of the peer",
        details={
            "boxes": _BOXES.value,
            "image": image_size(),
            "channels": _CHANNELS.value,
            "peaks": {side: round(peak) for side, peak in peaks.items()},
        },
    )
    results.write_benchmark(benchmark, _RESULTS.value)
    print(f"{benchmark['name']}: {benchmark['details']['peaks']} MiB", flush=True)


def step(side, mode):
    """A compiled function of the maps: the bins and the gradients of their sum.

    The sum is of squares, so that a gradient depends on every bin.
    """

    @tf.function(jit_compile=mode == "xla", autograph=False)
    def run(*maps):
        with tf.GradientTape() as tape:
            tape.watch(maps)
            bins = side(*maps)
            total = tf.reduce_sum(tf.square(bins))
        back = [tf.convert_to_tensor(x) for x in tape.gradient(total, maps)]
        return bins, tf.concat([tf.reshape(x, [-1]) for x in back], axis=0)

    return run


def check_equal(steps, maps):
    """Shares of the largest value by which gradients differ from ours.

    Raises:
        ValueError: a side gives other bins, or but for the kernel another gradient.
    """
    wanted, errors = [x.numpy() for x in steps["ours"](*maps)], {}
    for name, run in steps.items():
        found = [x.numpy() for x in run(*maps)]
        bins, back = (
            np.abs(x - y).max() / np.abs(x).max() for x, y in zip(wanted, found)
        )
        if bins > 1e-3 or (back > 1e-3 and name != "kernel"):
            raise ValueError(f"{name} differs from ours by more than 0.1 %")
        errors[name] = back
    return errors


def image_size():
    return [int(side) for side in _SIZE.value]


def some_maps(rng, strides):
    """A random map for each stride."""
    shapes = [[-(-side // stride) for side in image_size()] for stride in strides]
    shapes = [(1, *shape, _CHANNELS.value) for shape in shapes]
    return [tf.constant(rng.normal(size=x).astype("float32")) for x in shapes]


def some_boxes(rng, count):
    """Boxes of a 20th to 0.8 of the shorter side of the image, cut to it."""
    height, width = image_size()
    centres = rng.uniform(0, 1, (1, count, 2)) * [width, height]
    shorter = min(height, width)
    half = np.exp(
        rng.uniform(np.log(shorter / 40), np.log(0.4 * shorter), (1, count, 2))
    )
    corners = np.concatenate([centres - half, centres + half], -1)
    return tf.constant(np.clip(corners, 0, [width, height] * 2).astype("float32"))


if __name__ == "__main__":
    script.run(main)
