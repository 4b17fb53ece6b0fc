"""Losses of detectors of one stage, one value an image.

Papers: W. Liu et al., "SSD: Single Shot MultiBox Detector", 2016, section 2.2,
https://arxiv.org/abs/1512.02325; T. Lin et al., "Focal Loss for Dense Object
Detection", 2017, sections 3 and 4, https://arxiv.org/abs/1708.02002; R. Girshick, "Fast
R-CNN", 2015, eq. 3 (smooth L1), https://arxiv.org/abs/1504.08083

Differs from the papers' code: each image's loss is divided by its own positive anchors,
as eq. 1 of SSD and section 4 of RetinaNet say, not by those of the whole batch. An
image without objects is divided by 1.

Both take the classes and the offsets of kcv.boxes.targets.
"""

from keras import ops

from kcv.boxes.matching import IGNORED
from kcv.boxes.sampling import hard_negatives


def smooth_l1(errors, beta=1.0):
    """Squares near 0, absolute values beyond: one outlier does not rule the gradient.

    Args:
        errors: float, any shape.
        beta: where the one becomes the other, in the unit of the errors.

    Returns:
        float32 of that shape: errors^2 / (2 beta) below beta, |errors| - beta / 2 from
        it on.

    Raises:
        ValueError: beta is not positive.
    """
    if not beta > 0:
        raise ValueError(f"beta must be positive, got {beta}")
    size = ops.abs(ops.cast(errors, "float32"))
    near = ops.minimum(size, beta)
    return near * near / (2 * beta) + (size - near)


def box_loss(classes, target_offsets, offsets, beta=1.0):
    """Smooth L1 of the four offsets of positive anchors, over their number.

    Args:
        classes: int (batch, n), of targets.Targets; 0 or more is positive.
        target_offsets: float (batch, n, 4).
        offsets: float (batch, n, 4), that the head gives.
        beta: of smooth L1.

    Returns:
        float32 (batch,); 0 for an image without positive anchors.
    """
    errors = ops.cast(offsets, "float32") - ops.cast(target_offsets, "float32")
    each = ops.sum(smooth_l1(errors, beta), axis=-1)
    return _over_positives(ops.where(classes >= 0, each, 0), classes)


def multibox_loss(
    classes, target_offsets, scores, offsets, ratio=3, at_least=0, box_weight=1.0
):
    """SSD's loss: softmax cross-entropy with hard negative mining, and smooth L1.

    Args:
        classes: int (batch, n), of targets.ssd_targets.
        target_offsets: float (batch, n, 4), likewise.
        scores: float (batch, n, 1 + classes), logits, those of the background first.
        offsets: float (batch, n, 4).
        ratio: background anchors that count for one positive anchor: those of highest
            loss.
        at_least: background anchors that count in any image; 0 learns nothing from one
            without objects, as in the paper.
        box_weight: alpha of eq. 1.

    Returns:
        {"class_loss": float32 (batch,), "box_loss": float32 (batch,)}, whose sum is
        eq. 1.
    """
    scores = ops.cast(scores, "float32")
    labels = ops.maximum(classes, -1) + 1  # ignored anchors are no class, and left out
    each = ops.sparse_categorical_crossentropy(labels, scores, from_logits=True)
    counts = (classes >= 0) | hard_negatives(each, classes, ratio, at_least)
    return {
        "class_loss": _over_positives(ops.where(counts, each, 0), classes),
        "box_loss": box_weight * box_loss(classes, target_offsets, offsets),
    }


def sigmoid_focal_loss(labels, logits, gamma=2.0, alpha=0.25):
    """Cross-entropy of yes or no that fades where the answer is already right.

    alpha_t (1 - p_t)^gamma (-log p_t), eq. 5 of RetinaNet, from the logits, so that
    neither it nor its gradient loses its way where p_t is 0 or 1 in float32.

    Args:
        labels: bool, or numbers 0 and 1, any shape.
        logits: float of that shape.
        gamma: how fast it fades; 0 is plain cross-entropy.
        alpha: weight of label 1; label 0 has 1 - alpha. None: both have 1.

    Returns:
        float32 of that shape.
    """
    positive = ops.cast(labels, "bool")
    logits = ops.cast(logits, "float32")
    margin = ops.where(positive, logits, -logits)
    minus_log = ops.softplus(-margin)  # -log p_t; -log(1 - p_t) is that plus the margin
    loss = minus_log
    if gamma:
        loss = loss * ops.exp(-gamma * (minus_log + margin))
    if alpha is None:
        return loss
    return loss * ops.where(positive, alpha, 1 - alpha)


def retinanet_loss(
    classes,
    target_offsets,
    scores,
    offsets,
    gamma=2.0,
    alpha=0.25,
    box_weight=1.0,
    beta=1.0,
):
    """RetinaNet's loss: the focal loss of all anchors but ignored ones, and smooth L1.

    Args:
        classes: int (batch, n), of targets.retinanet_targets.
        target_offsets: float (batch, n, 4), likewise.
        scores: float (batch, n, classes), logits of sigmoids, without a background.
        offsets: float (batch, n, 4).
        gamma: of the focal loss.
        alpha: of the focal loss.
        box_weight: weight of the box loss.
        beta: of smooth L1.

    Returns:
        {"class_loss": float32 (batch,), "box_loss": float32 (batch,)}.
    """
    known = ops.arange(scores.shape[-1], dtype="int32")
    labels = ops.cast(classes, "int32")[..., None] == known
    each = ops.sum(sigmoid_focal_loss(labels, scores, gamma, alpha), axis=-1)
    each = ops.where(classes == IGNORED, 0, each)
    return {
        "class_loss": _over_positives(each, classes),
        "box_loss": box_weight * box_loss(classes, target_offsets, offsets, beta),
    }


def _over_positives(each, classes):
    """Sums (batch, n) over anchors and divides by the positive ones, or by 1."""
    positives = ops.sum(ops.cast(classes >= 0, "float32"), axis=1)
    return ops.sum(each, axis=1) / ops.maximum(positives, 1)
