"""Metrics of classification + localisation: one thing, its class and its box.

Paper: O. Russakovsky et al., "ImageNet Large Scale Visual Recognition Challenge", 2015,
section 4.2, https://arxiv.org/abs/1409.0575 (right: class right and IoU over 0.5)
"""

import numpy as np

from kcv.boxes.iou import paired_iou

RIGHT_FROM = 0.5  # IoU


def scores(labels, boxes, answers, predicted_boxes) -> dict[str, float]:
    """What a localiser is right about.

    Args:
        labels: int (n,); -1 where nothing is in the picture, which does not count.
        boxes: float (n, 4), x1, y1, x2, y2 in pixels.
        answers: int (n,), the predicted classes.
        predicted_boxes: float (n, 4), likewise.

    Returns:
        {"localisation_accuracy": share with the right class and an IoU of 0.5 or more,
        "accuracy": share with the right class, "mean_iou": mean IoU, whatever the
        class}.

    Raises:
        ValueError: if there is nothing in any picture.
    """
    labels = np.asarray(labels)
    known = labels >= 0
    if not known.any():
        raise ValueError(f"none of {len(labels)} pictures has anything in it")
    iou = np.asarray(paired_iou(np.float32(boxes), np.float32(predicted_boxes)))[known]
    right = labels[known] == np.asarray(answers)[known]
    return {
        "localisation_accuracy": float(np.mean(right & (iou >= RIGHT_FROM))),
        "accuracy": float(np.mean(right)),
        "mean_iou": float(np.mean(iou)),
    }


def guess(labels, boxes):
    """The answer of one who never looks: the commonest class and the mean box.

    Args:
        labels: int (n,) of training; -1 where nothing is in the picture.
        boxes: float (n, 4).

    Returns:
        (class, box float32 (4,)).
    """
    known = np.asarray(labels) >= 0
    commonest = int(np.bincount(np.asarray(labels)[known]).argmax())
    return commonest, np.asarray(boxes, "float32")[known].mean(axis=0)
