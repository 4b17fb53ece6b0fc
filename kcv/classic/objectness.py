"""Objectness windows: windows that cut few regions and differ from what is around them.

Paper: B. Alexe, T. Deselaers and V. Ferrari, "Measuring the Objectness of Image
Windows", PAMI 2012, https://doi.org/10.1109/TPAMI.2012.28 (superpixels straddling,
section 2.5; colour contrast, section 2.2)

Differs from the paper: nothing is learned, the two cues are multiplied; windows stand
on a grid of places, sizes and ratios, and those that score high move their sides to
where they score more; salience and edge density are left out.
"""

import functools

import numpy as np
from skimage import color, segmentation, transform

from kcv.classic.images import checked
from kcv.classic.ranking import spread

LONGEST = 160  # pixels of a side; larger images are made smaller first
STEP_IOU = 0.6  # of windows that are neighbours
RATIOS = (0.4, 0.63, 1, 1.6, 2.5)  # width to height
AROUND = 0.5  # of a side: how much larger the surrounding is than a window
COLOURS = (6, 3, 3)  # bins of hue, saturation and value
MOVES = (0.12, 0.06)  # of a side, in the rounds of refinement
SAME = 0.75  # IoU from which a window adds nothing to a better one
CHUNK = 4096  # windows that are scored at a time


def objectness_windows(image, count: int = 1000, min_side: int = 12):
    """Boxes of objects of any class, found fast.

    Args:
        image: uint8 (h, w, 3).
        count: boxes wanted; there may be fewer.
        min_side: side of the smallest square among the windows, in pixels of an image
            whose longer side is 160 at most.

    Returns:
        float32 (n, 4), x1, y1, x2, y2 in pixels, best first.

    Raises:
        ValueError: image is not uint8 (h, w, 3), count is below 1 or min_side below 4.
    """
    image = checked(image)
    if count < 1 or min_side < 4:
        raise ValueError(
            f"count={count} and min_side={min_side} must be 1 or more, and 4 or more"
        )
    scale = min(LONGEST / max(image.shape[:2]), 1)
    size = [max(round(side * scale), 1) for side in image.shape[:2]]
    rgb = (
        transform.resize(image, size, anti_aliasing=True) if scale < 1 else image / 255
    )
    cues = Cues(rgb)
    boxes = windows(*size, min_side)
    scores = cues.scores(boxes)
    best = np.argsort(-scores, kind="stable")[: count + count // 2]
    boxes, scores = cues.refined(boxes[best], scores[best])
    boxes, first = np.unique(boxes, axis=0, return_index=True)
    boxes = boxes[spread(boxes, scores[first], SAME)[:count]]
    return (
        boxes / np.float32([size[1], size[0]] * 2) * np.float32(image.shape[1::-1] * 2)
    )


@functools.lru_cache(maxsize=8)
def windows(height, width, min_side):
    """Windows of all places, sizes and ratios, float32 (n, 4), not to be written to."""
    found = [np.array([[0, 0, width, height]])]
    step = (1 - STEP_IOU) / (1 + STEP_IOU)  # of a side: neighbours overlap by STEP_IOU
    side = min_side
    while side <= max(height, width):
        for ratio in RATIOS:
            w, h = side * ratio**0.5, side / ratio**0.5
            if w > width or h > height:
                continue
            x = np.linspace(0, width - w, int((width - w) / (step * w)) + 2)
            y = np.linspace(0, height - h, int((height - h) / (step * h)) + 2)
            corners = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
            found.append(np.concatenate([corners, corners + (w, h)], axis=1))
        side /= STEP_IOU**0.5
    boxes = np.unique(np.concatenate(found).round(), axis=0).astype("float32")
    boxes.setflags(write=False)
    return boxes


class Cues:
    """What windows of an image are scored by.

    Args:
        rgb: float (h, w, 3), 0..1.
    """

    def __init__(self, rgb):
        self.size = rgb.shape[:2]
        hsv = color.rgb2hsv(rgb)
        regions = segmentation.felzenszwalb(hsv, 50, 0.8, min_size=20, channel_axis=2)
        bins = np.minimum((hsv * COLOURS).astype(int), np.array(COLOURS) - 1)
        self._regions = _summed(regions, regions.max() + 1)
        self._colours = _summed(
            np.ravel_multi_index(bins.transpose(2, 0, 1), COLOURS), np.prod(COLOURS)
        )

    def scores(self, boxes):
        """The product of the cues, each 0..1.

        Args:
            boxes: float (n, 4), whole numbers, within the image.

        Returns:
            float (n,), 0 for a window without area.
        """
        parts = range(0, len(boxes), CHUNK)
        found = [
            self.whole(boxes[i : i + CHUNK])
            * self.contrast(boxes[i : i + CHUNK]) ** 0.5
            for i in parts
        ]
        return np.concatenate(found)

    def whole(self, boxes):
        """Superpixels straddling: 1 less the share of cut regions' lesser parts."""
        inside = _counted(self._regions, boxes)
        outside = self._regions[-1, -1] - inside
        return 1 - np.minimum(inside, outside).sum(axis=1) / _areas(boxes)

    def contrast(self, boxes):
        """Colour contrast: how far the colours inside are from those around, 0..1."""
        more = (boxes[:, 2:] - boxes[:, :2]) * AROUND / 2
        larger = np.concatenate([boxes[:, :2] - more, boxes[:, 2:] + more], axis=1)
        larger = larger.round().clip(0, self.size[::-1] * 2)
        inside = _counted(self._colours, boxes)
        around = _counted(self._colours, larger) - inside
        area = _areas(boxes)
        rest = np.maximum(_areas(larger) - area, 1)
        return np.abs(inside / area[:, None] - around / rest[:, None]).sum(axis=1) / 2

    def refined(self, boxes, scores):
        """Moves each side of windows by ever smaller steps to where they score more.

        Args:
            boxes: float (n, 4).
            scores: float (n,).

        Returns:
            (boxes, scores), likewise.
        """
        boxes, scores = boxes.copy(), scores.copy()
        limits = np.float32(self.size[::-1] * 2)
        for share in MOVES:
            for side in range(4):
                length = boxes[:, 2 + side % 2] - boxes[:, side % 2]
                step = np.maximum(np.round(share * length), 1)
                for moves in (-step, step):
                    moved = boxes.copy()
                    moved[:, side] += moves
                    moved = moved.clip(0, limits)
                    new = self.scores(moved)
                    better = new > scores
                    boxes[better], scores[better] = moved[better], new[better]
        return boxes, scores


def _areas(boxes):
    """Pixels of windows, 1 for those without any."""
    return np.maximum((boxes[:, 2:] - boxes[:, :2]).prod(axis=1), 1)


def _summed(labels, count):
    """Summed area table of each label, uint16 (h + 1, w + 1, count)."""
    # Sums stay below 2^16, since a side is of LONGEST = 160 pixels at most.
    table = np.zeros((labels.shape[0] + 1, labels.shape[1] + 1, count), "uint16")
    rows, columns = np.indices(labels.shape) + 1
    table[rows, columns, labels] = 1
    np.cumsum(table, axis=0, out=table)
    return np.cumsum(table, axis=1, out=table)


def _counted(table, boxes):
    """Pixels of each label in each window, uint16 (n, labels)."""
    x1, y1, x2, y2 = boxes.T.astype(int)
    return table[y2, x2] - table[y1, x2] - table[y2, x1] + table[y1, x1]
