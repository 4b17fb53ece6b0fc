"""Masks as COCO's run lengths, which take some hundred bytes each."""

import numpy as np
from pycocotools import mask as coco_mask

from kcv.boxes.run_lengths import decompress


def encode(masks):
    """Masks in few bytes.

    Args:
        masks: list of n masks, each an array (h, w), of which all but 0 is object, or a
            dict {"size": [h, w], "counts": compressed text, bytes or a list of int}.

    Returns:
        list of n dicts of "size" and compressed "counts", bytes.

    Raises:
        ValueError: a mask is not of two dimensions, or run lengths are damaged.
    """
    return [
        _checked(mask) if isinstance(mask, dict) else _encode(np.asarray(mask))
        for mask in masks
    ]


def areas(masks):
    """Pixels of each of n masks as `encode` takes them, float64 (n,)."""
    return np.array([coco_mask.area(mask) for mask in encode(masks)], "float64")


def _encode(mask):
    if mask.ndim != 2:
        raise ValueError(f"a mask of shape {mask.shape}, not of (height, width)")
    mask = (mask != 0).view("uint8")
    turned = np.zeros(mask.shape[::-1], "uint8")  # turning is slow: what is set alone
    rows = np.flatnonzero(mask.max(axis=1, initial=0))
    columns = np.flatnonzero(mask.max(axis=0, initial=0))
    if len(rows):
        y, x = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
        turned[x, y] = mask[y, x].T
    return coco_mask.encode(turned.T)


def _checked(mask):
    size, counts = mask.get("size"), mask.get("counts")
    try:
        height, width = (int(side) for side in size)
        counts = counts.encode("ascii") if isinstance(counts, str) else counts
        runs = decompress(counts) if isinstance(counts, bytes) else np.asarray(counts)
    except (TypeError, ValueError) as error:
        raise ValueError(f"run lengths of size {size} are damaged: {error}") from error
    whole = runs.ndim == 1 and runs.dtype.kind in "iu"
    if not whole or runs.sum() != height * width or runs.min(initial=0) < 0:
        total = runs.sum() if whole else "no whole number of"
        raise ValueError(
            f"run lengths of {total} pixels for a mask of {height} x {width}"
        )
    if not isinstance(counts, bytes):
        given = {"size": [height, width], "counts": runs.tolist()}
        return coco_mask.frPyObjects(given, height, width)
    return {"size": [height, width], "counts": counts}
