"""What `measure` has to know about a classifier; each task has such a module."""

import numpy as np

from kcv import edge, zoo
from kcv.tools import finished_run
from kcv.viz.gallery import save_gallery

METRIC = "accuracy"
NO_QAT = ""  # why it is not trained with quantisation; "" where it is

batches = finished_run.batches


def network(model):
    """The model that is exported, of the same weights."""
    return model


def examples(batch):
    """(images, targets) of a batch, for `loss`."""
    return batch["images"], batch["labels"]


def loss(run):
    """The function (targets, outputs) -> (b,) to train with; None: cross-entropy."""
    return None  # noqa: RET501


def split(run, name):
    """All of a split as {key: array}."""
    return dict(zip(("images", "labels"), finished_run.whole_split(run, name)))


def evaluate(run, test):
    """Returns the function (predict) -> METRIC that the gate calls."""
    return finished_run.accuracy(test["images"], test["labels"])


def baseline(run):
    """METRIC of one who knows how frequent the classes are."""
    return run["test"]["majority_accuracy"]


def export_options(run):
    """Arguments of `convert`."""
    return finished_run.export_options(run, zoo.entry(run["model"]))


def draw_answers(path, test, run, picture, count=24):
    """Draws test images, spread over the split, with the answers of a file."""
    images, labels = test["images"], test["labels"]
    chosen = np.linspace(0, len(images) - 1, min(count, len(images))).astype(int)
    probabilities = edge.load(path).probabilities(images[chosen])
    answers, names = probabilities.argmax(axis=-1), run["labels"]
    right = answers == labels[chosen]
    titles = [
        f"{names[answer]} {scores[answer]:.0%}" + ("" if ok else f"\nis {names[label]}")
        for answer, scores, ok, label in zip(
            answers, probabilities, right, labels[chosen]
        )
    ]
    save_gallery(images[chosen], titles, picture, right, run["pixel_range"])
