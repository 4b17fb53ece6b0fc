"""Proposals warped to one size, each with some context around it.

Paper: R. Girshick et al., "Rich feature hierarchies for accurate object detection and
semantic segmentation", 2014, section 2.1 and appendix A, https://arxiv.org/abs/1311.2524
"""

import numpy as np
from PIL import Image

CONTEXT = 16 / 227  # p over the side of the net's image
FILL = 128  # of what lies outside of the image: the middle of the pixel range
SMALLEST = 1.0  # side of what is cut out, pixels of the image


def warp(image, boxes, size, context: float = CONTEXT, fill: int = FILL) -> np.ndarray:
    """Cuts regions out of an image and stretches each to the same size.

    The whole region becomes the middle of the warped image, whatever its aspect; around
    it are `context` of the warped image's side on each of the four sides.

    Args:
        image: uint8 (h, w, 3).
        boxes: float (n, 4), x1, y1, x2, y2 in pixels of the image; what sticks out of
            it is cut off first, and a side below one pixel counts as one.
        size: (height, width) of a warped image.
        context: share of a side of the warped image, from 0 to below 0.5.
        fill: level of what the image does not show.

    Returns:
        uint8 (n, height, width, 3), bilinear; where the region is larger than `size`,
        pixels that become one give their mean.

    Raises:
        ValueError: the image is not of this form, a box is not finite, or the context
            leaves no room.
    """
    image, boxes = np.asarray(image), np.asarray(boxes, "float64").reshape(-1, 4)
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(
            f"an image of {image.dtype} {image.shape}, not of uint8 (height, width, 3)"
        )
    if not 0 <= context < 0.5:
        raise ValueError(f"context={context} must be from 0 to below 0.5 of a side")
    if not np.isfinite(boxes).all():
        row = boxes[~np.isfinite(boxes).all(axis=1)][0]
        raise ValueError(f"box {row.tolist()} is not of finite numbers: leave it out")
    height, width = size
    warped = np.empty((len(boxes), height, width, 3), "uint8")
    boxes = with_context(boxes, image.shape[:2], context)
    # Pillow reads inside of an image only, so that gets a border first.
    border = int(np.ceil(max(-boxes.min(initial=0), _beyond(boxes, image.shape), 0)))
    if border:
        around = [(border, border), (border, border), (0, 0)]
        image = np.pad(image, around, constant_values=fill)
    picture = Image.fromarray(image)
    for region, box in zip(warped, (boxes + border).tolist()):
        region[:] = picture.resize((width, height), Image.Resampling.BILINEAR, box=box)
    return warped


def with_context(boxes, image_size, context: float = CONTEXT) -> np.ndarray:
    """What `warp` cuts out: boxes within the image, grown by their context.

    Args:
        boxes: float (n, 4), x1, y1, x2, y2 in pixels.
        image_size: (height, width), pixels.
        context: share of a side of the warped image.

    Returns:
        float64 (n, 4), which may stick out of the image.
    """
    sides = np.array(image_size[::-1] * 2, "float64")
    boxes = np.clip(np.asarray(boxes, "float64").reshape(-1, 4), 0, sides)
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = np.maximum(boxes[:, 2:] - boxes[:, :2], SMALLEST) / 2 / (1 - 2 * context)
    return np.concatenate([middle - half, middle + half], axis=1)


def _beyond(boxes, shape):
    """How far boxes stick out on the right and below, pixels."""
    return (boxes[:, 2:] - shape[1::-1]).max(initial=0)
