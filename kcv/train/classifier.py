"""What the training loop needs to know about classification."""

import json
import pathlib

import numpy as np
from keras import ops

from kcv import files
from kcv.losses.classification import perceptron_loss, softmax_cross_entropy
from kcv.metrics import classification as metrics
from kcv.train import run_folder
from kcv.viz.confusion import save_confusion
from kcv.viz.curves import save_curves
from kcv.viz.gallery import save_gallery

LOSSES = ("cross_entropy", "perceptron")
SAMPLES = 24  # pictures in samples.png
SAMPLES_FROM = 1000  # test images to choose them from


def classification_losses(
    loss: str = "cross_entropy",
    label_smoothing: float = 0.0,
    class_weights=None,
    auxiliary_weight: float = 0.0,
):
    """Makes the `losses(model, batch, training)` of a classifier, for `loop.train`.

    The batch has "images", "labels" and, where images were mixed, "labels_b" and "mix".
    Label smoothing and class weights count in training only, so that the validation
    loss is the plain one.

    Args:
        loss: one of LOSSES.
        label_smoothing: share of each label spread over all classes.
        class_weights: float (classes,), or None for equal ones.
        auxiliary_weight: of the losses of all heads but "predictions", where the model
            gives a dict; they count in training only, too.

    Raises:
        ValueError: if the loss is unknown, or smoothed where it has no such thing.
    """
    if loss not in LOSSES:
        raise ValueError(f"no loss {loss!r}; known: {', '.join(LOSSES)}")
    if loss == "perceptron" and label_smoothing:
        raise ValueError("the perceptron loss has no label smoothing")

    def of_labels(labels, probabilities, training):
        if loss == "perceptron":
            values = perceptron_loss(labels, probabilities)
        else:
            smoothing = label_smoothing if training else 0.0
            values = softmax_cross_entropy(labels, probabilities, smoothing)
        if training and class_weights is not None:
            weights = ops.convert_to_tensor(class_weights, "float32")
            values = values * ops.take(weights, labels, axis=0)
        return values

    def of_batch(batch, probabilities, training):
        values = of_labels(batch["labels"], probabilities, training)
        if "mix" in batch:
            other = of_labels(batch["labels_b"], probabilities, training)
            values = batch["mix"] * values + (1 - batch["mix"]) * other
        return values

    def losses(model, batch, training):
        heads = model(batch["images"], training=training)
        heads = dict(heads) if isinstance(heads, dict) else {"predictions": heads}
        probabilities, labels = heads.pop("predictions"), batch["labels"]
        values = {loss: of_batch(batch, probabilities, training)}
        if training:
            for name, other in heads.items():
                values[name] = auxiliary_weight * of_batch(batch, other, training)
        right = ops.cast(ops.argmax(probabilities, axis=-1), labels.dtype) == labels
        return values, {"accuracy": ops.cast(right, "float32")}

    return losses


def balanced_class_weights(labels, classes: int) -> np.ndarray:
    """Weights that give every class the same sum; their mean over the labels is 1.

    Args:
        labels: int (n,).
        classes: number of classes; a class without an example gets weight 0.
    """
    counts = np.bincount(labels, minlength=classes)
    present = np.count_nonzero(counts)
    return np.where(counts > 0, len(labels) / (present * np.maximum(counts, 1)), 0.0)


def write_results(model, test_batches, history, folder: pathlib.Path, facts: dict):
    """Measures a trained classifier and writes everything a run leaves behind.

    Writes model.keras, metrics.json, history.csv and the pictures curves.png,
    confusion.png and samples.png, mistakes first.

    Args:
        model: the trained model, images to probabilities.
        test_batches: `kcv.data.batches` of the test split in its natural order.
        history: of `loop.train`.
        folder: where to write.
        facts: joins metrics.json; "labels" and "pixel_range" are needed here.

    Returns:
        The test accuracy.
    """
    class_names = facts["labels"]
    images, labels, probabilities = [], [], []
    for batch in test_batches:
        images.append(batch["images"].numpy())
        labels.append(batch["labels"].numpy())
        probabilities.append(model.predict_on_batch(images[-1]))
        if sum(map(len, images[:-1])) >= SAMPLES_FROM:
            images.pop()  # enough to choose from; test sets may be large
    images, labels, probabilities = map(np.concatenate, (images, labels, probabilities))
    answers = probabilities.argmax(axis=-1)
    accuracy = metrics.accuracy(labels, answers)
    matrix = metrics.confusion_matrix(labels, answers, len(class_names))
    results = facts | {
        "parameters": model.count_params(),
        "validation": {
            name.removeprefix("validation_"): value
            for name, value in history[-1].items()
            if name.startswith("validation_")
        },
        "test": {
            "accuracy": accuracy,
            "top_5_accuracy": metrics.top_k_accuracy(labels, probabilities, 5),
            "majority_accuracy": float(matrix.sum(axis=1).max() / matrix.sum()),
        },
        "versions": run_folder.versions(),
    }
    run_folder.save_model(model, folder / "model.keras")
    files.write_atomically(folder / "metrics.json", json.dumps(results, indent=2))
    run_folder.write_history(folder / "history.csv", history)
    save_curves(history, folder / "curves.png")
    save_confusion(matrix, class_names, folder / "confusion.png")

    wrong = answers[: len(images)] != labels[: len(images)]
    chosen = np.argsort(~wrong, kind="stable")[:SAMPLES]
    save_gallery(
        images[chosen],
        [
            f"{class_names[answers[i]]} {probabilities[i].max():.0%}\n"
            + (f"is {class_names[labels[i]]}" if wrong[i] else "right")
            for i in chosen
        ],
        folder / "samples.png",
        correct=~wrong[chosen],
        pixel_range=facts["pixel_range"],
    )
    return accuracy
