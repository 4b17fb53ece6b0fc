"""Region proposals as two pictures: the box, and the box with its background grey.

Paper: B. Hariharan et al., "Simultaneous Detection and Segmentation", 2014, sections
3.2 and 3.4, https://arxiv.org/abs/1407.1808
"""

import numpy as np

from kcv.classic.segments import Segments, crop
from kcv.classic.warp import CONTEXT, FILL, warp


def region_crops(image, found: Segments, size, grid: int, context: float = CONTEXT):
    """Warps the boxes of regions, with and without their background.

    Args:
        image: uint8 (h, w, 3).
        found: regions of the image.
        size: (height, width) of a warped image.
        grid: cells along each side of a coarse mask.
        context: as for `warp`; it is background.

    Returns:
        (boxes uint8 (n, height, width, 3), regions likewise, grids float32 (n, grid,
        grid): the share of each cell of the box that the region covers).
    """
    boxes = warp(image, found.boxes, size, context)
    regions = np.full_like(boxes, FILL)
    grids = np.zeros((len(found), grid, grid), "float32")
    for index in range(len(found)):
        mask = crop(found, index)
        inside = warped_mask(mask, size, context) >= 0.5
        regions[index][inside] = boxes[index][inside]
        grids[index] = warped_mask(mask, (grid, grid))
    return boxes, regions, grids


def warped_mask(mask, size, context: float = 0.0) -> np.ndarray:
    """A mask stretched to a size.

    Args:
        mask: bool (h, w), of a box.
        size: (height, width) of what comes of it.
        context: as for `warp`; nothing of the region lies there.

    Returns:
        float32 (height, width), 0..1, the share of each pixel that the mask covers.
    """
    levels = np.uint8(mask)[..., None].repeat(3, axis=2) * np.uint8(255)
    box = [[0, 0, mask.shape[1], mask.shape[0]]]
    return warp(levels, box, size, context, fill=0)[0, ..., 0] / np.float32(255)


def coarse_target(mask, box, grid: int) -> np.ndarray:
    """What a coarse mask has to say of a box: the cells that an object is in.

    Args:
        mask: bool (h, w) of the image, the object.
        box: x1, y1, x2, y2 in whole pixels.
        grid: cells along each side.

    Returns:
        float32 (grid, grid), 0 and 1: half of the cell or more is object.
    """
    x1, y1, x2, y2 = np.asarray(box).astype(int)
    shares = warped_mask(mask[y1:y2, x1:x2], (grid, grid))
    return (shares >= 0.5).astype("float32")
