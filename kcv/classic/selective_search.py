"""Selective search: boxes around the regions of hierarchical groupings of an image.

Paper: J. R. R. Uijlings, K. E. A. van de Sande, T. Gevers and A. W. M. Smeulders,
"Selective Search for Object Recognition", IJCV 2013,
https://doi.org/10.1007/s11263-013-0620-5; the first regions: P. Felzenszwalb and D.
Huttenlocher, "Efficient Graph-Based Image Segmentation", IJCV 2004

Differs from the paper: boxes are ordered by how well the segmentations agree on them,
not by a random part of their place in the hierarchy, so that an image always gives the
same boxes. The first regions have 20 pixels or more, whatever their scale.
"""

import numpy as np
from skimage import color

from kcv.boxes.iou import pairwise_iou
from kcv.classic.grouping import SIMILARITIES, Regions
from kcv.classic.images import checked
from kcv.classic.ranking import spread

SAME = 0.7  # IoU from which a box adds nothing to a better one
CHUNK = 1024  # boxes that are compared with all others at a time
SPACES = {
    "rgb": lambda rgb: rgb,
    "intensity": lambda rgb: rgb.mean(axis=2, keepdims=True),
    "hsv": color.rgb2hsv,
    "hue": lambda rgb: color.rgb2hsv(rgb)[:, :, :1],
    "lab": lambda rgb: (color.rgb2lab(rgb) + (0, 128, 128)) / (100, 255, 255),
    "rgi": lambda rgb: _rgi(rgb),
}
STRATEGIES = tuple(
    (space, 50, kinds)
    for space in ("hsv", "rgi", "lab", "hue")
    for kinds in (SIMILARITIES, SIMILARITIES[1:])
)


def selective_search(image, strategies=STRATEGIES, min_side: int = 4) -> np.ndarray:
    """Boxes of objects of any class.

    Args:
        image: uint8 (h, w, 3).
        strategies: (space, scale, similarities) of each grouping: a key of `SPACES`; k
            of the graph segmentation, larger for larger regions; and which of
            `SIMILARITIES` are added up.
        min_side: least width and height of a box, in pixels.

    Returns:
        float32 (n, 4), x1, y1, x2, y2 in pixels, no two the same, best first: boxes
        that many segmentations agree on, and that are not much like a better one.

    Raises:
        ValueError: image is not uint8 (h, w, 3), or a strategy is none of the possible.
    """
    image = checked(image)
    check_strategies(strategies)
    rgb = image / 255
    regions, found = {}, {}
    for space, scale, kinds in strategies:
        key = (space, scale)
        if key not in regions:
            regions[key] = Regions(SPACES[space](rgb), scale)
            found[key] = []
        boxes = regions[key].grouped(kinds)
        large = (boxes[:, 2:] - boxes[:, :2] >= min_side).all(axis=1)
        found[key].append(boxes[large])
    found = [np.unique(np.concatenate(boxes), axis=0) for boxes in found.values()]
    boxes = np.unique(np.concatenate(found), axis=0).astype("float32")
    return boxes[spread(boxes, _agreement(boxes, found), SAME)]


def check_strategies(strategies):
    """Raises ValueError unless they are such as `selective_search` takes."""
    if not strategies:
        raise ValueError("strategies are empty: give one grouping or more")
    for space, _, kinds in strategies:
        if space not in SPACES or not kinds or set(kinds) - set(SIMILARITIES):
            raise ValueError(
                f"strategy ({space!r}, {kinds}) is not made of {', '.join(SPACES)} and "
                f"{', '.join(SIMILARITIES)}"
            )


def _agreement(boxes, found):
    """Sum of the IoU with the most similar box of each segmentation, (n,)."""
    total = np.zeros(len(boxes))
    for others in found:
        for start in range(0, len(boxes) if len(others) else 0, CHUNK):
            part = slice(start, start + CHUNK)
            overlaps = pairwise_iou(boxes[part], others.astype("float32"))
            total[part] += np.asarray(overlaps).max(axis=1)
    return total


def _rgi(rgb):
    """Shares of red and green, which shadows leave alone, and the intensity."""
    total = rgb.sum(axis=2, keepdims=True)
    return np.concatenate([rgb[:, :, :2] / np.maximum(total, 1e-6), total / 3], axis=2)
