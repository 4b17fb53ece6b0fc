r"""COCO's average precision batch by batch, against pycocotools alone.

  python benchmarks/coco_evaluation.py

Both sides get the same arrays of detections, one image after the other: ours gives
batches to kcv.metrics.coco.CocoMetric, the peer makes of them the dictionaries that
pycocotools reads and evaluates all at once. They take turns in this process, and their
twelve numbers are compared first. Then each evaluates as many images as COCO validates
on in a process of its own. Two minutes. Writes results/benchmarks/coco_evaluation.json,
in seconds, and coco_evaluation_memory.json: the peaks of both processes, in MiB.
"""

import contextlib
import importlib.metadata
import io
import statistics
import time

import numpy as np
import peak_memory
from absl import flags
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from kcv.metrics.coco import CocoMetric
from kcv.tools import results, script

CLASSES, SIDE = 80, 640  # of COCO; pixels of an image
OBJECTS = 7  # in an image of COCO
DETECTIONS = 100  # of an image of COCO, as many as count
BATCH = 50
AIM = 2048  # MiB

_IMAGES = flags.DEFINE_integer("images", 1000, "Images whose evaluation is timed.")
_BOXES = flags.DEFINE_integer("boxes", 20, "Detections in each of them.")
_MEMORY = flags.DEFINE_integer("memory_images", 5000, "Images for the memory.")
_ROUNDS = flags.DEFINE_integer("rounds", 5, "Times that the sides take turns.")
_RESULTS = flags.DEFINE_string("results", "results", "Folder to write into.")
_ALONE = flags.DEFINE_enum(
    "alone", None, ["ours", "peer"], "Evaluate one side, and print the peak in bytes."
)

PEER = f"COCOeval of pycocotools {importlib.metadata.version('pycocotools')}"


def main(argv):
    if len(argv) > 1:
        raise script.UsageError(f"no positional arguments, got {argv[1:]}")
    if _ALONE.value:
        SIDES[_ALONE.value](batches(_MEMORY.value, DETECTIONS))
        print(peak_memory.of_this_process())
        return
    measure_time()
    measure_memory()


def measure_time():
    data = list(batches(_IMAGES.value, _BOXES.value))
    found = {name: side(data) for name, side in SIDES.items()}
    if not np.allclose(found["ours"], found["peer"], atol=1e-12):
        raise ValueError(f"the two sides find different precisions: {found}")
    times = {name: [] for name in SIDES}
    for _ in range(_ROUNDS.value):
        for name, side in SIDES.items():
            started = time.perf_counter()
            side(data)
            times[name].append(time.perf_counter() - started)
    p50 = {name: statistics.median(values) for name, values in times.items()}
    benchmark = results.benchmark(
        "coco_evaluation",
        p50["ours"],
        p50["peer"],
        unit="s",
        runs=_ROUNDS.value,
        peer_version=PEER,
        note=f"p50 of {_IMAGES.value} images of {_BOXES.value} boxes, from arrays to "
        "the twelve numbers, sides take turns; lower is better, the aim is the peer",
        details={
            "ap": round(float(found["ours"][0]), 4),
            "classes": CLASSES,
            "fastest": {name: round(min(values), 4) for name, values in times.items()},
        },
    )
    path = results.write_benchmark(benchmark, _RESULTS.value)
    print(f"{p50['ours']:.2f} s, peer {p50['peer']:.2f} s; wrote {path}")


def measure_memory():
    ask = f"--memory_images={_MEMORY.value}"
    peaks = {
        name: peak_memory.of_a_process(__file__, f"--alone={name}", ask) / 2**20
        for name in SIDES
    }
    benchmark = results.benchmark(
        "coco_evaluation_memory",
        peaks["ours"],
        peaks["peer"],
        unit="MiB",
        runs=1,
        peer_version=PEER,
        note=f"peak of a process that evaluates {_MEMORY.value} images of {DETECTIONS} "
        f"boxes; lower is better, the aim is {AIM} MiB",
        details={"classes": CLASSES, "objects": OBJECTS, "detections": DETECTIONS},
    )
    path = results.write_benchmark(benchmark, _RESULTS.value)
    print(f"{peaks['ours']:.0f} MiB, peer {peaks['peer']:.0f} MiB; wrote {path}")


def batches(images, boxes):
    """Yields (truths, detections): a third of the detections lies near an object."""
    rng = np.random.default_rng(0)
    for start in range(0, images, BATCH):
        count = min(BATCH, images - start)
        truth = some_boxes(rng, (count, OBJECTS))
        kinds = rng.integers(0, CLASSES, (count, OBJECTS))
        found = some_boxes(rng, (count, boxes))
        classes = rng.integers(0, CLASSES, (count, boxes))
        near = np.arange(boxes // 3) % OBJECTS
        moved = truth[:, near] + rng.normal(0, 4, (count, len(near), 4))
        found[:, : len(near)] = ordered(moved)
        classes[:, : len(near)] = kinds[:, near]
        scores = rng.uniform(0, 1, (count, boxes)).astype("float32")
        crowd = rng.random((count, OBJECTS)) < 0.02
        yield (
            {"boxes": truth, "classes": kinds, "crowd": crowd},
            {"boxes": found, "classes": classes, "scores": scores},
        )


def some_boxes(rng, shape):
    centres = rng.uniform(0, SIDE, (*shape, 2))
    half = np.exp(rng.uniform(np.log(5), np.log(150), (*shape, 2)))
    return ordered(np.concatenate([centres - half, centres + half], axis=-1))


def ordered(boxes):
    """Upright boxes within the image."""
    low = np.minimum(boxes[..., :2], boxes[..., 2:])
    high = np.maximum(boxes[..., :2], boxes[..., 2:])
    return np.clip(np.concatenate([low, high], axis=-1), 0, SIDE).astype("float32")


def ours(data):
    """The twelve numbers of our metric."""
    metric = CocoMetric("boxes", CLASSES)
    for truths, found in data:
        metric.update(truths, found)
    return list(metric.result().values())


def peer(data):
    """The twelve numbers as the notebooks of pycocotools get them."""
    truths, found, images = [], [], []
    for truth, detections in data:
        for row in range(len(truth["boxes"])):
            image = len(images) + 1
            images.append({"id": image})
            for entry in entries(truth, row, image):
                entry |= {"id": len(truths) + 1, "iscrowd": int(entry["crowd"])}
                truths.append(entry)
            found += entries(detections, row, image)
    with contextlib.redirect_stdout(io.StringIO()):
        objects = COCO()
        objects.dataset = {
            "images": images,
            "categories": [{"id": k} for k in range(CLASSES)],
            "annotations": truths,
        }
        objects.createIndex()
        evaluation = COCOeval(objects, objects.loadRes(found), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation.stats.tolist()


def entries(side, row, image):
    """One image's annotations, in the form of COCO's files."""
    low, high = np.split(side["boxes"][row].astype("float64"), 2, axis=-1)
    boxes = np.concatenate([low, high - low], axis=-1)
    columns = {
        "bbox": boxes.tolist(),
        "area": boxes[:, 2:].prod(axis=1).tolist(),
        "category_id": side["classes"][row].tolist(),
    }
    more = [key for key in ("scores", "crowd") if key in side]
    columns |= {key.removesuffix("s"): side[key][row].tolist() for key in more}
    rows = zip(*columns.values())
    return [{"image_id": image, **dict(zip(columns, values))} for values in rows]


SIDES = {"ours": ours, "peer": peer}


if __name__ == "__main__":
    script.run(main)
