"""Default boxes of SSD, in NumPy.

Paper: W. Liu et al., "SSD: Single Shot MultiBox Detector", 2016, section 2.2,
https://arxiv.org/abs/1512.02325

Differs from the paper: strides and sides are those of its code for VOC, in pixels, not
the shares of eq. 4, which they round.
"""

import math
from typing import NamedTuple

import numpy as np

from kcv.boxes.anchors import grid


class Map(NamedTuple):
    """One feature map of SSD.

    Args:
        side: of the map, in places.
        stride: in pixels.
        smaller: side of the small square, in pixels.
        larger: side of the next map's small square.
        ratios: width / height of the long boxes; each stands for its inverse, too.
    """

    side: int
    stride: int
    smaller: float
    larger: float
    ratios: tuple[float, ...]


SSD300 = (
    Map(38, 8, 30, 60, (2,)),
    Map(19, 16, 60, 111, (2, 3)),
    Map(10, 32, 111, 162, (2, 3)),
    Map(5, 64, 162, 213, (2, 3)),
    Map(3, 100, 213, 264, (2,)),
    Map(1, 300, 264, 315, (2,)),
)
SSD512 = (
    Map(64, 8, 35.84, 76.8, (2,)),
    Map(32, 16, 76.8, 153.6, (2, 3)),
    Map(16, 32, 153.6, 230.4, (2, 3)),
    Map(8, 64, 230.4, 307.2, (2, 3)),
    Map(4, 128, 307.2, 384, (2, 3)),
    Map(2, 256, 384, 460.8, (2,)),
    Map(1, 512, 460.8, 537.6, (2,)),
)


def shapes(smaller, larger, ratios) -> np.ndarray:
    """Shapes at one place: the small square, the extra one, then the long boxes.

    Args:
        smaller: side of the small square.
        larger: side of the next map's; the extra square lies between the two.
        ratios: width / height; each is followed by its inverse.

    Returns:
        float32 (2 + 2 * ratios, 2), width and height in the unit of the sides.

    Raises:
        ValueError: unless 0 < smaller < larger.
    """
    if not 0 < smaller < larger:
        raise ValueError(f"smaller = {smaller} and larger = {larger} must rise from 0")
    extra = math.sqrt(smaller * larger)
    sizes = [(smaller, smaller), (extra, extra)]
    for ratio in ratios:
        for root in (math.sqrt(ratio), 1 / math.sqrt(ratio)):
            sizes.append((smaller * root, smaller / root))
    return np.array(sizes, "float32")


def default_boxes(maps=SSD300) -> list[np.ndarray]:
    """Default boxes of all maps: 8,732 for SSD300 and 24,564 for SSD512.

    Args:
        maps: Map of each feature map, in the order of the heads.

    Returns:
        One float32 (n, 4) a map, x1, y1, x2, y2 in pixels, not clipped.
    """
    return [
        grid((m.side, m.side), m.stride, shapes(m.smaller, m.larger, m.ratios))
        for m in maps
    ]


def scales(count, low=0.2, high=0.9) -> list[float]:
    """Sides of the maps' small squares as shares of the image (eq. 4), evenly apart."""
    if count < 2:
        raise ValueError(f"eq. 4 spreads scales over 2 maps or more, got {count}")
    return [low + (high - low) * k / (count - 1) for k in range(count)]
