"""What detectors find beyond boxes: the masks and keypoints of what they detect.

Papers: K. He et al., "Mask R-CNN", 2017, sections 3.1 and 5,
https://arxiv.org/abs/1703.06870; T.-Y. Lin et al., "Microsoft COCO", 2014 (the
measures), https://arxiv.org/abs/1405.0312

A model says of each proposal which mask it has in each class, and where its keypoints
are, both within "mask_boxes". Suppression keeps some proposals, each in one class.
"""

import numpy as np
from keras import ops

from kcv.boxes import nms
from kcv.metrics import run_lengths
from kcv.metrics.coco import CocoMetric
from kcv.viz.skeleton import SKELETONS

PREFIXES = {"boxes": "", "masks": "mask_", "keypoints": "keypoint_"}  # of measures
COCO_JOINTS = 17
# Of all keypoints where nobody has published their sigmas: the mean of COCO's 17. With
# it the similarity is 0.5 at a sixth of the side of a square box.
SIGMA = 0.067


def of_detections(outputs, boxes, scores, found):
    """The masks and keypoints of detections, out of those of all proposals.

    Args:
        outputs: of a model of `kcv.models.detection.mask_rcnn`.
        boxes: float (batch, n, classes, 4), of the proposals, in pixels.
        scores: float (batch, n, classes).
        found: {"boxes": (batch, m, 4), "scores": (batch, m), "classes": (batch, m)}, of
            these, -1 in empty slots.

    Returns:
        {"mask_boxes": (batch, m, 4), in pixels, "box_masks": float32 (batch, m, size,
        size), probabilities, spread over these boxes} of a model with masks,
        {"keypoints": float32 (batch, m, k, 3), x, y in pixels and visibility 2} of one
        with keypoints; 0 in empty slots.
    """
    proposals = _proposals(boxes, scores, found)
    own = ops.cast(outputs["mask_boxes"], "float32")
    if "keypoints" in outputs:
        points = keypoints(ops.cast(outputs["keypoints"], "float32"), own)
        taken = _take(points, proposals)
        seen = ops.cast(proposals >= 0, "float32")[..., None, None]
        seen = 2 * seen * ops.ones_like(taken[..., :1])
        return {"keypoints": ops.concatenate([taken, seen], axis=-1)}
    masks = _take(ops.cast(outputs["masks"], "float32"), proposals)
    # Of a cascade, one mask serves every class.
    kinds = ops.clip(found["classes"], 0, masks.shape[-1] - 1)[:, :, None, None, None]
    masks = ops.take_along_axis(masks, kinds, axis=4)[..., 0]
    masks = ops.where((proposals >= 0)[..., None, None], ops.sigmoid(masks), 0)
    return {"mask_boxes": nms.gather(own, proposals), "box_masks": masks}


