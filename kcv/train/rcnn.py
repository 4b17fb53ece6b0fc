"""What R-CNN finds in images: a network run on every warped proposal, then suppression.

Paper: R. Girshick et al., "Rich feature hierarchies for accurate object detection and
semantic segmentation", 2014, section 2.2, https://arxiv.org/abs/1311.2524
"""

import numpy as np

from kcv.boxes import coding
from kcv.boxes.formats import clip
from kcv.boxes.nms import detections
from kcv.classic.warp import CONTEXT, warp
from kcv.train.rcnn_regions import normalised

NMS_IOU = 0.3  # of two detections of a class, as in the authors' code
LEAST_SCORE = -1.0  # of a detection: the far side of the margin
CANDIDATES = 500  # pairs of a region and a class that suppression compares
REGIONS = 256  # that the network sees at a time


def answers(predict, images, proposals, image_shape, pixel_range, context=CONTEXT):
    """Yields what a network says of the regions of one image after the other.

    Args:
        predict: a keras.Model or another function from regions, float32 (b, h, w, 3),
            to {name: (b, ...)}.
        images: list of uint8 (h, w, 3).
        proposals: list of float (n, 4), x1, y1, x2, y2 in pixels of the image.
        image_shape: (height, width, 3) of a region.
        pixel_range: values of black and white.
        context: as for `kcv.classic.warp`.

    Yields:
        {name: (n, ...)} of an image.
    """
    # One shape of batch for all images, so that its graph is traced once.
    size = min(max([1, *map(len, proposals)]), REGIONS)
    for image, boxes in zip(images, proposals):
        regions = warp(image, boxes, image_shape[:2], context)
        parts = []
        for start in range(0, max(len(regions), 1), size):
            part = normalised(regions[start : start + size], pixel_range)
            padding = np.zeros((size - len(part), *image_shape), "float32")
            found = predict(np.concatenate([part, padding]))
            parts.append({k: np.asarray(v)[: len(part)] for k, v in found.items()})
        yield {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}


def detect(
    predict, images, proposals, image_shape, pixel_range=(-1.0, 1.0), context=CONTEXT,
    output_size=100,
):  # fmt: skip
    """Yields the detections of one image after the other.

    Args:
        predict: the model of `kcv.models.detection.rcnn`, or a function likewise.
        images: list of uint8 (h, w, 3).
        proposals: list of float (n, 4), x1, y1, x2, y2 in pixels of the image.
        image_shape: (height, width, 3) of a region.
        pixel_range: values of black and white.
        context: as for `kcv.classic.warp`.
        output_size: the most detections of an image.

    Yields:
        (boxes float32 (m, 4) in pixels of the image, scores float32 (m,), classes int32
        (m,)), by falling score; scores are those of the machines.
    """
    found = answers(predict, images, proposals, image_shape, pixel_range, context)
    for image, boxes, values in zip(images, proposals, found):
        yield decode(values, boxes, image.shape[:2], output_size)


def decode(values, proposals, image_size, output_size=100):
    """From what the network says of an image's regions to detections.

    Args:
        values: {"scores": (n, classes), "offsets": (n, classes, 4)}.
        proposals: float (n, 4), x1, y1, x2, y2 in pixels.
        image_size: (height, width).
        output_size: the most detections.

    Returns:
        (boxes, scores, classes) as of `detect`.
    """
    if not len(proposals):
        empty = np.zeros(0, "float32")
        return empty.reshape(0, 4), empty, empty.astype("int32")
    anchors = np.float32(proposals)[:, None]
    boxes = clip(coding.decode(values["offsets"], anchors), image_size)
    # A detection with score 0 is none of the empty places, whose class is -1.
    kept = detections(
        boxes[None], np.float32(values["scores"])[None], NMS_IOU, LEAST_SCORE,
        output_size, CANDIDATES,
    )  # fmt: skip
    kept = {name: np.asarray(value)[0] for name, value in kept.items()}
    count = int(kept["count"])
    return tuple(kept[name][:count] for name in ("boxes", "scores", "classes"))
