"""What becomes of boxes, masks and keypoints when pixels move or are hidden.

Boxes are (x1, y1, x2, y2) in continuous pixels. A slot that loses its object becomes
padding: class -1 and zeros elsewhere.
"""

import tensorflow as tf

from kcv.data.transforms import geometry

KEYS = ("boxes", "classes", "crowd", "masks", "keypoints")


def move_boxes(matrix, boxes):
    """Returns the boxes around the moved corners, float64 (..., n, 4).

    Args:
        matrix: float64 (..., 3, 3).
        boxes: float32 (..., n, 4).
    """
    x1, y1, x2, y2 = tf.unstack(tf.cast(boxes, tf.float64), axis=-1)
    corners = tf.stack([x1, y1, x2, y1, x1, y2, x2, y2], axis=-1)
    *lead, count, _ = corners.shape
    corners = geometry.move(matrix, tf.reshape(corners, (*lead, count * 4, 2)))
    corners = tf.reshape(corners, (*lead, count, 4, 2))
    return tf.concat(
        [tf.reduce_min(corners, axis=-2), tf.reduce_max(corners, axis=-2)], axis=-1
    )


def clip_boxes(boxes, frame):
    """Cuts boxes (..., 4) at a frame (..., 4), both x1, y1, x2, y2."""
    frame = tf.cast(frame, boxes.dtype)
    low, high = frame[..., :2], frame[..., 2:]
    parts = [boxes[..., :2], boxes[..., 2:]]
    return tf.concat([tf.minimum(tf.maximum(p, low), high) for p in parts], axis=-1)


def areas(boxes):
    """Returns the areas of (..., 4), in square pixels."""
    return (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])


def boxes_of_masks(masks):
    """Returns the boxes around masks.

    Args:
        masks: uint8 (..., n, h, w).

    Returns:
        float32 (..., n, 4); zeros for an empty mask.
    """
    boxes = []
    for axis in (-2, -1):  # which columns, then which rows, have a pixel
        line = tf.cast(tf.reduce_max(masks, axis=axis), tf.float32)
        size = line.shape[-1]
        place = tf.range(size, dtype=tf.float32)
        boxes.append(tf.reduce_min(tf.where(line > 0, place, size), axis=-1))
        boxes.append(tf.reduce_max(tf.where(line > 0, place + 1, 0.0), axis=-1))
    boxes = tf.stack([boxes[0], boxes[2], boxes[1], boxes[3]], axis=-1)
    return tf.where(boxes[..., 2:3] > 0, boxes, 0.0)


def move_keypoints(matrix, keypoints, frame, out_size, pairs=()):
    """Moves keypoints.

    Args:
        matrix: float64 (s, 3, 3).
        keypoints: float32 (s, n, k, 3).
        frame: float64 (s, n or 1, k or 1) bool of those that may be seen, or True.
        out_size: (height, width) of the output.
        pairs: ((left, right), ...) indices of keypoints that a mirror exchanges.

    Returns:
        float32 (s, n, k, 3); zeros for what is outside or was not labelled.
    """
    *lead, count, number, _ = keypoints.shape
    points = tf.reshape(keypoints[..., :2], (*lead, count * number, 2))
    points = tf.reshape(geometry.move(matrix, points), (*lead, count, number, 2))
    points = tf.cast(points, tf.float32)
    x, y = points[..., 0], points[..., 1]
    height, width = out_size
    seen = (x >= 0) & (x < width) & (y >= 0) & (y < height) & frame
    seen &= keypoints[..., 2] > 0
    moved = tf.concat([points, keypoints[..., 2:]], axis=-1)
    moved = tf.where(seen[..., None], moved, 0.0)
    if not pairs:
        return moved
    mirrored = geometry.determinant(matrix) < 0
    swapped = tf.gather(moved, exchange(pairs, number), axis=-2)
    return tf.where(mirrored[:, None, None, None], swapped, moved)


def exchange(pairs, count):
    """Returns the order of `count` keypoints after pairs have changed places."""
    order = list(range(count))
    for left, right in pairs:
        order[left], order[right] = right, left
    return order


def drop(objects, keep):
    """Empties slots.

    Args:
        objects: {key of `KEYS`: (..., n, ...)}.
        keep: bool (n,) with the leading axes of the objects.

    Returns:
        The same keys.
    """
    empty = {}
    for key, value in objects.items():
        padding = tf.cast(-1 if key == "classes" else 0, value.dtype)
        kept = tf.reshape(
            keep, (*keep.shape, *[1] * (len(value.shape) - len(keep.shape)))
        )
        empty[key] = tf.where(kept, value, padding)
    return empty


def largest(objects, slots):
    """Keeps the `slots` objects with the largest boxes, in their order.

    Args:
        objects: {key of `KEYS`: (m, ...)}, padding among them; areas are those of the
            masks where there are no boxes.
        slots: How many to keep.

    Returns:
        The same keys, (slots, ...).
    """
    if "boxes" in objects:
        size = areas(objects["boxes"])
    elif "masks" in objects:
        size = tf.reduce_sum(tf.cast(objects["masks"], tf.float32), axis=[-2, -1])
    else:  # keypoints alone: those with most of them
        size = tf.reduce_sum(tf.sign(objects["keypoints"][..., 2]), axis=-1)
    if "classes" in objects:
        size = tf.where(objects["classes"] >= 0, size, -1.0)
    chosen = tf.sort(tf.math.top_k(size, slots).indices)
    return {key: tf.gather(value, chosen) for key, value in objects.items()}
