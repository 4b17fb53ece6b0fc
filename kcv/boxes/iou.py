"""Intersection over union and its relatives.

Papers: H. Rezatofighi et al., "Generalized Intersection over Union", 2019,
https://arxiv.org/abs/1902.09630; Z. Zheng et al., "Distance-IoU Loss: Faster and Better
Learning for Bounding Box Regression", 2020, https://arxiv.org/abs/1911.08287

Arrays of NumPy and tensors go in, tensors of the backend come out; all of it has
gradients; those of the paired ones stay small for boxes without area, too. The loss of
each is 1 minus it.
"""

import math

from keras import ops

from kcv.boxes.formats import areas, as_float

TINY = 1e-30  # lost in any area, but 0 / 0 becomes 0


def paired_iou(boxes, others):
    """Intersection over union of box i and other i.

    Args:
        boxes: float (..., 4), x1, y1, x2, y2.
        others: float (..., 4). A box without area overlaps nothing.

    Returns:
        float (...), 0..1.
    """
    common, total = _paired(*as_float(boxes, others))
    return common / _not_zero(total)


def pairwise_iou(boxes, others):
    """Intersection over union of every box with every other.

    Args:
        boxes: float (..., n, 4), x1, y1, x2, y2.
        others: float (..., m, 4).

    Returns:
        float (..., n, m), 0..1.
    """
    common, total = pairwise_areas(boxes, others)
    return common / total


def pairwise_areas(boxes, others):
    """Areas of intersection and of union, each (..., n, m); no union is quite 0."""
    boxes, others = as_float(boxes, others)
    common = _common(boxes[..., :, None, :], others[..., None, :, :])
    first = areas(boxes) + TINY  # here, since a step on the whole table costs time
    total = first[..., :, None] + areas(others)[..., None, :] - common
    return common, total


def pairwise_share(boxes, regions):
    """The share of each box's area that lies within each region.

    This is what COCO takes in place of IoU where a region is a crowd: a box is right
    about a part of it.

    Args:
        boxes: float (..., n, 4), x1, y1, x2, y2.
        regions: float (..., m, 4).

    Returns:
        float (..., n, m), 0..1.
    """
    boxes, regions = as_float(boxes, regions)
    common = _common(boxes[..., :, None, :], regions[..., None, :, :])
    return common / _not_zero(areas(boxes))[..., :, None]


def paired_giou(boxes, others):
    """IoU minus the empty share of the smallest box around both: -1..1 (eq. 3).

    Args:
        boxes: float (..., 4), x1, y1, x2, y2.
        others: float (..., 4).

    Returns:
        float (...).
    """
    boxes, others = as_float(boxes, others)
    common, total = _paired(boxes, others)
    around = areas(_around(boxes, others))
    empty = (around - total) / _not_zero(around)
    return common / _not_zero(total) - empty


def paired_diou(boxes, others):
    """IoU minus the centres' squared distance in diagonals of the box around both.

    Args:
        boxes: float (..., 4), x1, y1, x2, y2.
        others: float (..., 4).

    Returns:
        float (...), -1..1.
    """
    boxes, others = as_float(boxes, others)
    common, total = _paired(boxes, others)
    around = _around(boxes, others)
    apart = (boxes[..., :2] + boxes[..., 2:] - others[..., :2] - others[..., 2:]) / 2
    diagonal = _square(around[..., 2:] - around[..., :2])
    return common / _not_zero(total) - _square(apart) / _not_zero(diagonal)


def paired_ciou(boxes, others):
    """DIoU minus a term for the difference of the aspect ratios (eq. 8 to 11).

    The weight of that term, alpha, is a constant to gradients, as in the paper's code.

    Args:
        boxes: float (..., 4), x1, y1, x2, y2.
        others: float (..., 4).

    Returns:
        float (...), at most 1.
    """
    boxes, others = as_float(boxes, others)
    ratio = 4 / math.pi**2 * ops.square(_angle(others) - _angle(boxes))
    beyond = 1 - paired_iou(boxes, others) + ratio
    alpha = ops.stop_gradient(ratio / _not_zero(beyond))
    return paired_diou(boxes, others) - alpha * ratio


def _paired(boxes, others):
    common = _common(boxes, others)
    return common, areas(boxes) + areas(others) - common


def _common(boxes, others):
    """Areas of intersection; columns one by one keep the long axes innermost."""
    width, height = (
        ops.maximum(
            ops.minimum(boxes[..., high], others[..., high])
            - ops.maximum(boxes[..., low], others[..., low]),
            0,
        )
        for low, high in ((0, 2), (1, 3))
    )
    return width * height


def _not_zero(values):
    """1 in place of 0: what it divides is 0, and gradients stay small."""
    return ops.where(values > 0, values, 1)


def _around(boxes, others):
    low = ops.minimum(boxes[..., :2], others[..., :2])
    high = ops.maximum(boxes[..., 2:], others[..., 2:])
    return ops.concatenate([low, high], axis=-1)


def _square(vectors):
    """Squared lengths of (..., 2)."""
    return ops.square(vectors[..., 0]) + ops.square(vectors[..., 1])


def _angle(boxes):
    """Angle whose tangent is width / height; a height of 0 or less counts as 1."""
    width, height = (boxes[..., i + 2] - boxes[..., i] for i in range(2))
    return ops.arctan(width / _not_zero(height))
