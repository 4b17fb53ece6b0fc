r"""What share of a detector's answer on a device is spent beside its network.

  python benchmarks/detector_share.py

An exported int8 file answers a photograph: resizing, the network, decoding of its boxes
and their suppression, in one thread. Decoding and suppression get scores as a trained
detector gives them, for their time depends on the scores: most anchors show background,
of each of some objects a dozen tells the box, and a few elsewhere are in doubt. Half a
minute. Writes results/benchmarks/detector_share_<model>.json: decoding and suppression
in percent of the whole, of medians; the times in milliseconds are in the details, at
several thresholds of the score.

The weights are random; the network's time does not depend on them.
"""

import math
import pathlib
import statistics
import tempfile
import time

import keras
import numpy as np
from absl import flags
from skimage import data as photographs

from kcv import edge, export, zoo
from kcv.edge import boxes, detect, preprocess
from kcv.tools import results, script
from kcv.train import detector

_MODELS = flags.DEFINE_multi_string(
    "models", ["ssd_mobilenet_v1"], "Of the zoo, of one stage; may be repeated."
)
_SIZE = flags.DEFINE_integer("image_size", 300, "Side of an image, in pixels.")
_CLASSES = flags.DEFINE_integer("classes", 90, "Of objects.")
_OBJECTS = flags.DEFINE_integer("objects", 10, "In the picture.")
_ROUNDS = flags.DEFINE_integer("rounds", 60, "Pictures.")
_RESULTS = flags.DEFINE_string("results", "results", "Folder to write into.")

AIM = 15  # percent
THRESHOLDS = (0.5, 0.3, 0.05)  # of the score; the first is that of the result
PARTS = ("resize", "network", "decode", "suppress")


def main(argv):
    if len(argv) > 1:
        raise script.UsageError(f"no positional arguments, got {argv[1:]}")
    with tempfile.TemporaryDirectory() as folder:
        for name in _MODELS.value:
            keras.utils.set_random_seed(0)
            measure(name, exported(name, pathlib.Path(folder, f"{name}.tflite")))


def measure(name, file):
    model = edge.load(file)
    photograph = photographs.astronaut()
    pixels = preprocess.to_pixels(photograph, model.image_shape)[None]
    answers = as_trained(model.decoding, model.outputs(pixels))
    times = {threshold: {part: [] for part in PARTS} for threshold in THRESHOLDS}
    kept = {}
    for _ in range(_ROUNDS.value):
        for threshold, spent in times.items():
            moments = [time.perf_counter()]
            image = preprocess.open_image(photograph)
            pixels = preprocess.to_pixels(image, model.image_shape)
            moments.append(time.perf_counter())
            model.outputs(pixels[None])
            moments.append(time.perf_counter())
            found = detect.decode(model.decoding, answers)
            moments.append(time.perf_counter())
            left = boxes.detections(*found, 0.5, threshold, 100)
            moments.append(time.perf_counter())
            kept[str(threshold)] = len(left[0])
            for part, seconds in zip(PARTS, np.diff(moments)):
                spent[part].append(1000 * seconds)
    p50 = {
        threshold: {part: statistics.median(spent[part]) for part in PARTS}
        for threshold, spent in times.items()
    }
    shares = {threshold: share(parts) for threshold, parts in p50.items()}
    benchmark = results.benchmark(
        f"detector_share_{name}",
        shares[THRESHOLDS[0]],
        None,
        unit="%",
        runs=_ROUNDS.value,
        note="decoding and suppression in one answer of the int8 file of "
        f"{_SIZE.value} px, {_CLASSES.value} classes, one thread, score threshold "
        f"{THRESHOLDS[0]}; no peer, lower is better, the aim is {AIM} %",
        details={
            "share": {str(key): round(value, 2) for key, value in shares.items()},
            "kept": kept,
            "p50_ms": {
                str(threshold): {part: round(value, 3) for part, value in parts.items()}
                for threshold, parts in p50.items()
            },
            "anchors": len(model.decoding.anchors),
        },
    )
    path = results.write_benchmark(benchmark, _RESULTS.value)
    print(f"{name}: {benchmark['ours']} % of {sum(p50[0.5].values()):.1f} ms, at other "
          f"thresholds {benchmark['details']['share']}; wrote {path}")  # fmt: skip


def share(parts):
    """Decoding and suppression in percent of the whole."""
    return float(100 * (parts["decode"] + parts["suppress"]) / sum(parts.values()))


def exported(name, path):
    """Writes the int8 file of a model with random weights."""
    entry, shape = zoo.entry(name), (_SIZE.value, _SIZE.value, 3)
    model = zoo.build(name, input_shape=shape, classes=_CLASSES.value)
    images = crops(8, _SIZE.value)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0  # the statistics become those of the pictures
    model(images, training=True)
    decoding = detector.decoding_of(entry, shape)
    export.convert(
        model,
        path,
        quantize="int8",
        calibration=images,
        bound=math.inf,  # random weights answer at random
        allow_constant=True,
        task="detection",
        labels=[f"class {k}" for k in range(_CLASSES.value)],
        extra={"decoding": detect.to_json(decoding)},
    )
    return path


def as_trained(decoding, outputs):
    """Outputs of one image, as a trained SSD gives them."""
    rng = np.random.default_rng(0)
    anchors, count = decoding.anchors, _CLASSES.value
    scores = rng.normal(-4, 1, (len(anchors), 1 + count))
    scores[:, 0] = rng.normal(4, 1, len(anchors))
    offsets = rng.normal(0, 1, outputs["offsets"][0].shape)
    centres = (anchors[:, :2] + anchors[:, 2:]) / 2
    sizes = anchors[:, 2:] - anchors[:, :2]
    for place in rng.integers(0, len(anchors), _OBJECTS.value):
        near = np.argsort(((centres - centres[place]) ** 2).sum(axis=1))[:12]
        scores[near, 1 + rng.integers(count)] = rng.normal(6, 1.5, len(near))
        moved = (centres[place] - centres[near]) / sizes[near]
        grown = np.log(sizes[place] / sizes[near])
        aimed = np.concatenate([moved, grown], axis=1) / decoding.variances
        offsets[near] = aimed + rng.normal(0, 0.3, aimed.shape)
    doubt = rng.integers(0, len(anchors), len(anchors) // 20)
    scores[doubt, 1 + rng.integers(0, count, len(doubt))] = rng.normal(2, 1, len(doubt))
    return {"scores": scores.astype("float32"), "offsets": offsets.astype("float32")}


def crops(count, size):
    """Random crops of photographs, float32 (count, size, size, 3) in [-1, 1]."""
    rng = np.random.default_rng(0)
    sources = [photographs.astronaut(), photographs.chelsea(), photographs.coffee()]
    images = []
    for i in range(count):
        photograph = sources[i % len(sources)]
        top, left = (rng.integers(max(1, n - size)) for n in photograph.shape[:2])
        images.append(photograph[top : top + size, left : left + size])
    return (np.stack(images) / 127.5 - 1).astype("float32")


if __name__ == "__main__":
    script.run(main)
