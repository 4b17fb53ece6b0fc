"""Formats of boxes. Arrays of NumPy and tensors go in, tensors of the backend come out.

All work on the last axis: shapes are (..., 4). `xyxy` is (x1, y1, x2, y2), `xywh` the
corner x1, y1 with width and height (COCO), `cxcywh` the centre with them, `yxyx` the
order of TensorFlow's and TFLite's own operators. Sizes are (height, width).
"""

from keras import backend, ops


def as_float(*values):
    """float32 tensors of all values, or float64 ones where all values are float64.

    Half precision, which has no 301, ends here.
    """
    names = {
        backend.standardize_dtype(getattr(value, "dtype", "float32"))
        for value in values
    }
    dtype = "float64" if names == {"float64"} else "float32"
    tensors = [ops.cast(value, dtype) for value in values]
    return tensors if len(tensors) > 1 else tensors[0]


def xyxy_to_xywh(boxes):
    """Corners to corner and size."""
    boxes = as_float(boxes)
    low, high = boxes[..., :2], boxes[..., 2:]
    return ops.concatenate([low, high - low], axis=-1)


def xywh_to_xyxy(boxes_xywh):
    """Corner and size to corners."""
    boxes = as_float(boxes_xywh)
    low, size = boxes[..., :2], boxes[..., 2:]
    return ops.concatenate([low, low + size], axis=-1)


def xyxy_to_cxcywh(boxes):
    """Corners to centre and size."""
    boxes = as_float(boxes)
    low, high = boxes[..., :2], boxes[..., 2:]
    return ops.concatenate([(low + high) / 2, high - low], axis=-1)


def cxcywh_to_xyxy(boxes_cxcywh):
    """Centre and size to corners."""
    boxes = as_float(boxes_cxcywh)
    centre, half = boxes[..., :2], boxes[..., 2:] / 2
    return ops.concatenate([centre - half, centre + half], axis=-1)


def xyxy_to_yxyx(boxes):
    """Exchanges x and y; its own inverse."""
    boxes = as_float(boxes)
    return ops.stack([boxes[..., i] for i in (1, 0, 3, 2)], axis=-1)


def scale(boxes, image_size, new_size):
    """Boxes of an image once it is resized.

    Args:
        boxes: float (..., 4), in pixels of the image.
        image_size: (height, width) of it.
        new_size: (height, width) of what it becomes.

    Returns:
        float (..., 4), in pixels of the resized image.
    """
    boxes = as_float(boxes)
    y, x = (new / old for new, old in zip(new_size, image_size))
    return boxes * ops.convert_to_tensor([x, y, x, y], boxes.dtype)


def pixels_to_normalised(boxes, image_size):
    """Pixels to shares of the image's sides (height, width): 0..1 inside of it."""
    return scale(boxes, image_size, (1, 1))


def normalised_to_pixels(boxes_normalised, image_size):
    """Shares of the image's sides (height, width) to pixels."""
    return scale(boxes_normalised, (1, 1), image_size)


def clip(boxes, image_size):
    """Cuts boxes off at the image's border; one wholly outside keeps no area.

    Args:
        boxes: float (..., 4), in pixels.
        image_size: (height, width).

    Returns:
        float (..., 4).
    """
    boxes = as_float(boxes)
    height, width = image_size
    sides = ops.convert_to_tensor([width, height, width, height], boxes.dtype)
    return ops.minimum(ops.maximum(boxes, 0), sides)


def areas(boxes):
    """Areas (...,) of boxes (..., 4); 0 for one with x2 < x1 or y2 < y1."""
    boxes = as_float(boxes)
    sides = ops.maximum(boxes[..., 2:] - boxes[..., :2], 0)
    return sides[..., 0] * sides[..., 1]