def keypoints(logits, boxes):
    """The middle of the bin of highest score, for each keypoint.

    Args:
        logits: float (batch, n, size, size, k).
        boxes: float (batch, n, 4), in pixels, over which the bins are spread.

    Returns:
        float32 (batch, n, k, 2), x, y in pixels.
    """
    number, size, _, count = logits.shape[1:]
    bins = ops.argmax(ops.reshape(logits, (-1, number, size * size, count)), axis=2)
    places = ops.stack([bins % size, bins // size], axis=-1)
    places = (ops.cast(places, "float32") + 0.5) / size
    low, high = boxes[:, :, None, :2], boxes[:, :, None, 2:]
    return low + places * (high - low)


def pasted(masks, boxes, image_size):
    """Masks of boxes as masks of an image.

    Args:
        masks: (n, size, size), probabilities; between the middles of bins they are
            interpolated, beyond the last ones they stay as they are.
        boxes: (n, 4), x1, y1, x2, y2 in pixels, over which the masks are spread.
        image_size: (height, width), pixels.

    Returns:
        uint8 (n, height, width), 1 where the probability at the middle of a pixel in
        the box is 0.5 or more.
    """
    found = np.zeros((len(masks), *image_size), "uint8")
    for image, mask, (x1, y1, x2, y2) in zip(found, masks, boxes):
        y, rows = _weights(y1, y2, image_size[0], mask.shape[0])
        x, columns = _weights(x1, x2, image_size[1], mask.shape[1])
        image[y, x] = rows @ mask @ columns.T >= 0.5
    return found


def in_images(found, image_size):
    """NumPy arrays of detections, with their masks pasted into images.

    Args:
        found: of `kcv.train.detector.detect`.
        image_size: (height, width), pixels.

    Returns:
        {"boxes", "scores", "classes"[, "keypoints"][, "masks": a list of uint8 (m,
        height, width)]}.
    """
    found = {key: np.asarray(value) for key, value in found.items()}
    if "box_masks" in found:
        masks, boxes = found.pop("box_masks"), found.pop("mask_boxes")
        pairs = zip(masks, boxes)
        found["masks"] = [pasted(*pair, image_size) for pair in pairs]
    return found


def compact(objects):
    """Objects of a batch with their masks, if they have any, as run lengths.

    Args:
        objects: {"masks": (batch, m, height, width) or a list of (m, height, width),
            ...}, truths or detections.
    """
    if "masks" not in objects:
        return objects
    return objects | {"masks": [run_lengths.encode(own) for own in objects["masks"]]}


def add(metrics, truths, found, classes, keys=()):
    """Adds a batch to a `CocoMetric` of the boxes and to one of each of `keys`.

    Args:
        metrics: {} to begin with; it is filled.
        truths: as for `CocoMetric.update`.
        found: likewise.
        classes: number of classes.
        keys: of "masks" and "keypoints".
    """
    for kind in ("boxes", *keys):
        if kind not in metrics:
            count = np.shape(truths[kind])[2] if kind == "keypoints" else COCO_JOINTS
            sigmas = None if count == COCO_JOINTS else np.full(count, SIGMA)
            metrics[kind] = CocoMetric(kind, classes, sigmas)
        wanted = {"boxes", "classes", "crowd", kind}
        own = {key: value for key, value in truths.items() if key in wanted}
        metrics[kind].update(own, found)


def precisions(metrics, names) -> dict:
    """What was measured: of boxes {"ap": ...}, of the others {"mask_ap": ...}, 0..1.

    Args:
        metrics: of `add`.
        names: of `CocoMetric.result`, that are asked for.
    """
    results = {kind: metric.result() for kind, metric in metrics.items()}
    return {
        PREFIXES[kind] + name: result[name]
        for kind, result in results.items()
        for name in names
    }


def mirrored_pairs(count: int):
    """Which keypoints change places in a mirror, ((right, left), ...).

    Args:
        count: of keypoints: 14 are those of Leeds Sports Poses, 16 of MPII, 17 of COCO.

    Raises:
        ValueError: nobody knows for another number.
    """
    if count not in SKELETONS:
        known = ", ".join(str(number) for number in SKELETONS)
        raise ValueError(
            f"which of {count} keypoints are left and right is not known, only of "
            f"{known}: train without --flip"
        )
    names = SKELETONS[count].names
    return tuple(
        (place, names.index(name.replace("right", "left")))
        for place, name in enumerate(names)
        if name.startswith("right")
    )


def _proposals(boxes, scores, found):
    """int32 (batch, m): the proposal with a detection's box and score in its class."""
    kinds = ops.maximum(found["classes"], 0)[:, None, :, None]
    own = ops.concatenate([boxes, scores[..., None]], axis=-1)
    own = ops.take_along_axis(own, kinds, axis=2)  # (batch, n, m, 5)
    wanted = (found["boxes"], found["scores"][..., None])
    wanted = ops.concatenate(wanted, axis=-1)
    same = ops.all(own == wanted[:, None], axis=-1)
    places = ops.cast(ops.argmax(ops.cast(same, "int32"), axis=1), "int32")
    return ops.where(found["classes"] >= 0, places, -1)


def _take(values, places):
    """Rows of (batch, n, ...) at int (batch, m); 0 where a place is -1."""
    number, shape = values.shape[1], values.shape[2:]
    # Whole rows: an index for each of their numbers would take most of the time.
    first = number * ops.arange(ops.shape(values)[0], dtype="int32")[:, None]
    rows = first + ops.maximum(places, 0)
    taken = ops.take(ops.reshape(values, (-1, *shape)), rows, axis=0)
    there = ops.reshape(places >= 0, (-1, places.shape[1], *[1] * len(shape)))
    return ops.where(there, taken, ops.zeros_like(taken))


def _weights(low, high, side, bins):
    """Pixels of a side within an interval, and what each bin is to their middles."""
    first = int(np.clip(np.ceil(low - 0.5), 0, side))
    last = int(np.clip(np.ceil(high - 0.5), first, side))
    middles = np.arange(first, last) + 0.5
    places = (middles - low) / max(high - low, 1e-6) * bins - 0.5
    places = np.clip(places, 0, bins - 1)
    distances = np.abs(places[:, None] - np.arange(bins))
    return slice(first, last), np.maximum(1 - distances, 0)
