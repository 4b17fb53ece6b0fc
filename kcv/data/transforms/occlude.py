"""Hides a part of a sample: cutout, CutMix, mixup.

Paper: T. DeVries and G. Taylor: Improved Regularization of Convolutional Neural
Networks with Cutout, 2017, https://arxiv.org/abs/1708.04552
Differs from the papers, of mixup and CutMix too (see `kcv.data.mixing`): they know one
label a picture. Here what is hidden loses it in its box, mask, label map and flow, and
objects of both pictures go on in the first one's slots.
"""

import tensorflow as tf

from kcv.data import augment as augmentation
from kcv.data import mixing
from kcv.data.transforms import boxes, warp
from kcv.data.transforms.moving import IGNORE, IMAGES

GREY = 128


def cutout(knobs, sample, random):
    """Covers a square of the picture with grey.

    Keypoints below it are still labelled, but hidden; depth becomes 0, unknown.

    Args:
        knobs: `Transforms`.
        sample: {key: (...)}, one picture. Of a flow's two, the first is covered.
        random: From `random_numbers.uniforms`, scalars.

    Returns:
        The sample; with flow it has "flow_valid".
    """
    key = "frames" if "frames" in sample else "images"
    region = augmentation.box_mask(
        sample[key].shape, random["cutout_y"], random["cutout_x"], knobs.cutout
    )
    hidden = dict(sample)
    hidden[key] = tf.where(region, tf.cast(GREY, sample[key].dtype), sample[key])
    if "semantic" in sample:
        hidden["semantic"] = tf.where(region[..., 0], IGNORE, sample["semantic"])
    if "depth" in sample:
        hidden["depth"] = tf.where(region, 0.0, sample["depth"])
    if "flow" in sample:
        valid = sample.get("flow_valid", tf.ones((*region.shape[:2], 1), tf.uint8))
        hidden["flow_valid"] = tf.where(region, tf.cast(0, tf.uint8), valid)
    return hidden | hide_objects(knobs, sample, region)


def mix(knobs, pair, random, alone):
    """Blends the first of two samples with the second by mixup, or pastes a box of it.

    Args:
        knobs: `Transforms`.
        pair: {key: (2, ...)}.
        random: From `random_numbers.uniforms`, scalars.
        alone: bool (), True leaves the first as it is.

    Returns:
        {key: (...)} with "mix" float32, the first's share of the picture, "labels_b" if
        there are labels, and after mixup "semantic_b" if there is a label map.
    """
    first, second = ({key: value[i] for key, value in pair.items()} for i in (0, 1))
    share = tf.ones((), tf.float64)
    result = dict(first)
    if "labels" in first:
        result["labels_b"] = second["labels"]
    if knobs.mixup:
        share = mixing.beta(knobs.mixup, random["mix"])
        result |= _mixup(first, second, share)
    if knobs.cutmix:
        chosen = random["mix_kind"] < (0.5 if knobs.mixup else 1.0)
        pasted, outside = _cutmix(knobs, first, second, random)
        share = tf.where(chosen, outside, share)
        for key, value in pasted.items():
            result[key] = tf.where(chosen, value, result[key])
    for key in first:
        result[key] = tf.where(alone, first[key], result[key])
    result["mix"] = tf.where(alone, 1.0, tf.cast(share, tf.float32))
    return result


def _mixup(first, second, share):
    mixed = {}
    weight = tf.cast(share, tf.float32)
    for key in IMAGES:
        if key in first:
            one, other = (tf.cast(s[key], tf.float32) for s in (first, second))
            blend = weight * one + (1 - weight) * other
            if first[key].dtype == tf.uint8:
                blend = tf.cast(tf.round(blend), tf.uint8)
            mixed[key] = blend
    if "semantic" in first:
        mixed["semantic_b"] = second["semantic"]
    return mixed | _joined([_objects(first), _objects(second)])


def _cutmix(knobs, first, second, random):
    """Returns the pasted picture and the share of the first."""
    key = "frames" if "frames" in first else "images"
    side = tf.sqrt(1 - mixing.beta(knobs.cutmix, random["mix"]))
    region = augmentation.box_mask(
        first[key].shape, random["mix_y"], random["mix_x"], side
    )
    pasted = paste(knobs, first, second, region)
    if knobs.mixup and "semantic" in first:
        pasted["semantic_b"] = pasted["semantic"]
    return pasted, 1 - tf.reduce_mean(tf.cast(region, tf.float64))


