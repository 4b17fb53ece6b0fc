"""Regions of an image as pixels: kept in few bytes, compared, ordered, on disk."""

import dataclasses
import pathlib

import numpy as np

from kcv import files


@dataclasses.dataclass(frozen=True, eq=False)
class Segments:
    """Regions of one image, each with the box around it; like a list, it is cut.

    Parameters:
        boxes: float32 (n, 4), x1, y1, x2, y2 in whole pixels.
        bits: list of n uint8 (k,): the pixels of each box, row by row, packed by
            `numpy.packbits`.
    """

    boxes: np.ndarray
    bits: list

    def __len__(self):
        return len(self.boxes)

    def __getitem__(self, places):
        """The regions at int (k,) or a slice, as Segments."""
        order = np.arange(len(self.boxes))[places]
        return Segments(self.boxes[order], [self.bits[i] for i in order])


def from_masks(masks) -> Segments:
    """Regions of masks of a whole image.

    Args:
        masks: (n, h, w), of which all but 0 is the region.

    Returns:
        Segments; box 0 where a mask is empty.
    """
    boxes, bits = np.zeros((len(masks), 4), "float32"), []
    for box, mask in zip(boxes, np.asarray(masks) != 0):
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        if len(rows):
            box[:] = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
        bits.append(np.packbits(_within(mask, box)))
    return Segments(boxes, bits)


def crop(found: Segments, index: int) -> np.ndarray:
    """Pixels of one region within its box, bool (height, width)."""
    x1, y1, x2, y2 = found.boxes[index].astype(int)
    shape = (y2 - y1, x2 - x1)
    pixels = np.unpackbits(found.bits[index], count=shape[0] * shape[1])
    return pixels.reshape(shape).astype(bool)


def whole(found: Segments, image_size) -> np.ndarray:
    """Masks of the size (height, width) of the image, bool (n, height, width)."""
    masks = np.zeros((len(found), *image_size), bool)
    for index, mask in enumerate(masks):
        _within(mask, found.boxes[index])[:] = crop(found, index)
    return masks


def mask_iou(one, other) -> np.ndarray:
    """Intersection over union of all pairs of masks.

    Args:
        one: bool (n, h, w).
        other: bool (m, h, w).

    Returns:
        float32 (n, m); 0 for two empty masks.
    """
    pixels = int(np.prod(np.shape(one)[1:]))  # -1 cannot be told of no masks
    one, other = (np.float32(x).reshape(len(x), pixels) for x in (one, other))
    return share_of_union(one @ other.T, one.sum(axis=1), other.sum(axis=1))


def share_of_union(common, sizes, other_sizes) -> np.ndarray:
    """Common pixels (n, m) over all pixels of regions of sizes (n,) and (m,)."""
    union = sizes[:, None] + other_sizes[None] - common
    return (common / np.maximum(union, 1)).astype("float32")


def suppressed(overlaps, threshold: float) -> np.ndarray:
    """Which regions overlap an earlier one that is not suppressed itself.

    Args:
        overlaps: (n, n), the best regions first.
        threshold: above which one is suppressed.

    Returns:
        bool (n,).
    """
    lost = np.zeros(len(overlaps), bool)
    for index, row in enumerate(overlaps > threshold):
        if not lost[index]:
            lost[index + 1 :] |= row[index + 1 :]
    return lost


def write(path: str | pathlib.Path, regions):
    """Writes the regions of images, a list of Segments, whole or not at all."""
    counts = np.array([len(found) for found in regions], "int64")
    boxes = np.concatenate([np.zeros((0, 4)), *(found.boxes for found in regions)])
    bits = [np.zeros(0, "uint8"), *(part for found in regions for part in found.bits)]
    arrays = {"counts": counts, "boxes": boxes.astype("int32")}
    with files.replacing(path) as hidden, open(hidden, "wb") as file:
        np.savez_compressed(file, **arrays, bits=np.concatenate(bits))


def read(path: str | pathlib.Path) -> list[Segments]:
    """Returns what `write` has written."""
    with np.load(path) as stored:
        counts, boxes, bits = (stored[name] for name in ("counts", "boxes", "bits"))
    sides = boxes[:, 2:] - boxes[:, :2]
    ends = np.cumsum(-(-sides.prod(axis=1) // 8))
    bits = np.split(bits, ends[:-1]) if len(boxes) else []
    found, start = [], 0
    for end in np.cumsum(counts):
        found.append(Segments(boxes[start:end].astype("float32"), bits[start:end]))
        start = end
    return found


def _within(mask, box):
    x1, y1, x2, y2 = np.asarray(box).astype(int)
    return mask[y1:y2, x1:x2]
