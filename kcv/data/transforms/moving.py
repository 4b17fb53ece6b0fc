"""Moves the pixels of one sample and everything that is true of them.

A sample is {key: (s, ...)}: one picture, or the four of a mosaic.
"""

import tensorflow as tf

from kcv.data.transforms import boxes, geometry, warp

IMAGES = ("images", "next_images", "frames")
IGNORE = 255  # of a semantic label map
LARGEST_STEP = 1.05  # depths whose ratio is more are not mixed


def move_sample(knobs, sample, to_out, out_size, canvas=None):
    """Applies one matrix to a sample.

    Boxes follow their corners; with masks, a box of what was turned or cut is the one
    around its mask. What shows less than `min_visible` of itself is dropped.

    Args:
        knobs: `Transforms`.
        sample: {key: (s, ...)}, see `kcv.data.transforms.transforms`.
        to_out: float64 (3, 3), from the picture or canvas to the output.
        out_size: (height, width) of the output.
        canvas: None, or `mosaic.Canvas`, where the s pictures lie.

    Returns:
        {key: (...)}, one picture; images are float32 and not rounded.
    """
    to_in = geometry.invert(to_out)
    where = warp.sources(to_in, out_size, canvas and canvas.origin)
    each_to_out = to_out[None] if canvas is None else to_out @ canvas.places
    moved = {}
    for key in IMAGES:
        if key in sample:
            moved[key] = _images(knobs, sample[key], where)
    if "semantic" in sample:
        moved["semantic"] = warp.nearest(sample["semantic"], where, IGNORE)
    if "depth" in sample:
        depth = warp.smooth(sample["depth"], where, _alike)
        if knobs.zoom_depth:
            depth /= tf.cast(geometry.magnification(to_out), tf.float32)
        moved["depth"] = depth
    moved |= _flow(sample, where, each_to_out, out_size)
    moved |= move_objects(knobs, sample, where, each_to_out, out_size, canvas)
    return moved


def _alike(low, high):
    return high <= LARGEST_STEP * low


def _images(knobs, stack, where):
    if len(stack.shape) == 4:
        return warp.images(stack, where, knobs.fill, knobs.fill_value)
    frames = [  # of a clip
        warp.images(stack[:, t], where, knobs.fill, knobs.fill_value)
        for t in range(stack.shape[1])
    ]
    return tf.stack(frames)


def _flow(sample, where, to_out, out_size):
    """Flow there and back, and which of it is known and seen."""
    moved = {}
    if "flow_backward" in sample:
        moved["flow_backward"] = warp.flow(sample["flow_backward"], where, to_out)
    if "flow" not in sample:
        return moved
    valid = sample.get("flow_valid")
    if valid is None:
        valid = tf.ones((*sample["flow"].shape[:-1], 1), tf.uint8)
    moved["flow"] = warp.flow(sample["flow"], where, to_out, valid)
    moved["flow_valid"] = warp.nearest(valid, where)
    if "occlusion" in sample:
        occlusion = warp.nearest(sample["occlusion"], where)
        end = warp.pixel_centres(out_size) + tf.cast(moved["flow"], tf.float64)
        limit = tf.constant(out_size[::-1], tf.float64)
        leaves = tf.reduce_any((end < 0) | (end >= limit), axis=-1, keepdims=True)
        leaves &= moved["flow_valid"] > 0
        moved["occlusion"] = tf.where(leaves, tf.cast(1, tf.uint8), occlusion)
    return moved


def move_objects(knobs, sample, where, to_out, out_size, canvas):
    """Moves boxes, masks and keypoints; empties the slots of what is gone.

    Args:
        knobs: `Transforms`.
        sample: {key: (s, ...)}.
        where: From `warp.sources`.
        to_out: float64 (s, 3, 3), of each picture to the output.
        out_size: (height, width) of the output.
        canvas: None, or `mosaic.Canvas`.

    Returns:
        {key: (n, ...)}, or (s * n, ...) with a canvas.
    """
    objects = {key: sample[key] for key in boxes.KEYS if key in sample}
    if not objects:
        return {}
    frame = tf.constant([0, 0, out_size[1], out_size[0]], tf.float64)
    share = None
    if "masks" in objects:
        share = visible_share(objects["masks"], to_out, frame, canvas)
        objects["masks"] = warp.masks(objects["masks"], where)
    if "boxes" in objects:
        given = tf.cast(objects["boxes"], tf.float64)
        if canvas is not None:
            given = boxes.clip_boxes(given, canvas.visible[:, None])
        full = boxes.move_boxes(to_out, given)
        cut = boxes.clip_boxes(full, frame)
        of_boxes = _ratio(boxes.areas(cut), boxes.areas(full))
        of_boxes *= _ratio(boxes.areas(given), boxes.areas(objects["boxes"]))
        moved = tf.cast(cut, tf.float32)
        if "masks" in objects:
            moved, share = _with_masks(knobs, objects["masks"], moved, share, of_boxes)
        else:
            share = of_boxes
        objects["boxes"] = moved
    if "keypoints" in objects:
        seen = True
        if canvas is not None:
            seen = canvas.shows(objects["keypoints"][..., :2])
        objects["keypoints"] = boxes.move_keypoints(
            to_out, objects["keypoints"], seen, out_size, knobs.keypoint_pairs
        )
    if share is not None:
        objects = boxes.drop(objects, (share > 0) & (share >= knobs.min_visible))
    return {
        key: tf.reshape(value, (-1, *value.shape[2:])) for key, value in objects.items()
    }


def visible_share(masks, to_out, frame, canvas=None):
    """Returns how much of each mask's pixels stay in the frame.

    Args:
        masks: uint8 (s, n, h, w), before anything moved.
        to_out: float64 (s, 3, 3).
        frame: (4,), x1, y1, x2, y2 of the output.
        canvas: None, or `mosaic.Canvas`.

    Returns:
        float64 (s, n), -1 for a mask that was empty.
    """
    size = masks.shape[-2:]
    points = tf.reshape(warp.pixel_centres(size), (1, -1, 2))
    points = tf.repeat(points, to_out.shape[0], axis=0)
    end = geometry.move(to_out, points)
    stays = tf.reduce_all((end >= frame[:2]) & (end < frame[2:]), axis=-1)
    if canvas is not None:
        visible = canvas.visible[:, None]
        stays &= tf.reduce_all(
            (points >= visible[..., :2]) & (points < visible[..., 2:]), axis=-1
        )
    stays = tf.reshape(tf.cast(stays, masks.dtype), (-1, 1, *size))
    before, after = (
        tf.reduce_sum(tf.cast(kept, tf.float32), axis=[-2, -1])
        for kept in (masks, masks * stays)
    )
    return tf.where(before > 0, _ratio(after, before), -1)


def _with_masks(knobs, masks, moved, share, of_boxes):
    """Takes the mask's box for what was turned or cut, if there is a mask."""
    around = boxes.boxes_of_masks(masks)
    has_mask = share >= 0
    share = tf.where(boxes.areas(around) > 0, share, 0)
    redraw = has_mask
    if not knobs.turns:  # the moved corners are exact, finer than a pixel
        redraw &= of_boxes < 1
    moved = tf.where(redraw[..., None], around, moved)
    return moved, tf.where(has_mask, share, of_boxes)


def _ratio(part, whole):
    part = tf.cast(part, tf.float64)
    whole = tf.cast(whole, tf.float64)
    return tf.where(whole > 0, part / tf.where(whole > 0, whole, 1), 0)
