"""What the training loop needs to know about classification + localisation."""

import pathlib

import numpy as np
from keras import ops

from kcv.boxes.iou import paired_iou
from kcv.losses.localisation import localisation_loss
from kcv.metrics import localisation as metrics
from kcv.train import run_folder
from kcv.viz.located import save_located

SAMPLES = 24  # pictures in samples.png


def localisation_losses(image_size, box_weight: float = 10.0):
    """Makes the `losses(model, batch, training)` of a localiser, for `loop.train`.

    The batch has "images", "labels" and "boxes", see `kcv.data.one_object`.

    Args:
        image_size: (height, width) in pixels.
        box_weight: see `localisation_loss`.
    """

    def losses(model, batch, training):
        outputs = model(batch["images"], training=training)
        labels, boxes = batch["labels"], batch["boxes"]
        answers, found = outputs["predictions"], outputs["boxes"]
        values = localisation_loss(
            labels, boxes, answers, found, image_size, box_weight
        )
        right = ops.cast(ops.argmax(answers, axis=-1), labels.dtype) == labels
        iou = paired_iou(boxes, ops.cast(found, boxes.dtype))
        both = ops.logical_and(right, iou >= metrics.RIGHT_FROM)
        return {"localisation": values}, {
            "localisation_accuracy": ops.cast(both, "float32"),
            "accuracy": ops.cast(right, "float32"),
            "mean_iou": iou,
        }

    return losses


def write_results(model, test, baseline, history, folder: pathlib.Path, facts: dict):
    """Measures a trained localiser and writes everything a run leaves behind.

    Writes model.keras, metrics.json, history.csv and the pictures curves.png and
    samples.png, mistakes first.

    Args:
        model: the trained model.
        test: {"images": (n, h, w, c), "labels": (n,), "boxes": (n, 4)}, arrays.
        baseline: (class, box), from `metrics.guess` of the training split.
        history: of `loop.train`.
        folder: where to write.
        facts: joins metrics.json; "labels" and "pixel_range" are needed here.

    Returns:
        The scores of the test split, see `metrics.scores`.
    """
    outputs = model.predict(test["images"], batch_size=64, verbose=0)
    probabilities, found = outputs["predictions"], outputs["boxes"]
    answers = probabilities.argmax(axis=-1)
    labels, boxes = test["labels"], test["boxes"]
    scores = metrics.scores(labels, boxes, answers, found)
    guessed = [np.tile(value, (len(labels), 1)) for value in baseline]
    guessed = metrics.scores(labels, boxes, guessed[0][:, 0], guessed[1])
    results = {**scores, **{f"baseline_{k}": v for k, v in guessed.items()}}
    run_folder.write(folder, model, history, facts, results)

    iou = np.asarray(paired_iou(boxes, found))
    right = (answers == labels) & (iou >= metrics.RIGHT_FROM)
    wrong = np.flatnonzero(~right & (labels >= 0))[: SAMPLES // 2]
    chosen = np.concatenate([wrong, np.flatnonzero(right)])[:SAMPLES]
    names = facts["labels"]
    save_located(
        test["images"][chosen],
        found[chosen],
        boxes[chosen],
        [
            f"{names[answers[i]]} {probabilities[i].max():.0%}\nIoU {iou[i]:.2f}"
            + ("" if answers[i] == labels[i] else f", is {names[labels[i]]}")
            for i in chosen
        ],
        folder / "samples.png",
        right[chosen],
        facts["pixel_range"],
    )
    return scores
