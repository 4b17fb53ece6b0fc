"""Anchors: boxes of fixed shapes at every place of a feature map, in NumPy.

Papers: S. Ren et al., "Faster R-CNN", 2015, section 3.1.1,
https://arxiv.org/abs/1506.01497; T. Lin et al., "Focal Loss for Dense Object
Detection", 2017, section 4, https://arxiv.org/abs/1708.02002

Anchors stand row by row, within a row place by place, and within a place in the order
of the shapes: the order of a head's map (height, width, shapes, ...) made flat. Shapes
are (width, height) in pixels, ratios are width / height. Anchors may stick out of the
image. They are constants: compute them once for a size of images.
"""

import math

import numpy as np

RATIOS = (2.0, 1.0, 0.5)  # 2:1, 1:1 and 1:2
FASTER_RCNN_SIDES = (128, 256, 512)  # of squares, pixels
RETINANET_SIDES = (1.0, 2 ** (1 / 3), 2 ** (2 / 3))  # of the level's own side
RETINANET_LEVELS = (3, 4, 5, 6, 7)
FPN_LEVELS = (2, 3, 4, 5, 6)  # Faster R-CNN on a pyramid, one side a level


def shapes(sides, ratios=RATIOS) -> np.ndarray:
    """Every side with every ratio, at the area of the side's square.

    Args:
        sides: of squares, in pixels.
        ratios: width / height.

    Returns:
        float32 (sides * ratios, 2), width and height, side by side.

    Raises:
        ValueError: a side or a ratio is not positive.
    """
    sides, roots = np.array(sides, "float64"), np.sqrt(_positive(ratios, "ratios"))
    sides = _positive(sides, "sides")[:, None]
    return np.stack([sides * roots, sides / roots], -1).reshape(-1, 2).astype("float32")


def grid(map_size, stride, shapes) -> np.ndarray:
    """Puts shapes at every place of a feature map, in the middle of its cell.

    Args:
        map_size: (height, width) of the feature map.
        stride: of its cells, in pixels.
        shapes: float (k, 2), width and height in pixels.

    Returns:
        float32 (height * width * k, 4), x1, y1, x2, y2 in pixels.
    """
    rows, columns = ((np.arange(count) + 0.5) * stride for count in map_size)
    x, y = np.meshgrid(columns, rows)
    centres = np.stack([x, y], -1)[:, :, None]  # (height, width, 1, 2)
    half = np.asarray(shapes, "float64") / 2
    boxes = np.concatenate([centres - half, centres + half], axis=-1)
    return boxes.reshape(-1, 4).astype("float32")


def map_size(image_size, stride) -> tuple[int, int]:
    """(height, width) of the map of an image after "same" padding: rounded up."""
    return tuple(math.ceil(side / stride) for side in image_size)


def faster_rcnn(image_size, stride=16, sides=FASTER_RCNN_SIDES, ratios=RATIOS):
    """Anchors of Faster R-CNN on one map: 9 a place.

    Args:
        image_size: (height, width) in pixels.
        stride: of the map.
        sides: of squares, in pixels.
        ratios: width / height.

    Returns:
        float32 (n, 4), x1, y1, x2, y2 in pixels.
    """
    return grid(map_size(image_size, stride), stride, shapes(sides, ratios))


def pyramid(image_size, levels, sides, ratios=RATIOS, base=4) -> list[np.ndarray]:
    """Anchors of the levels of a feature pyramid.

    Args:
        image_size: (height, width) in pixels.
        levels: of the pyramid; level l has the stride 2^l.
        sides: of squares, in sides of the level's own square.
        ratios: width / height.
        base: side of a level's own square, in strides: 4 gives 32 pixels at P3.

    Returns:
        One float32 (n, 4) a level.
    """
    anchors = []
    for level in levels:
        stride = 2**level
        own = shapes([base * stride * side for side in sides], ratios)
        anchors.append(grid(map_size(image_size, stride), stride, own))
    return anchors


def retinanet(image_size) -> list[np.ndarray]:
    """RetinaNet's P3 to P7 with 9 a place; 49,104 of an image of 512 x 512."""
    return pyramid(image_size, RETINANET_LEVELS, RETINANET_SIDES)


def faster_rcnn_fpn(image_size) -> list[np.ndarray]:
    """P2 to P6 with squares of 32 to 512 pixels, one a level, in 3 ratios.

    Paper: T. Lin et al., 2017, section 4.1, https://arxiv.org/abs/1612.03144
    """
    return pyramid(image_size, FPN_LEVELS, (1.0,), base=8)


def _positive(values, name):
    values = np.atleast_1d(np.asarray(values, "float64"))
    if not (values > 0).all():
        raise ValueError(f"{name} must be positive, got {values.tolist()}")
    return values
