"""What `measure` has to know about a detector; of the form of task_classification."""

import numpy as np
from keras import ops

from kcv import edge, zoo
from kcv.data import objects
from kcv.edge import boxes, detect
from kcv.metrics.coco import CocoMetric
from kcv.tools import data_options, finished_run
from kcv.train import detector
from kcv.viz.detected import save_detected

METRIC = "ap50"
NO_QAT = ""


def network(model):
    """The model that is exported: suppression is the device's.

    Raises:
        ValueError: it is of two stages, whose boxes between them int8 would lose.
    """
    if "proposals" in model.output:
        raise ValueError(
            f"{model.name} has two stages: only detectors of one stage are measured; "
            "kcv.models.detection.stages cuts it for a device"
        )
    return model


def batches(run, split, **options):
    """The batches of a split as the run saw them, without transformations."""
    flags = run["flags"]
    known = data_options.parse(flags["options"])
    name = flags["test_split"] if split == "test" else split
    source = objects.open_split(run["data"], name, seed=flags["seed"], **known)
    finished_run.checked(source, run, split)
    size = (flags["batch_size"], run["image_shape"], run["pixel_range"])
    options = {"slots": flags["slots"], **options}
    return objects.batches(source, *size, seed=flags["seed"], **options)


def examples(batch):
    """(images, targets) of a batch: class, crowd and box, float32 (b, slots, 6)."""
    kinds = np.stack([batch["classes"], batch["crowd"]], axis=-1).astype("float32")
    return batch["images"], np.concatenate([kinds, batch["boxes"]], axis=-1)


def loss(run):
    """The function (targets, outputs) -> (b,) that the run was trained with."""
    entry, decoding = _decoding(run)
    losses = detector.METHODS[entry.method].losses

    def joint(targets, outputs):
        truth = {
            "classes": ops.cast(targets[..., 0], "int32"),
            "crowd": targets[..., 1],
            "boxes": targets[..., 2:],
        }
        return sum(losses(decoding, truth, outputs).values())

    return joint


def split(run, name):
    """All of a split as {key: array}."""
    keys = ("images", *detector.KEYS)
    return dict(zip(keys, finished_run.whole_split(run, name, batches, keys)))


def evaluate(run, test):
    """Returns the function (predict) -> METRIC that the gate calls."""
    truths = {key: test[key] for key in detector.KEYS}
    _, decoding = _decoding(run)

    def measure(predict):
        metric = CocoMetric("boxes", len(run["labels"]))
        metric.update(truths, _detections(decoding, predict(test["images"])))
        return metric.result()[METRIC]

    return measure


def baseline(run):
    """METRIC of one who answers with the objects of the image before."""
    return run["test"][f"baseline_{METRIC}"]


def export_options(run):
    """Arguments of `convert`."""
    options = finished_run.export_options(run, zoo.entry(run["model"]))
    decoding = {"decoding": detect.to_json(_decoding(run)[1])}
    return options | {"task": "detection", "extra": decoding}


def draw_answers(path, test, run, picture, count=12):
    """Draws test images, spread over the split, with the answers of a file."""
    size = len(test["images"])
    chosen = np.linspace(0, size - 1, min(count, size)).astype(int)
    found = edge.load(path).outputs(test["images"][chosen])
    truths = {key: test[key][chosen] for key in ("boxes", "classes")}
    found = _detections(_decoding(run)[1], found)
    places = (run["labels"], picture, run["pixel_range"])
    save_detected(test["images"][chosen], found, truths, *places)


def _decoding(run):
    entry = zoo.entry(run["model"])
    shapes = run["anchor_shapes"]
    return entry, detector.decoding_of(entry, run["image_shape"], shapes)


def _detections(decoding, outputs):
    """What the device makes of outputs, in fixed slots as `CocoMetric` takes them."""
    count, most = len(outputs["offsets"]), detector.MOST
    found = {
        "boxes": np.zeros((count, most, 4), "float32"),
        "scores": np.zeros((count, most), "float32"),
        "classes": np.full((count, most), -1),
    }
    for i in range(count):
        one = detect.decode(decoding, {name: x[i] for name, x in outputs.items()})
        best = boxes.detections(
            *one,
            score_threshold=detector.LEAST_SCORE,
            output_size=most,
            candidates=4 * most,
        )
        for name, values in zip(("boxes", "scores", "classes"), best):
            found[name][i, : len(values)] = values
    return found
