"""What SDS learns and what it finds in images: masks of objects, each with a class.

Paper: B. Hariharan et al., "Simultaneous Detection and Segmentation", 2014, sections
3.3 and 3.4, https://arxiv.org/abs/1407.1808

Differs from the paper: of two detections of a class the lower one is dropped from an
overlap of 0.3 of their regions, not from one pixel on.
"""

from typing import NamedTuple

import numpy as np
from keras import ops

from kcv.classic import refinement, segments
from kcv.classic.region_crops import region_crops
from kcv.losses.instance import mask_loss
from kcv.train.rcnn_regions import normalised

NMS_IOU = 0.3  # of the pixels of two detections of a class
LEAST_SCORE = 0.02  # probability of a detection
CANDIDATES = 300  # pairs of a region and a class that suppression compares
MOST = 100  # detections of an image
REGIONS = 128  # that the network sees at a time


class Found(NamedTuple):
    """Detections of an image, by falling score.

    Parameters:
        places: int (k,), of the proposals.
        scores: float32 (k,), probabilities.
        classes: int32 (k,).
        coarse: float32 (k, grid, grid), 0..1, the coarse masks of these classes.
    """

    places: np.ndarray
    scores: np.ndarray
    classes: np.ndarray
    coarse: np.ndarray


def sds_losses():
    """Makes the `losses(model, batch, training)` of `sds`, for `loop.train`."""

    def losses(model, batch, training):
        outputs = model({name: batch[name] for name in model.input}, training=training)
        labels = batch["labels"]
        wrong = ops.sparse_categorical_crossentropy(
            labels, outputs["scores"], from_logits=True
        )
        # A region is an image's only one.
        parts = (batch["mask_classes"], batch["mask_targets"], outputs["masks"])
        of_masks = mask_loss(*(ops.expand_dims(x, 1) for x in parts))
        best = ops.cast(ops.argmax(outputs["scores"], axis=-1), labels.dtype)
        right = ops.cast(best == labels, "float32")
        return {"class_loss": wrong, "mask_loss": of_masks}, {"accuracy": right}

    return losses


def answers(predict, images, proposals, image_shape, pixel_range, grid, context):
    """Yields what a network says of the regions of one image after the other.

    Args:
        predict: the model of `sds`, or a function likewise, from dict to dict.
        images: list of uint8 (h, w, 3).
        proposals: list of Segments.
        image_shape: (height, width, 3) of a region.
        pixel_range: values of black and white.
        grid: cells along each side of a coarse mask.
        context: as for `kcv.classic.warp`.

    Yields:
        {name: (n, ...)} of an image.
    """
    # One shape of batch for all images, so that its graph is traced once.
    size = min(max([1, *map(len, proposals)]), REGIONS)
    for image, found in zip(images, proposals):
        pictures, regions, grids = region_crops(
            image, found, image_shape[:2], grid, context
        )
        pictures, regions = (normalised(x, pixel_range) for x in (pictures, regions))
        inputs = {"images": pictures, "regions": regions, "grids": grids}
        parts = []
        for start in range(0, max(len(found), 1), size):
            part = {
                k: _filled(v[start : start + size], size) for k, v in inputs.items()
            }
            count = min(size, len(found) - start)
            said = predict(part)
            parts.append({k: np.asarray(v)[:count] for k, v in said.items()})
        yield {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}


def decode(values, proposals, image_size, least=LEAST_SCORE) -> Found:
    """From what the network says of an image's regions to detections.

    Args:
        values: {"scores": (n, 1 + classes), "masks": (n, grid, grid, classes)}, logits.
        proposals: Segments of n regions.
        image_size: (height, width).
        least: probability from which something is a detection.
    """
    shares = np.asarray(ops.softmax(np.float32(values["scores"])))[:, 1:]
    pairs = np.argsort(-shares, axis=None, kind="stable")[:CANDIDATES]
    pairs = pairs[shares.ravel()[pairs] >= least]
    places, classes = np.divmod(pairs, shares.shape[1])
    masks = segments.whole(proposals[places], image_size)
    overlaps = segments.mask_iou(masks, masks) * (classes[:, None] == classes)
    kept = np.flatnonzero(~segments.suppressed(overlaps, NMS_IOU))[:MOST]
    places, classes = places[kept], classes[kept].astype("int32")
    logits = np.float32(values["masks"])[places, ..., classes]
    coarse = 1 / (1 + np.exp(-np.clip(logits, -50, 50)))
    return Found(places, shares[places, classes], classes, coarse)


def refined_masks(found: Found, proposals, image, weights) -> np.ndarray:
    """Masks of detections by superpixels, bool (k, height, width).

    Args:
        found: of `decode`.
        proposals: Segments of the image.
        image: uint8 (h, w, 3).
        weights: of `refinement.learned`.
    """
    labels, own = refinement.superpixels(image), proposals[found.places]
    figures = _figures(found.coarse, own, labels)
    masks = [refinement.refined(each, labels, weights) for each in figures]
    return np.reshape(masks, (-1, *labels.shape)).astype(bool)


def learn_refinement(values, examples, truths, proposals):
    """Learns from a network's answers which superpixels lie in objects.

    Args:
        values: iterable of `answers`, one of each image.
        examples: `rcnn_examples.Examples`.
        truths: list of Segments, the objects.
        proposals: list of Segments.

    Returns:
        float32 (4,) of `refinement.learned`. Regions that are like an object by half of
        their pixels count.
    """
    rows = [], [], []
    for index, (said, found) in enumerate(zip(values, proposals)):
        counted = ~examples.crowd[index]
        if not len(found) or not counted.any():
            continue
        image = examples.images[index]
        own = segments.whole(truths[index], image.shape[:2])[counted]
        overlaps = segments.mask_iou(segments.whole(found, image.shape[:2]), own)
        places = np.flatnonzero(overlaps.max(axis=1) >= 0.5)
        best = overlaps[places].argmax(axis=1)
        classes = examples.classes[index][counted][best]
        logits = np.float32(said["masks"])[places, ..., classes]
        coarse = 1 / (1 + np.exp(-np.clip(logits, -50, 50)))
        labels = refinement.superpixels(image)
        for each, object_of in zip(_figures(coarse, found[places], labels), best):
            near = each.max(axis=1) > -0.5  # neither mask says anything of the others
            rows[0].append(each[near])
            rows[1].append(refinement.means(own[object_of], labels)[near])
            rows[2].append(np.bincount(labels.ravel())[near])
    if not rows[0]:
        return refinement.COARSE_ALONE
    return refinement.learned(*map(np.concatenate, rows))


def _figures(coarse, found, labels):
    """Yields the evidence of each region."""
    masks = segments.whole(found, labels.shape)
    for each, box, mask in zip(coarse, found.boxes, masks):
        shares = refinement.spread(each, box, labels.shape)
        yield refinement.evidence(shares, mask, labels)


def _filled(values, size):
    padding = np.zeros((size - len(values), *values.shape[1:]), values.dtype)
    return np.concatenate([values, padding])
