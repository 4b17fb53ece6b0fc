"""What metrics of detection share: batches checked and taken apart, objects found.

Truths and detections are dicts of arrays with one row an image, or of lists with one
array an image. Each image has slots; those of class -1 are empty and may hold anything.

  truths      "boxes" (batch, slots, 4), "classes" (batch, slots), and where there are
              any "crowd" (batch, slots), "areas" (batch, slots), "masks" (batch, slots,
              h, w), "keypoints" (batch, slots, k, 3) of x, y, visibility 0, 1 or 2
  detections  "boxes", "classes", "scores" (batch, slots), "masks", "keypoints" of
              which x and y are read; no order is asked for

Boxes are (x1, y1, x2, y2) in continuous pixels. Other keys are not read.
"""

import numpy as np
from pycocotools import mask as coco_mask

_KEYS = {
    "truths": ("boxes", "crowd", "areas", "masks", "keypoints"),
    "detections": ("boxes", "scores", "masks", "keypoints"),
}
WRONG, RIGHT, UNCOUNTED = 0, 1, -1


def images(truths, detections, classes: int, needed=("boxes",)):
    """Takes a batch apart, empty slots left out.

    Args:
        truths: dict as above.
        detections: dict as above.
        classes: number of classes.
        needed: keys of what is compared; both dicts must have them.

    Yields:
        (truth, found) of each image, dicts of arrays with one row an object: all keys
        above that were given, "crowd" always; float64 but for classes, crowd, masks.

    Raises:
        ValueError: a key is missing, lengths differ, a class id is none of the
            classes, a box has x2 < x1 or y2 < y1, or a number is not finite.
    """
    _require("truths", truths, ("classes", *needed))
    _require("detections", detections, ("classes", "scores", *needed))
    count, other = len(truths["classes"]), len(detections["classes"])
    if count != other:
        raise ValueError(f"truths of {count} images but detections of {other}")
    for index in range(count):
        truth = _image("truths", truths, index, classes)
        truth.setdefault("crowd", np.zeros(len(truth["classes"]), bool))
        truth["crowd"] = truth["crowd"] != 0
        yield truth, _image("detections", detections, index, classes)


def _require(name, batch, keys):
    missing = [key for key in keys if key not in batch]
    if missing:
        raise ValueError(
            f"{name} have no {', '.join(map(repr, missing))}, only {sorted(batch)}"
        )


def _image(name, batch, index, classes):
    """The filled slots of one image, checked."""
    where = f"{name} of image {index} of the batch"
    labels = np.asarray(batch["classes"][index])
    if labels.ndim != 1 or (labels != np.floor(labels)).any():
        raise ValueError(f"{where}: classes of shape {labels.shape} are no list of ids")
    if labels.size and not -1 <= labels.min() <= labels.max() < classes:
        wrong = labels[(labels < -1) | (labels >= classes)][0]
        raise ValueError(f"{where}: class {wrong} is none of {classes} classes")
    rows = np.flatnonzero(labels >= 0)
    found = {"classes": labels[rows].astype("int64")}
    for key in _KEYS[name]:
        if key not in batch:
            continue
        values = batch[key][index]
        if len(values) != len(labels):
            raise ValueError(f"{where}: {len(labels)} classes but {len(values)} {key}")
        if key == "masks":
            values = values if isinstance(values, list) else np.asarray(values)
            found[key] = [values[row] for row in rows]
            continue
        found[key] = np.asarray(values, "float64")[rows]
        if key == "boxes" and not len(rows):
            found[key] = np.zeros((0, 4))
        if not np.isfinite(found[key]).all():
            raise ValueError(f"{where}: {key} hold NaN or infinity")
    _check_boxes(where, found.get("boxes", np.zeros((0, 4))))
    return found


def _check_boxes(where, boxes):
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ValueError(f"{where}: boxes of shape {boxes.shape}, not of (slots, 4)")
    turned = (boxes[:, 2:] < boxes[:, :2]).any(axis=1)
    if turned.any():
        box = ", ".join(f"{value:g}" for value in boxes[turned][0])
        raise ValueError(
            f"{where}: box ({box}) has x2 < x1 or y2 < y1; boxes are (x1, y1, x2, y2)"
        )


def xywh(boxes):
    """Boxes (n, 4) as x1, y1, width, height, float64."""
    boxes = np.asarray(boxes, "float64").reshape(-1, 4)
    return np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)


def match(truth, found, iou: float):
    """Says which detections of one image are right, as PASCAL VOC does.

    Detections go by falling score, and each looks at the truth of its class that it
    overlaps most. It is right where their IoU is at least `iou` and no better detection
    had that truth; a second one is wrong. One that looks at a crowd or a difficult
    object counts neither for nor against.

    Args:
        truth: dict of one image, see `images`.
        found: likewise.
        iou: least intersection over union.

    Returns:
        int8 (n,) of the detections: RIGHT, WRONG or UNCOUNTED.
    """
    states = np.full(len(found["classes"]), WRONG, "int8")
    if not len(states) or not len(truth["classes"]):
        return states
    # The crowd's own overlap (over the detection's area) is COCO's, not VOC's.
    no_crowd = np.zeros(len(truth["classes"]))
    overlap = coco_mask.iou(xywh(found["boxes"]), xywh(truth["boxes"]), no_crowd)
    overlap[found["classes"][:, None] != truth["classes"]] = -1
    best = overlap.argmax(axis=1)
    taken = np.zeros(len(truth["classes"]), bool)
    for row in np.argsort(-found["scores"], kind="stable"):
        if overlap[row, best[row]] < iou:
            continue
        if truth["crowd"][best[row]]:
            states[row] = UNCOUNTED
        elif not taken[best[row]]:
            states[row] = RIGHT
            taken[best[row]] = True
    return states
