"""COCOeval of pycocotools on one class, from columns and without its prints."""

import contextlib
import copy
import io

import numpy as np
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval


def evaluate(kind, params, truths, found):
    """Precision and recall of one class.

    Args:
        kind: COCOeval's: "bbox", "segm" or "keypoints".
        params: COCOeval's.
        truths: dict of columns with one row an object: "images", int; what the kind
            needs of "boxes" as x, y, width, height, "masks" as run lengths (a list) and
            "keypoints" (n, k, 3); "crowd", bool; "areas".
        found: likewise of detections, with "scores" instead of "crowd" and "areas".

    Returns:
        precision (thresholds, recalls, 1, areas, most detections) and recall without
        the second axis, as in COCOeval; -1 where there are no objects that count.
    """
    if not len(truths["images"]):
        counts = [len(params.iouThrs), 1, len(params.areaRng), len(params.maxDets)]
        precision = [counts[0], len(params.recThrs), *counts[1:]]
        return np.full(precision, -1.0), np.full(counts, -1.0)
    images = _images(truths, found)
    with contextlib.redirect_stdout(io.StringIO()):
        objects = _coco(images, _truths(truths))
        detections = _coco(images, _detections(kind, found))
        evaluation = COCOeval(objects, detections, kind)
        ids = evaluation.params.imgIds, evaluation.params.catIds
        evaluation.params = copy.copy(params)
        evaluation.params.imgIds, evaluation.params.catIds = ids
        evaluation.evaluate()
        evaluation.accumulate()
    return evaluation.eval["precision"], evaluation.eval["recall"]


def _images(*sides):
    """The images that the class is in; only masks need their sizes."""
    images = {}
    for side in sides:
        numbers = side["images"].tolist()
        sizes = [mask["size"] for mask in side["masks"]] if "masks" in side else None
        for number, (height, width) in zip(numbers, sizes or [(0, 0)] * len(numbers)):
            images[number] = {"id": number, "height": height, "width": width}
    return list(images.values())


def _coco(images, annotations):
    """A data set in memory, of one category."""
    coco = COCO()
    coco.dataset = {
        "images": images,
        "categories": [{"id": 1}],
        "annotations": annotations,
    }
    coco.createIndex()
    return coco


def _entries(side):
    """Annotations with what truths and detections have in common."""
    # COCOeval keeps the id of the match, and 0 for none: ids start with 1.
    entries = [
        {"id": index, "image_id": image, "category_id": 1}
        for index, image in enumerate(side["images"].tolist(), start=1)
    ]
    names = {"boxes": "bbox", "masks": "segmentation", "keypoints": "keypoints"}
    for key in names.keys() & side.keys():
        values = side[key]
        if key != "masks":
            values = values.reshape(len(values), int(np.prod(values.shape[1:])))
            values = values.tolist()
        for entry, value in zip(entries, values):
            entry[names[key]] = value
    return entries


def _truths(side):
    entries = _entries(side)
    crowd, areas = side["crowd"].astype(int).tolist(), side["areas"].tolist()
    for entry, one, area in zip(entries, crowd, areas):
        entry.update(iscrowd=one, area=area)
    if "keypoints" in side:
        seen = (side["keypoints"][:, :, 2] > 0).sum(axis=1).tolist()
        for entry, count in zip(entries, seen):
            entry["num_keypoints"] = count
    return entries


def _detections(kind, side):
    if kind == "segm":
        areas = [float(coco_mask.area(mask)) for mask in side["masks"]]
    elif kind == "bbox":
        areas = side["boxes"][:, 2:].prod(axis=1).tolist()
    else:  # the box around all keypoints, as COCO.loadRes has it
        areas = np.ptp(side["keypoints"][:, :, :2], axis=1).prod(axis=1).tolist()
    entries = _entries(side)
    for entry, score, area in zip(entries, side["scores"].tolist(), areas):
        entry.update(score=score, area=area)
    return entries
