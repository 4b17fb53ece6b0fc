"""Boxes by the book: one pair at a time, in Python's floats."""

import math

import numpy as np


def some(rng, *shape, side=100.0):
    """Random boxes float32 (*shape, 4), of which many overlap."""
    centres = rng.uniform(0, side, (*shape, 2))
    half = rng.uniform(0.03, 0.3, (*shape, 2)) * side
    return np.concatenate([centres - half, centres + half], -1).astype("float32")


def parts(a, b):
    """Areas of intersection, union and the box around both, of two boxes."""
    a, b = [float(v) for v in a], [float(v) for v in b]
    common = max(min(a[2], b[2]) - max(a[0], b[0]), 0)
    common *= max(min(a[3], b[3]) - max(a[1], b[1]), 0)
    areas = [max(c[2] - c[0], 0) * max(c[3] - c[1], 0) for c in (a, b)]
    around = (max(a[2], b[2]) - min(a[0], b[0])) * (max(a[3], b[3]) - min(a[1], b[1]))
    return common, sum(areas) - common, around


def iou(a, b):
    common, total, _ = parts(a, b)
    return common / total if total else 0.0


def table(boxes, others):
    return np.array([[iou(a, b) for b in others] for a in boxes]).reshape(
        len(boxes), len(others)
    )


def giou(a, b):
    _, total, around = parts(a, b)
    return iou(a, b) - (around - total) / around


def diou(a, b):
    a, b = [float(v) for v in a], [float(v) for v in b]
    apart = ((a[0] + a[2] - b[0] - b[2]) / 2) ** 2
    apart += ((a[1] + a[3] - b[1] - b[3]) / 2) ** 2
    wide = max(a[2], b[2]) - min(a[0], b[0])
    high = max(a[3], b[3]) - min(a[1], b[1])
    return iou(a, b) - apart / (wide**2 + high**2)


def aspect(a, b):
    """v of the CIoU."""
    angles = [math.atan2(float(c[2]) - c[0], float(c[3]) - c[1]) for c in (a, b)]
    return 4 / math.pi**2 * (angles[0] - angles[1]) ** 2


def ciou_alpha(a, b):
    return aspect(a, b) / (1 - iou(a, b) + aspect(a, b))


def ciou(a, b, alpha=None):
    alpha = ciou_alpha(a, b) if alpha is None else alpha
    return diou(a, b) - alpha * aspect(a, b)


def nms(boxes, scores, threshold, classes=None, score_threshold=-math.inf):
    """The greedy rule, word by word; a list of indices."""
    kept = []
    for i in sorted(range(len(boxes)), key=lambda i: (-scores[i], i)):
        same = [k for k in kept if classes is None or classes[k] == classes[i]]
        free = all(iou(boxes[i], boxes[k]) <= threshold for k in same)
        if free and scores[i] > score_threshold:
            kept.append(i)
    return kept


def soft_nms(boxes, scores, keep, score_threshold):
    scores, taken = dict(enumerate(map(float, scores))), []
    while scores:
        best = max(scores, key=lambda i: (scores[i], -i))
        if scores[best] <= score_threshold:
            break
        taken.append((best, scores.pop(best)))
        for i in scores:
            scores[i] *= keep(iou(boxes[i], boxes[best]))
    return taken
