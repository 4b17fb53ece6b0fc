"""Boxes on a device, in NumPy: from what a detector's heads answer to detections.

Boxes are float32, x1, y1, x2, y2; arrays are of one image. The choices are those of
`kcv.boxes.nms`, number by number.
"""

import math

import numpy as np

from kcv.edge.errors import EdgeError

MAX_LOG = math.log(1000 / 16)  # as in kcv.boxes.coding
BLOCK = 128  # boxes decided at a time
EARLIER = ~np.tri(BLOCK, dtype=bool)  # [i, j]: i < j
TABLE = 2**15  # overlaps computed at a time: three such tables stay in a cache


def decode(offsets, anchors, variances=(1.0, 1.0, 1.0, 1.0), max_log=MAX_LOG):
    """Boxes from the offsets of their anchors.

    Args:
        offsets: float (n, 4), dx, dy in anchor sides and logarithms dw, dh.
        anchors: float (n, 4), x1, y1, x2, y2.
        variances: what the offsets were divided by; (0.1, 0.1, 0.2, 0.2) of SSD.
        max_log: the largest logarithm of a side's growth; more counts as that.

    Returns:
        float32 (n, 4), in the unit of the anchors, not clipped.
    """
    offsets = np.asarray(offsets, "float32") * np.float32(variances)
    centres, sizes = _centres(anchors)
    return _corners(centres + offsets[:, :2] * sizes, sizes, offsets[:, 2:], max_log)


def decode_sigmoid(offsets, anchors, stride, max_log=MAX_LOG):
    """Boxes from the offsets of YOLOv2, whose centres stay in the cells of the anchors.

    Args:
        offsets: float (n, 4), t_x, t_y, t_w, t_h before any sigmoid.
        anchors: float (n, 4), with centres in the middle of cells.
        stride: side of a cell; a number, or (n, 1).
        max_log: as for `decode`.

    Returns:
        float32 (n, 4), not clipped.
    """
    offsets = np.asarray(offsets, "float32")
    centres, sizes = _centres(anchors)
    place = 0.5 * np.tanh(0.5 * offsets[:, :2])  # sigmoid - 0.5, which can't overflow
    return _corners(centres + place * stride, sizes, offsets[:, 2:], max_log)


def decode_roots(offsets, cells, image_size):
    """Boxes from the offsets of YOLO: places within cells and roots of the sides.

    Args:
        offsets: float (n, 4), x and y of the centre within the cell, 0..1, and roots of
            width and height in sides of the image.
        cells: float (n, 4), x1, y1, x2, y2 in pixels.
        image_size: (height, width) in pixels.

    Returns:
        float32 (n, 4), not clipped.
    """
    offsets, cells = np.asarray(offsets, "float32"), np.asarray(cells, "float32")
    low, whole = cells[:, :2], np.float32(image_size[::-1])  # width, height
    centres = low + offsets[:, :2] * (cells[:, 2:] - low)
    half = offsets[:, 2:] ** 2 * whole / 2
    return np.concatenate([centres - half, centres + half], axis=1)


def clip(boxes, image_size):
    """Cuts boxes (n, 4) off at the border of an image (height, width)."""
    height, width = image_size
    return np.clip(boxes, 0, np.float32([width, height, width, height]))


def nms(
    boxes,
    scores,
    iou_threshold=0.5,
    output_size=None,
    score_threshold=-math.inf,
    classes=None,
) -> np.ndarray:
    """Chooses the best of boxes that overlap.

    Args:
        boxes: float (n, 4).
        scores: float (n,); NaN is no candidate.
        iou_threshold: of a box and a kept one, above which it is suppressed.
        output_size: how many boxes are kept at most; None: all that are left.
        score_threshold: only higher scores are candidates.
        classes: int (n,): boxes suppress none of other classes. None: all are of one.

    Returns:
        int64 (m,), indices of kept boxes by falling score; of equal scores the first
        comes first.

    Raises:
        EdgeError: the arrays do not belong together.
    """
    boxes, scores = checked(boxes, scores, classes)
    order = _by_score(scores, score_threshold)
    columns = columns_of(boxes[order])
    if classes is None:
        kept = order[_greedy(columns, iou_threshold, output_size)]
    else:
        of = np.asarray(classes)[order]
        groups = np.argsort(of, kind="stable")
        ends = np.flatnonzero(np.diff(of[groups])) + 1
        kept = []
        for places in np.split(groups, ends):  # within each, scores still fall
            found = _greedy(columns[:, places], iou_threshold, output_size)
            kept.append(places[found])
        kept = order[np.sort(np.concatenate(kept))]
    return kept[:output_size]


def detections(
    boxes,
    scores,
    iou_threshold=0.5,
    score_threshold=0.05,
    output_size=100,
    candidates=1000,
):
    """Suppression within each class, of boxes scored for every class.

    Args:
        boxes: float (n, 4), or (n, classes, 4) where each class has its own.
        scores: float (n, classes), without a background.
        iou_threshold: as for `nms`.
        score_threshold: only higher scores count.
        output_size: how many detections at most.
        candidates: how many pairs of a box and a class are compared, the highest.

    Returns:
        boxes float32 (m, 4), scores float32 (m,), classes int64 (m,), by falling score.

    Raises:
        EdgeError: the arrays do not belong together.
    """
    boxes, scores = np.asarray(boxes, "float32"), np.asarray(scores, "float32")
    options = (iou_threshold, score_threshold, output_size, candidates)
    places, classes = choose(boxes, scores, *options)
    boxes = boxes[places] if boxes.ndim == 2 else boxes[places, classes]
    return boxes, scores[places, classes], classes


