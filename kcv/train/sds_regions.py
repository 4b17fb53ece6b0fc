"""Region proposals of a detection set, labelled by their pixels, for SDS.

Paper: B. Hariharan et al., "Simultaneous Detection and Segmentation", 2014, sections
3.2 (labels of regions) and 3.4 (coarse masks), https://arxiv.org/abs/1407.1808

Differs from the paper: objects are drawn first, then one of their regions, as in
`rcnn_regions`.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from kcv.classic import segments
from kcv.classic.region_crops import coarse_target, region_crops
from kcv.classic.warp import CONTEXT
from kcv.data import objects
from kcv.train.rcnn_regions import (
    BACKGROUND,
    IGNORED,
    POSITIVE_FROM,
    Lot,
    Windows,
    drawn,
    normalised,
    num_steps,
)

REFINED_FROM = 0.7  # IoU of a region with its object, to learn a coarse mask from


class Labelled(NamedTuple):
    """The regions of all images with what training says they are.

    Parameters:
        windows: `rcnn_regions.Windows`, whose labels are by the pixels of regions.
        regions: list of Segments, one of each image: its objects, then its proposals.
        places: int32 (n,), the place of each window in its image's regions.
        owners: int32 (n,), the object of the image that it is most like; -1 where it
            is like none.
        overlaps: float32 (n,), the IoU with that object.
    """

    windows: Windows
    regions: list
    places: np.ndarray
    owners: np.ndarray
    overlaps: np.ndarray


def read_masks(name: str, split: str, seed: int = 0, **options) -> list:
    """The objects of a split as pixels, a list of Segments by image.

    Args:
        name: as for `rcnn_examples.read`.
        split: likewise.
        seed: likewise.
        **options: likewise.

    Raises:
        ValueError: the set has no masks.
    """
    source = objects.open_split(name, split, seed=seed, keys=("masks",), **options)
    rows = source.elements(None).map(lambda row: source.decode(row)["masks"])
    return [segments.from_masks(masks) for masks in rows.as_numpy_iterator()]


def labelled(examples, truths, proposals) -> Labelled:
    """Labels the objects themselves and the proposals of all images.

    As `rcnn_regions.windows`, with the IoU of pixels.

    Args:
        examples: `rcnn_examples.Examples`.
        truths: list of Segments, the objects of each image.
        proposals: list of Segments, one of each image.
    """
    found, regions, count = [], [], 0
    for index, (image, classes, crowd) in enumerate(
        zip(examples.images, examples.classes, examples.crowd)
    ):
        both = _joined(truths[index], proposals[index])
        labels = np.full(len(both), BACKGROUND, "int32")
        numbers = np.full(len(both), -1, "int32")
        owners, overlaps = numbers.copy(), np.zeros(len(both), "float32")
        if len(classes):
            size = image.shape[:2]
            own = segments.whole(truths[index], size)
            shared = segments.mask_iou(segments.whole(both, size), own)
            best, overlaps = shared.argmax(axis=1), shared.max(axis=1)
            over = overlaps >= POSITIVE_FROM
            labels[over] = np.where(crowd, IGNORED, classes)[best[over]]
            positive = labels >= 0
            numbers[positive] = count + best[positive]
            owners[positive] = best[positive]
        where = np.full(len(both), index, "int32")
        # An object of which no pixel is seen is nothing to learn from.
        labels[(both.boxes[:, 2:] <= both.boxes[:, :2]).any(axis=1)] = IGNORED
        places = np.arange(len(both), dtype="int32")
        found.append((both.boxes, where, labels, numbers, places, owners, overlaps))
        regions.append(both)
        count += len(classes)
    columns = [*map(np.concatenate, zip(*found))]
    return Labelled(Windows(*columns[:4]), regions, *columns[4:])


def batches(
    examples,
    found: Labelled,
    batch_size: int,
    image_shape,
    pixel_range,
    grid: int,
    *,
    positive_share: float = 0.25,
    context: float = CONTEXT,
    flip: bool = False,
    seed: int = 0,
    epoch: int | None = None,
    start_step: int = 0,
    replicas=(0, 1, 1),
):
    """Makes the batches of an epoch; arguments as for `rcnn_regions.batches`.

    Args:
        examples: of a split.
        found: its regions.
        batch_size: regions in a global batch.
        image_shape: (height, width, 3) of a region.
        pixel_range: values of black and white.
        grid: cells along each side of a coarse mask.
        positive_share: of a batch.
        context: as for `kcv.classic.warp`.
        flip: mirror half of the regions left to right.
        seed: of the lot.
        epoch: as for `rcnn_regions.batches`.
        start_step: likewise.
        replicas: likewise.

    Returns:
        `tf.data.Dataset` of {"images", "regions": float32 (b, h, w, 3), "grids":
        float32 (b, grid, grid), "labels": int32 (b,), 0 for the background and 1 +
        class for objects, "mask_classes": int32 (b,), likewise, 0 for regions that are
        not like their object enough, "mask_targets": float32 (b, grid, grid)}.
    """
    positives = max(1, round(batch_size * positive_share))
    steps = num_steps(found.windows, batch_size, positive_share)
    count = replicas[1]
    lot = Lot(found.windows)

    def make(index):
        places, mirrored = drawn(
            lot, index, (batch_size, positives), seed, epoch, replicas
        )
        parts = [_example(examples, found, i, image_shape, grid, context)
                 for i in places]  # fmt: skip
        pictures, regions, grids, kinds, targets = map(np.stack, zip(*parts))
        if flip and epoch is not None:
            for values in (pictures, regions, grids, targets):
                values[mirrored] = values[mirrored, :, ::-1]
        labels = np.maximum(found.windows.labels[places] + 1, 0).astype("int32")
        pictures, regions = (normalised(x, pixel_range) for x in (pictures, regions))
        return pictures, regions, grids, labels, kinds, targets

    shapes = {
        "images": (tf.float32, image_shape),
        "regions": (tf.float32, image_shape),
        "grids": (tf.float32, (grid, grid)),
        "labels": (tf.int32, ()),
        "mask_classes": (tf.int32, ()),
        "mask_targets": (tf.float32, (grid, grid)),
    }

    def element(index):
        values = tf.numpy_function(make, [index], [kind for kind, _ in shapes.values()])
        for value, (_, shape) in zip(values, shapes.values()):
            value.set_shape((None, *shape))
        return dict(zip(shapes, values))

    data = tf.data.Dataset.range(start_step * count, steps * count)
    data = data.map(element, num_parallel_calls=2, deterministic=True)
    return data.prefetch(4)


def _example(examples, found, at, image_shape, grid, context):
    """One region: pictures, its grid, and the class and target of its coarse mask."""
    image, place = found.windows.images[at], found.places[at]
    regions = found.regions[image]
    pictures = region_crops(
        examples.images[image], regions[place : place + 1], image_shape[:2], grid,
        context,
    )  # fmt: skip
    kind, target = np.int32(0), np.zeros((grid, grid), "float32")
    if found.owners[at] >= 0 and found.overlaps[at] > REFINED_FROM:
        kind = np.int32(found.windows.labels[at] + 1)
        owner = found.owners[at]  # objects stand first among the image's regions
        size = examples.images[image].shape[:2]
        mask = segments.whole(regions[owner : owner + 1], size)[0]
        target = coarse_target(mask, regions.boxes[place], grid)
    return *(x[0] for x in pictures), kind, target


def _joined(one, other):
    boxes = np.concatenate([one.boxes, other.boxes])
    return segments.Segments(boxes, [*one.bits, *other.bits])
