"""Masks of COCO files: polygons and run lengths, checked before they are decoded.

pycocotools draws the polygons; it trusts its input, so that is checked here first.
"""

import array
import math

import numpy as np
from pycocotools import mask as coco_mask

from kcv.boxes.run_lengths import decompress

_FAR = 100_000  # pycocotools walks along every edge: 1e12 pixels never end


class Segments:
    """The segmentations of many annotations, in few bytes.

    A list of Python numbers takes 32 bytes a number and 64 a list; here it is 8.
    """

    def __init__(self):
        self._numbers = array.array("d")
        self._stops = array.array("q", [0])  # of each polygon, in _numbers
        self._last = array.array("q", [0])  # of each annotation, in _stops
        self._runs = {}

    def __len__(self):
        return len(self._last) - 1

    def add(self, segmentation):
        """Keeps one segmentation and says what is wrong with it, "" if nothing.

        Args:
            segmentation: As in the file: [[x1, y1, x2, y2, ...], ...], or {"size":
                [height, width], "counts": [numbers] or compressed text}.
        """
        wrong = problem(segmentation)
        if not wrong and isinstance(segmentation, dict):
            counts = segmentation["counts"]
            if isinstance(counts, list):
                counts = array.array("q", counts)
            self._runs[len(self)] = {**segmentation, "counts": counts}
        elif not wrong:
            for polygon in segmentation:
                self._numbers.extend(polygon)
                self._stops.append(len(self._numbers))
        self._last.append(len(self._stops) - 1)
        return wrong

    def sizes(self):
        """Returns {index: [height, width]} of those that are run lengths."""
        return {index: runs["size"] for index, runs in self._runs.items()}

    def mask(self, index, height, width):
        """Draws segmentation `index` as uint8 (height, width) of 0 and 1."""
        if index in self._runs:
            return decode(self._runs[index], height, width)
        first, last = self._last[index], self._last[index + 1]
        stops = self._stops[first : last + 1]
        polygons = [self._numbers[a:b].tolist() for a, b in zip(stops, stops[1:])]
        return decode(polygons, height, width)


def problem(segmentation):
    """Says what is wrong with a segmentation in itself, "" if nothing."""
    if isinstance(segmentation, dict):
        return _runs_problem(segmentation)
    if not isinstance(segmentation, list) or not segmentation:
        return "no segmentation"
    for polygon in segmentation:
        if not isinstance(polygon, list):
            return "segmentation is not a list of polygons"
        if len(polygon) < 6 or len(polygon) % 2:
            return (
                f"polygon of {len(polygon)} numbers, not of at least 3 points of 2 each"
            )
        if not are_numbers(polygon):
            return "polygon with something that is no finite number"
        if min(polygon) < -_FAR or max(polygon) > _FAR:
            return f"polygon with a point further than {_FAR} pixels outside"
    return ""


def are_numbers(values):
    """Says whether a list holds finite numbers only."""
    try:
        return math.isfinite(sum(values))  # not so if any is NaN or infinite
    except TypeError:
        return False


def _runs_problem(segmentation):
    size = segmentation.get("size")
    pair = isinstance(size, list) and len(size) == 2
    whole = pair and all(type(n) is int and 0 < n < _FAR for n in size)
    if not whole:
        return f"run lengths of size {size}, not of [height, width]"
    counts = segmentation.get("counts")
    if isinstance(counts, str | bytes):
        try:
            counts = decompress(counts)
        except ValueError as error:
            return str(error)
    elif not isinstance(counts, list) or not {type(count) for count in counts} <= {int}:
        return "run lengths that are no whole numbers"
    total = sum(counts) if isinstance(counts, list) else int(counts.sum())
    if total != size[0] * size[1] or min(counts, default=0) < 0:
        return f"run lengths of {total} pixels for an image of {size[1]} x {size[0]}"
    return ""


def decode(segmentation, height, width):
    """Draws one segmentation that has no `problem` as uint8 (height, width) of 0, 1."""
    if isinstance(segmentation, dict):
        counts = segmentation["counts"]
    else:
        parts = coco_mask.frPyObjects(segmentation, height, width)
        counts = coco_mask.merge(parts)["counts"]
    if isinstance(counts, str | bytes):
        counts = decompress(counts)
    values = np.zeros(len(counts), np.uint8)
    values[1::2] = 1
    return np.repeat(values, counts).reshape(width, height).T
