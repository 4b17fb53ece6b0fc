"""Masks as translucent colours with outlines."""

import numpy as np

from kcv.viz import colors

_STRENGTH = 0.5  # of a colour over the picture
_WEIGHTS = (0.299, 0.587, 0.114)  # of luma, BT.601


def draw_masks(image, masks, fills=None):
    """Draws masks over a picture whose own colours are taken away.

    Args:
        image: uint8 (h, w, 3).
        masks: (n, h, w), not 0 inside; they may overlap.
        fills: n colours; `colors.palette` by default.

    Returns:
        uint8 (h, w, 3). Outlines lie inside of the masks, one over all colours.
    """
    masks = np.asarray(masks).astype(bool)
    fills = colors.palette(len(masks)) if fills is None else fills
    picture = faded(image).astype(np.float32)
    for mask, fill in zip(masks, fills):
        fill = np.array(colors.rgb(fill), np.float32)
        picture[mask] += _STRENGTH * (fill - picture[mask])
    for mask, fill in zip(masks, fills):
        picture[outline(mask)] = colors.rgb(fill)
    return np.round(picture).astype(np.uint8)


def faded(image):
    """Returns uint8 (h, w, 3) in grey."""
    luma = np.round(np.asarray(image, np.float32) @ np.array(_WEIGHTS, np.float32))
    return np.repeat(luma.astype(np.uint8)[..., None], 3, axis=-1)


def outline(mask, width=2):
    """Returns bool (h, w): pixels of a mask within `width` of its outside.

    The border of the picture is no outside.
    """
    mask = np.asarray(mask, bool)
    inside = mask
    for _ in range(width):
        wide = np.pad(inside, 1, mode="edge")
        inside = (
            *(wide[:-2, 1:-1], wide[2:, 1:-1], wide[1:-1, :-2], wide[1:-1, 2:]),
            wide[1:-1, 1:-1],
        )
        inside = np.logical_and.reduce(inside)
    return mask & ~inside


def extents(masks):
    """Returns float (n, 4), the boxes of masks (n, h, w); 0 for an empty one."""
    found = np.zeros((len(masks), 4))
    for i, mask in enumerate(np.asarray(masks).astype(bool)):
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        if len(rows):
            found[i] = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
    return found
