"""Metrics of classification, in NumPy: labels and scores in, numbers out."""

import numpy as np


def confusion_matrix(labels, predictions, classes: int) -> np.ndarray:
    """Counts how often each class was taken for which.

    Args:
        labels: int (n,), the truth, in [0, classes).
        predictions: int (n,), in [0, classes).
        classes: number of classes.

    Returns:
        int64 (classes, classes); rows are the truth, columns the predictions.

    Raises:
        ValueError: if the two differ in length or hold a class that does not exist.
    """
    labels = _class_indices("labels", labels, classes)
    predictions = _class_indices("predictions", predictions, classes)
    if len(labels) != len(predictions):
        raise ValueError(f"{len(labels)} labels but {len(predictions)} predictions")
    pairs = labels * classes + predictions
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)


def accuracy(labels, predictions) -> float:
    """The share of int (n,) predictions that equal the labels; NaN for none."""
    labels, predictions = np.asarray(labels), np.asarray(predictions)
    if labels.shape != predictions.shape:
        raise ValueError(f"{labels.shape} labels but {predictions.shape} predictions")
    return float(np.mean(labels == predictions)) if len(labels) else float("nan")


def top_k_accuracy(labels, scores, k: int = 5) -> float:
    """The share of examples whose label is among the k highest scores.

    Equal scores rank by class index, as np.argmax does. Models in int8 make many of
    them, and to count every tie as a hit would flatter a saturated model.

    Args:
        labels: int (n,), the truth, in [0, classes).
        scores: (n, classes), any type that orders: probabilities, logits, uint8.
        k: how many guesses count; at least 1.

    Returns:
        Share in [0, 1]; NaN for no examples.

    Raises:
        ValueError: if shapes do not fit, k < 1, or a score is NaN.
    """
    scores = np.asarray(scores)
    if scores.ndim != 2 or len(scores) != len(labels):
        raise ValueError(f"scores {scores.shape} do not fit {len(labels)} labels")
    if k < 1:
        raise ValueError(f"k is {k}; at least one guess is needed")
    if np.isnan(scores).any():
        raise ValueError("scores hold NaN, which has no rank")
    labels = _class_indices("labels", labels, scores.shape[1])
    if not len(labels):
        return float("nan")
    true = np.take_along_axis(scores, labels[:, None], axis=1)
    earlier = np.arange(scores.shape[1]) < labels[:, None]
    ahead = (scores > true) | ((scores == true) & earlier)
    return float(np.mean(ahead.sum(axis=1) < k))


def per_class(matrix) -> dict[str, np.ndarray]:
    """Precision, recall and F1 of each class from a confusion matrix.

    Args:
        matrix: (classes, classes) counts, rows the truth, from `confusion_matrix`.

    Returns:
        {"precision", "recall", "f1"}: float64 (classes,), 0 where undefined (a class
        never predicted has no precision); "support": int64 (classes,), its examples.
    """
    matrix = np.asarray(matrix)
    hits = np.diag(matrix).astype("float64")
    support, predicted = matrix.sum(axis=1), matrix.sum(axis=0)
    return {
        "precision": _ratio(hits, predicted),
        "recall": _ratio(hits, support),
        "f1": _ratio(2 * hits, support + predicted),
        "support": support,
    }


def _ratio(part, whole):
    return np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0)


def _class_indices(name, values, classes):
    values = np.asarray(values)
    if values.size == 0:
        return np.zeros(0, "int64")
    if values.ndim != 1 or values.dtype.kind not in "iu":
        raise ValueError(f"{name} must be (n,) integers, got {_kind(values)}")
    values = values.astype("int64")
    wrong = values[(values < 0) | (values >= classes)]
    if len(wrong):
        raise ValueError(
            f"{name} hold class {wrong[0]}, but there are {classes} classes"
        )
    return values


def _kind(values):
    return f"{values.dtype} {values.shape}"