def choose(
    boxes,
    scores,
    iou_threshold=0.5,
    score_threshold=0.05,
    output_size=100,
    candidates=1000,
):
    """Which boxes `detections` keeps, and of which classes; its arguments.

    Returns:
        places int64 (m,) among the n, and classes int64 (m,), by falling score.

    Raises:
        EdgeError: the arrays do not belong together.
    """
    boxes, scores = np.asarray(boxes, "float32"), np.asarray(scores, "float32")
    if scores.ndim != 2 or boxes.shape not in (
        (len(scores), 4),
        (*scores.shape, 4),
    ):
        raise EdgeError(
            f"boxes {boxes.shape} with scores {scores.shape} do not fit; give (n, 4) "
            "or (n, classes, 4) with (n, classes)"
        )
    count = scores.shape[1]
    pairs = np.flatnonzero(scores.ravel() > score_threshold)
    pairs = pairs[_by_score(scores.ravel()[pairs], -math.inf)[:candidates]]
    places, classes = np.divmod(pairs, count)
    boxes = boxes[places] if boxes.ndim == 2 else boxes[places, classes]
    scores = scores[places, classes]
    kept = nms(boxes, scores, iou_threshold, output_size, classes=classes)
    return places[kept], classes[kept]


def overlaps(first, second):
    """Areas of intersection and of union, each (n, m), of columns (5, n) and (5, m)."""
    first = first[:, :, None]
    # NumPy takes three times as long for the maximum with a number as with an array.
    zero = np.zeros((first.shape[1], second.shape[1]), "float32")
    width = np.minimum(first[2], second[2])
    spare = np.maximum(first[0], second[0])
    width -= spare
    np.maximum(width, zero, out=width)
    height = np.minimum(first[3], second[3])
    np.maximum(first[1], second[1], out=spare)
    height -= spare
    np.maximum(height, zero, out=height)
    width *= height
    total = np.add(first[4], second[4], out=spare)
    total -= width
    return width, total


def columns_of(boxes):
    """x1, y1, x2, y2 and the area, one row each: (5, n)."""
    x1, y1, x2, y2 = boxes.T
    area = np.maximum(x2 - x1, 0) * np.maximum(y2 - y1, 0)
    return np.stack([x1, y1, x2, y2, area])


def checked(boxes, scores, classes=None):
    """Boxes and scores as float32, if they belong together; EdgeError if not."""
    boxes, scores = np.asarray(boxes, "float32"), np.asarray(scores, "float32")
    fits = classes is None or np.shape(classes) == scores.shape
    if boxes.shape != (*scores.shape, 4) or scores.ndim != 1 or not fits:
        other = "" if classes is None else f" and classes {np.shape(classes)}"
        raise EdgeError(
            f"boxes {boxes.shape} with scores {scores.shape}{other} do not fit; give "
            "(n, 4) with (n,)"
        )
    return boxes, scores


def _greedy(columns, iou_threshold, output_size):
    """Places of kept boxes among boxes of falling score, in blocks."""
    left = np.arange(columns.shape[1])
    size = len(left) if output_size is None else output_size
    threshold = np.float32(iou_threshold)
    kept, count = [], 0
    while len(left) and count < size:
        block = columns[:, :BLOCK]
        mine = _settled(_covers(block, block, threshold))
        kept.append(left[:BLOCK][mine])
        count += len(kept[-1])
        columns, left = columns[:, BLOCK:], left[BLOCK:]
        if count >= size or not len(left):
            break
        winners = block[:, mine]
        width = max(TABLE // winners.shape[1], 1)
        free = [
            ~_covers(winners, columns[:, i : i + width], threshold).any(axis=0)
            for i in range(0, len(left), width)
        ]
        free = np.flatnonzero(np.concatenate(free))
        columns, left = columns.take(free, axis=1), left[free]
    return np.concatenate(kept)[:size] if kept else left


def _settled(covers):
    """Which boxes of a block are kept; rounds as in kcv.boxes.nms."""
    count = len(covers)
    suppresses = covers & EARLIER[:count, :count]
    kept = np.ones(count, bool)
    while True:
        now = ~(suppresses & kept[:, None]).any(axis=0)
        if (now == kept).all():
            return kept
        kept = now


def _covers(first, second, threshold):
    common, total = overlaps(first, second)
    total *= threshold
    return common > total


def _by_score(scores, score_threshold):
    """Indices of scores above the threshold, falling; the first of equal ones first."""
    above = np.flatnonzero(scores > score_threshold)
    return above[np.argsort(-scores[above], kind="stable")]


def _centres(anchors):
    anchors = np.asarray(anchors, "float32")
    low, high = anchors[:, :2], anchors[:, 2:]
    return (low + high) / 2, high - low


def _corners(centres, sizes, grown, max_log):
    half = sizes * np.exp(np.minimum(grown, np.float32(max_log))) / 2
    return np.concatenate([centres - half, centres + half], axis=1).astype("float32")
