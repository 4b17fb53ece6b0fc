"""YOLO's losses by the book: one image, one cell or anchor at a time."""

import math

import numpy as np

SIZE = (64, 96)  # 2 x 3 cells of 32 pixels
SHAPES = [(16, 16), (40, 20), (20, 40)]  # of YOLOv2's anchors
TERMS = ["centres", "sizes", "objects", "background", "classes"]


def iou(a, b):
    width = max(0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0, min(a[3], b[3]) - max(a[1], b[1]))
    total = sum((c[2] - c[0]) * (c[3] - c[1]) for c in (a, b)) - width * height
    return width * height / total if total > 0 else 0.0


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def slow_v1(boxes, classes, scores, objectness, offsets):
    """Equation 3, cell by cell; of one image."""
    terms, (height, width) = dict.fromkeys(TERMS, 0.0), SIZE
    terms["background"] = 0.5 * sum(c * c for c in objectness)
    for cell in range(6):
        row, column = divmod(cell, 3)
        for box, label in zip(boxes, classes):
            x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
            if label >= 0 and (y // 32, x // 32) == (row, column):
                break
        else:
            continue
        ranks = []
        for i in (2 * cell, 2 * cell + 1):
            cx, cy, root_w, root_h = offsets[i]
            cx, cy = 32 * (column + cx), 32 * (row + cy)
            half = root_w**2 * width / 2, root_h**2 * height / 2
            guess = [cx - half[0], cy - half[1], cx + half[0], cy + half[1]]
            away = sum(((g - b) / s) ** 2 for g, b, s in
                       zip(guess, box, (width, height) * 2))  # fmt: skip
            overlap = iou(guess, box)
            ranks.append((overlap if overlap > 0 else -away, overlap, i))
        _, overlap, best = max(ranks)
        cx, cy, root_w, root_h = offsets[best]
        terms["centres"] += 5 * (cx - (x / 32 - column)) ** 2
        terms["centres"] += 5 * (cy - (y / 32 - row)) ** 2
        terms["sizes"] += 5 * (root_w - math.sqrt((box[2] - box[0]) / width)) ** 2
        terms["sizes"] += 5 * (root_h - math.sqrt((box[3] - box[1]) / height)) ** 2
        terms["objects"] += (objectness[best] - overlap) ** 2
        terms["background"] -= 0.5 * objectness[best] ** 2
        for k, score in enumerate(scores[cell]):
            terms["classes"] += (score - (k == label)) ** 2
    return terms


def slow_v2(boxes, classes, scores, objectness, offsets):
    """The authors' region layer, anchor by anchor; of one image."""
    terms, owner = dict.fromkeys(TERMS, 0.0), {}
    for box, label in zip(boxes, classes):
        if label < 0:
            continue
        x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        size = box[2] - box[0], box[3] - box[1]
        alike = [iou([0, 0, *size], [0, 0, *shape]) for shape in SHAPES]
        anchor = 3 * (3 * int(y // 32) + int(x // 32)) + int(np.argmax(alike))
        owner.setdefault(anchor, (box, label))
    for i, (tx, ty, tw, th) in enumerate(offsets):
        row, column = divmod(i // 3, 3)
        cx, cy = 32 * (column + sigmoid(tx)), 32 * (row + sigmoid(ty))
        w, h = SHAPES[i % 3][0] * math.exp(tw), SHAPES[i % 3][1] * math.exp(th)
        guess = [cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2]
        confidence = sigmoid(objectness[i])
        if i not in owner:
            best = max([iou(guess, b) for b, k in zip(boxes, classes) if k >= 0] + [0])
            terms["background"] += 0.5 * confidence**2 * (best <= 0.6)
            continue
        box, label = owner[i]
        size = box[2] - box[0], box[3] - box[1]
        weight = 0.5 * (2 - size[0] * size[1] / (64 * 96))
        x, y = (box[0] + box[2]) / 64 - column, (box[1] + box[3]) / 64 - row
        terms["centres"] += weight * ((sigmoid(tx) - x) ** 2 + (sigmoid(ty) - y) ** 2)
        for t, side, own in zip((tw, th), size, SHAPES[i % 3]):
            terms["sizes"] += weight * (t - math.log(side / own)) ** 2
        terms["objects"] += 5 * 0.5 * (confidence - iou(guess, box)) ** 2
        terms["classes"] += math.log(sum(map(math.exp, scores[i]))) - scores[i][label]
    return terms
