"""Warped regions of a detection set, labelled and drawn by lot, for R-CNN.

Paper: R. Girshick et al., "Rich feature hierarchies for accurate object detection and
semantic segmentation", 2014, section 2.3, https://arxiv.org/abs/1311.2524

Differs from the paper: of the positive regions an object is drawn first, then one of
its regions, so that small objects, which few proposals reach, are not forgotten.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from kcv.boxes.iou import pairwise_iou
from kcv.classic.warp import CONTEXT, warp
from kcv.train.rcnn_examples import Examples

POSITIVE_FROM = 0.5  # IoU, in fine-tuning
BACKGROUND, IGNORED = -1, -2


class Windows(NamedTuple):
    """Boxes of all images with what fine-tuning says they are.

    Parameters:
        boxes: float32 (n, 4), x1, y1, x2, y2 in pixels.
        images: int32 (n,), the image of each.
        labels: int32 (n,), a class, BACKGROUND or IGNORED.
        objects: int32 (n,), numbers of the objects of positive ones, else -1.
    """

    boxes: np.ndarray
    images: np.ndarray
    labels: np.ndarray
    objects: np.ndarray


def windows(examples: Examples, proposals) -> Windows:
    """Labels the objects themselves and the proposals of all images.

    A box with an IoU of 0.5 or more with an object has the class of the object that it
    overlaps most; with a crowd, it is ignored; with none, it is background.

    Args:
        examples: of a split.
        proposals: list of float (n, 4), one of each image.
    """
    found, count = [], 0
    for index, (boxes, classes, crowd) in enumerate(zip(*examples[1:4])):
        both = np.concatenate([boxes, proposals[index]]).astype("float32")
        labels = np.full(len(both), BACKGROUND, "int32")
        objects = np.full(len(both), -1, "int32")
        if len(boxes):
            overlaps = np.asarray(pairwise_iou(both, boxes))
            best = overlaps.argmax(axis=1)
            over = overlaps.max(axis=1) >= POSITIVE_FROM
            labels[over] = np.where(crowd, IGNORED, classes)[best[over]]
            objects[labels >= 0] = count + best[labels >= 0]
        found.append((both, np.full(len(both), index, "int32"), labels, objects))
        count += len(boxes)
    return Windows(*map(np.concatenate, zip(*found)))


def num_steps(found: Windows, batch_size: int, positive_share: float) -> int:
    """Batches of an epoch: as many positive regions as there are objects, or one."""
    objects = len(np.unique(found.objects[found.objects >= 0]))
    return max(1, int(np.ceil(objects / max(1, batch_size * positive_share))))


class Lot:
    """Draws windows by lot.

    Args:
        found: of `windows`.

    Raises:
        ValueError: there is neither an object nor background.
    """

    def __init__(self, found: Windows):
        self._background = np.flatnonzero(found.labels == BACKGROUND)
        positive = np.flatnonzero(found.labels >= 0)
        order = np.argsort(found.objects[positive], kind="stable")
        self._regions = positive[order]  # object by object
        _, self._first, self._counts = np.unique(
            found.objects[self._regions], return_index=True, return_counts=True
        )
        if not len(self._background) and not len(self._regions):
            raise ValueError("no image has a region to learn from: give more proposals")

    def draw(self, count: int, positives: int, random) -> np.ndarray:
        """Draws places of windows, positive ones first.

        Args:
            count: how many.
            positives: how many of them are of objects; none where there are none, all
                where there is no background.
            random: numpy.random.Generator.

        Returns:
            int (count,).
        """
        if not len(self._background):
            positives = count
        if not len(self._regions):
            positives = 0
        chosen = [self._background[:0]]
        if positives:
            objects = random.integers(len(self._first), size=positives)
            at = (random.random(positives) * self._counts[objects]).astype(int)
            chosen.append(self._regions[self._first[objects] + at])
        if count > positives:
            at = random.integers(len(self._background), size=count - positives)
            chosen.append(self._background[at])
        return np.concatenate(chosen)


def normalised(regions, pixel_range) -> np.ndarray:
    """uint8 regions as float32 in `pixel_range` (low, high)."""
    low, high = pixel_range
    return np.float32(low) + regions * np.float32((high - low) / 255)


def drawn(lot, index, sizes, seed, epoch, replicas):
    """The share of one replica in the lot of one step.

    Args:
        lot: Lot.
        index: of the replica's batch: step * replicas of this worker + replica.
        sizes: (regions, regions with an object) of a global batch.
        seed: as for `batches`.
        epoch: likewise.
        replicas: likewise.

    Returns:
        int (b,), places of regions, and bool (b,), which are to be mirrored.
    """
    first, count, total = replicas
    step, replica = divmod(int(index), count)
    random = np.random.default_rng([seed, 0 if epoch is None else epoch + 1, step])
    places = lot.draw(*sizes, random)
    mirrored = random.random(sizes[0]) < 0.5
    rows = slice(first + replica, None, total)
    return places[rows], mirrored[rows]


def batches(
    examples: Examples,
    found: Windows,
    batch_size: int,
    image_shape,
    pixel_range,
    *,
    positive_share: float = 0.25,
    context: float = CONTEXT,
    flip: bool = False,
    seed: int = 0,
    epoch: int | None = None,
    start_step: int = 0,
    replicas=(0, 1, 1),
):
    """Makes the batches of an epoch of fine-tuning; see `kcv.data.batches`.

    Args:
        examples: of a split.
        found: its windows.
        batch_size: regions in a global batch.
        image_shape: (height, width, 3) of a region.
        pixel_range: values of black and white.
        positive_share: of a batch; 32 of 128 in the paper.
        context: as for `kcv.classic.warp`.
        flip: mirror half of the regions left to right.
        seed: of the lot.
        epoch: number of the epoch from 0; None draws the same regions whenever it is
            asked, and mirrors none.
        start_step: first batch.
        replicas: (first, count, total), see `kcv.data.pipeline.batches`.

    Returns:
        `tf.data.Dataset` of {"images": float32 (b, h, w, 3), "labels": int32 (b,)}, 0
        for the background and 1 + class for objects.
    """
    positives = max(1, round(batch_size * positive_share))
    steps = num_steps(found, batch_size, positive_share)
    count = replicas[1]
    lot = Lot(found)

    def make(index):
        places, mirrored = drawn(
            lot, index, (batch_size, positives), seed, epoch, replicas
        )
        regions = np.concatenate([
            warp(
                examples.images[found.images[i]],
                found.boxes[i], image_shape[:2], context,
            )
            for i in places
        ])  # fmt: skip
        if flip and epoch is not None:
            regions[mirrored] = regions[mirrored, :, ::-1]
        labels = np.maximum(found.labels[places] + 1, 0).astype("int32")
        return normalised(regions, pixel_range), labels

    def element(index):
        images, labels = tf.numpy_function(make, [index], [tf.float32, tf.int32])
        images.set_shape((None, *image_shape))
        labels.set_shape((None,))
        return {"images": images, "labels": labels}

    data = tf.data.Dataset.range(start_step * count, steps * count)
    data = data.map(element, num_parallel_calls=2, deterministic=True)
    return data.prefetch(4)