def paste(knobs, first, second, region):
    """Puts a part of a second sample over the first.

    Args:
        knobs: `Transforms`.
        first: {key: (...)}.
        second: The same keys.
        region: bool (h, w, 1), True in the rectangle where the second is seen.

    Returns:
        {key: (...)} of all that lies on the grid of pixels, and of the objects.
    """
    pasted = {}
    for key in (*IMAGES, "depth", "flow", "flow_valid", "flow_backward"):
        if key in first:
            pasted[key] = tf.where(region, second[key], first[key])
    if "semantic" in first:
        pasted["semantic"] = tf.where(
            region[..., 0], second["semantic"], first["semantic"]
        )
    if "occlusion" in first:  # what crosses the rectangle's border is lost
        occlusion = tf.where(region, second["occlusion"], first["occlusion"])
        size = region.shape[:2]
        end = warp.pixel_centres(size) + tf.cast(pasted["flow"], tf.float64) - 0.5
        x, y = tf.unstack(tf.cast(end, tf.float32), axis=-1)
        there = warp.nearest(region[None], (x, y, tf.zeros_like(x)), outside=False)
        crosses = there != region
        if "flow_valid" in pasted:
            crosses &= pasted["flow_valid"] > 0
        pasted["occlusion"] = tf.where(crosses, tf.cast(1, tf.uint8), occlusion)
    return pasted | _joined(
        [hide_objects(knobs, first, region), hide_objects(knobs, second, ~region)]
    )


def hide_objects(knobs, sample, region):
    """Takes what lies in a region from the objects.

    Args:
        knobs: `Transforms`.
        sample: {key: (...)}.
        region: bool (h, w, 1): a rectangle, or all but one.

    Returns:
        The objects; what keeps less than `min_visible` of itself is dropped. Keypoints
        in the region are labelled, but hidden.
    """
    objects = _objects(sample)
    share = None
    cover = tf.cast(region[..., 0], tf.uint8)
    if "masks" in objects:
        before = tf.reduce_sum(tf.cast(objects["masks"], tf.float32), axis=[-2, -1])
        objects["masks"] *= 1 - cover
        after = tf.reduce_sum(tf.cast(objects["masks"], tf.float32), axis=[-2, -1])
        share = tf.where(before > 0, after / tf.maximum(before, 1), -1)
    if "boxes" in objects:
        left, of_boxes = _cut_boxes(objects["boxes"], cover)
        if share is None:
            share = of_boxes
        else:
            around = boxes.boxes_of_masks(objects["masks"])
            # An untouched mask keeps its box, which may be finer than a pixel.
            around = tf.where((share < 1)[:, None], around, objects["boxes"])
            left = tf.where((share >= 0)[:, None], around, left)
            share = tf.where(share >= 0, share, of_boxes)
        objects["boxes"] = left
    if "keypoints" in objects:
        points = objects["keypoints"]
        x, y = points[..., 0] - 0.5, points[..., 1] - 0.5
        under = warp.nearest(cover[None], (x, y, tf.zeros_like(x)))
        seen = tf.where(under > 0, tf.minimum(points[..., 2], 1), points[..., 2])
        objects["keypoints"] = tf.concat([points[..., :2], seen[..., None]], axis=-1)
    if share is not None:
        objects = boxes.drop(objects, (share > 0) & (share >= knobs.min_visible))
    return objects


def _cut_boxes(given, cover):
    """Returns the boxes around what is left, and the share of their area."""
    height, width = cover.shape
    x1, y1, x2, y2 = tf.unstack(given, axis=-1)
    # Whole columns and rows of a box that are hidden go; pixels count by their part.
    column, row = tf.range(width, dtype=tf.float32), tf.range(height, dtype=tf.float32)
    wide = _overlap(x1, x2, column)  # (n, w)
    high = _overlap(y1, y2, row)  # (n, h)
    open_ = 1 - tf.cast(cover, tf.float32)
    in_columns = tf.matmul(high, open_) * wide  # (n, w) open area
    in_rows = tf.matmul(wide, open_, transpose_b=True) * high
    shares = tf.reduce_sum(in_columns, axis=-1) / tf.maximum(
        (x2 - x1) * (y2 - y1), 1e-6
    )
    low_x, high_x = _extent(in_columns, column)
    low_y, high_y = _extent(in_rows, row)
    left = tf.stack(
        [
            tf.maximum(x1, low_x),
            tf.maximum(y1, low_y),
            tf.minimum(x2, high_x),
            tf.minimum(y2, high_y),
        ],
        axis=-1,
    )
    return tf.where((shares > 0)[:, None], left, 0.0), shares


def _overlap(low, high, place):
    """Length of each pixel [place, place + 1) that lies within [low, high]."""
    start = tf.maximum(low[:, None], place)
    return tf.maximum(tf.minimum(high[:, None], place + 1) - start, 0)


def _extent(area, place):
    first = tf.reduce_min(tf.where(area > 0, place, 1e6), axis=-1)
    return first, tf.reduce_max(tf.where(area > 0, place + 1, -1e6), axis=-1)


def _objects(sample):
    return {key: sample[key] for key in boxes.KEYS if key in sample}


def _joined(parts):
    """Objects of two samples in the slots of one: the largest stay."""
    if not parts[0]:
        return {}
    slots = next(iter(parts[0].values())).shape[0]
    both = {key: tf.concat([p[key] for p in parts], axis=0) for key in parts[0]}
    return boxes.largest(both, slots)
