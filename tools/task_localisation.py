"""What `measure` has to know about a localiser; of the form of task_classification."""

import keras
import numpy as np

from kcv import edge, zoo
from kcv.boxes.iou import paired_iou
from kcv.data import one_object
from kcv.losses.localisation import localisation_loss
from kcv.metrics import localisation as metrics
from kcv.tools import data_options, finished_run
from kcv.viz.located import save_located

METRIC = "localisation_accuracy"
NO_QAT = ""

_KEYS = ("images", "labels", "boxes")


def network(model):
    """The model with its outputs under the names that files have."""
    outputs = model.output
    named = {"boxes": outputs["boxes"], "probabilities": outputs["predictions"]}
    return keras.Model(model.input, named, name=model.name)


def batches(run, split, **options):
    """The batches of a split as the run saw them, without transformations."""
    flags = run["flags"]
    known = data_options.parse(flags["options"])
    source = one_object.open_split(run["data"], split, seed=flags["seed"], **known)
    finished_run.checked(source, run, split)
    size = (flags["batch_size"], run["image_shape"], run["pixel_range"])
    return one_object.batches(source, *size, seed=flags["seed"], **options)


def examples(batch):
    """(images, targets) of a batch: label and box, float32 (b, 5)."""
    labels = np.asarray(batch["labels"], "float32")[:, None]
    return batch["images"], np.concatenate([labels, batch["boxes"]], axis=1)


def loss(run):
    """The function (targets, outputs) -> (b,) that the run was trained with."""
    size, weight = run["image_shape"][:2], run["flags"]["box_weight"]

    def joint(targets, outputs):
        labels = keras.ops.cast(targets[:, 0], "int32")
        answers, boxes = outputs["probabilities"], outputs["boxes"]
        return localisation_loss(labels, targets[:, 1:], answers, boxes, size, weight)

    return joint


def split(run, name):
    """All of a split as {key: array}."""
    return dict(zip(_KEYS, finished_run.whole_split(run, name, batches, _KEYS)))


def evaluate(run, test):
    """Returns the function (predict) -> METRIC that the gate calls."""

    def measure(predict):
        outputs = predict(test["images"])
        answers = outputs["probabilities"].argmax(axis=-1)
        scores = metrics.scores(
            test["labels"], test["boxes"], answers, outputs["boxes"]
        )
        return scores[METRIC]

    return measure


def baseline(run):
    """METRIC of the commonest class with the mean box."""
    return run["test"][f"baseline_{METRIC}"]


def export_options(run):
    """Arguments of `convert`."""
    options = finished_run.export_options(run, zoo.entry(run["model"]))
    return options | {"task": "localisation"}


def draw_answers(path, test, run, picture, count=24):
    """Draws test images, spread over the split, with the answers of a file."""
    size = len(test["images"])
    chosen = np.linspace(0, size - 1, min(count, size)).astype(int)
    images, labels, boxes = (test[key][chosen] for key in _KEYS)
    outputs, names = edge.load(path).outputs(images), run["labels"]
    answers, found = outputs["probabilities"].argmax(axis=-1), outputs["boxes"]
    iou = np.asarray(paired_iou(boxes, found))
    titles = [
        f"{names[answer]} {score:.0%}\nIoU {overlap:.2f}"
        + ("" if answer == label else f", is {names[label]}")
        for answer, score, overlap, label in zip(
            answers, outputs["probabilities"].max(axis=-1), iou, labels
        )
    ]
    right = (answers == labels) & (iou >= metrics.RIGHT_FROM)
    save_located(images, found, boxes, titles, picture, right, run["pixel_range"])
