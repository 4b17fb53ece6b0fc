"""Weak labels, made from full ones: scribbles, points, boxes and tags.

Papers: D. Lin et al., ScribbleSup, 2016, https://arxiv.org/abs/1604.05144 (one curve
through each object); A. Bearman et al., What's the Point, 2016,
https://arxiv.org/abs/1506.02106 (one pixel of each); J. Dai et al., BoxSup, 2015,
https://arxiv.org/abs/1503.01640 (boxes); tags tell which classes occur.
"""

import numpy as np
from scipy import ndimage
from skimage import graph

IGNORE = 255  # of a semantic map: unlabelled


def scribbles(masks, rng):
    """Draws one smooth curve, a pixel wide, within each thing.

    The curve is the way between two places far apart that keeps away from the outline,
    within one connected part of the thing, as a person would draw it.

    Args:
        masks: {0, 1} (n, height, width).
        rng: `np.random.Generator`.

    Returns:
        uint8 (n, height, width); all 0 for an empty mask.
    """
    masks = _as_masks(masks)
    return np.array([_scribble(mask, rng) for mask in masks], np.uint8).reshape(
        masks.shape
    )


def points(masks, rng):
    """Picks one pixel of each thing, rather in its middle than at its edge.

    Args:
        masks: {0, 1} (n, height, width).
        rng: `np.random.Generator`.

    Returns:
        float32 (n, 3): center (x, y) of the pixel and 2; 0, 0, 0 for an empty mask.
    """
    masks = _as_masks(masks)
    found = np.zeros((len(masks), 3), np.float32)
    for i, mask in enumerate(masks):
        if mask.any():
            rows, columns = _window(mask)
            row, column = _draw_pixel(_depth_within(mask[rows, columns]), rng)
            found[i] = (columns.start + column + 0.5, rows.start + row + 0.5, 2)
    return found


def boxes(masks):
    """Returns float32 (n, 4), (x1, y1, x2, y2) around the pixels of masks (n, h, w).

    An empty mask has box 0, 0, 0, 0.
    """
    masks = _as_masks(masks)
    found = np.zeros((len(masks), 4), np.float32)
    for i, mask in enumerate(masks):
        if mask.any():
            rows, columns = _window(mask)
            found[i] = (columns.start, rows.start, columns.stop, rows.stop)
    return found


def tags(semantic, num_classes):
    """Returns which classes occur in a semantic map.

    Args:
        semantic: int (height, width), 255 for unlabelled.
        num_classes: Labels are below it.

    Returns:
        uint8 (num_classes,): 1 where a class has a pixel.

    Raises:
        ValueError: A label is negative, or neither below num_classes nor 255.
    """
    found = np.unique(semantic)
    found = found[found != IGNORE]
    if found.size and not 0 <= found[0] <= found[-1] < num_classes:
        raise ValueError(
            f"semantic map has labels {found[0]}..{found[-1]}, "
            f"but num_classes={num_classes}"
        )
    occurs = np.zeros(num_classes, np.uint8)
    occurs[found] = 1
    return occurs


def scribble_labels(semantic, rng, min_area=9):
    """Keeps of a semantic map one scribble through each connected region.

    Args:
        semantic: int (height, width), 255 for unlabelled.
        rng: `np.random.Generator`.
        min_area: Smaller regions get none, pixels.

    Returns:
        int32 (height, width): the label along the scribbles, 255 elsewhere.
    """
    return _labels_along(semantic, rng, min_area, _way)


def point_labels(semantic, rng, min_area=9):
    """Keeps of a semantic map one pixel of each connected region.

    Arguments and result are those of `scribble_labels`.
    """

    def pixel(mask, rng):
        chosen = np.zeros(mask.shape, np.uint8)
        chosen[_draw_pixel(_depth_within(mask), rng)] = 1
        return chosen

    return _labels_along(semantic, rng, min_area, pixel)


def _labels_along(semantic, rng, min_area, choose):
    kept = np.full(semantic.shape, IGNORE, np.int32)
    for label in np.unique(semantic[semantic != IGNORE]):
        regions, _ = ndimage.label(semantic == label)
        for region, window in enumerate(ndimage.find_objects(regions), 1):
            mask = regions[window] == region
            if mask.sum() >= min_area:
                kept[window][choose(mask, rng) > 0] = label
    return kept


def _as_masks(masks):
    masks = np.asarray(masks)
    if masks.ndim != 3:
        raise ValueError(
            f"masks have shape {masks.shape}; (n, height, width) is needed"
        )
    return masks > 0


def _scribble(mask, rng):
    """Returns uint8 (h, w): a curve within a mask (h, w)."""
    drawn = np.zeros(mask.shape, np.uint8)
    if not mask.any():
        return drawn
    window = _window(mask)
    regions, count = ndimage.label(mask[window], np.ones((3, 3)))
    area = np.bincount(regions.ravel())[1:]
    # A nearer thing may cut it into pieces.
    piece = regions == 1 + rng.choice(count, p=area / area.sum())
    inner = _window(piece)
    drawn[window][inner] = _way(piece[inner], rng)
    return drawn


def _window(mask):
    """Returns the slices (rows, columns) around what is in a mask (h, w)."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _way(mask, rng):
    """A smooth way through one connected region that keeps away from its outline."""
    depth = _depth_within(mask)
    cost = np.where(mask, 1 / np.maximum(depth, 1e-6) ** 1.5, -1)  # -1 is impassable
    start = _draw_pixel(depth, rng)
    ways = graph.MCP_Geometric(cost)
    ways.find_costs([start])
    rows, columns = np.indices(mask.shape)
    far = depth * ((rows - start[0]) ** 2 + (columns - start[1]) ** 2)
    end = _draw_pixel(far, rng) if far.any() else start
    way = np.array(ways.traceback(end), float)  # 8-connected pixels

    # Pixel steps are jagged: a Gaussian along the way makes them round, the widest of
    # three whose curve stays within the region.
    steps = np.linspace(0, len(way) - 1, 4 * len(way))
    place = np.arange(len(way))
    for sigma in (3.0, 1.5, 0.7):
        smooth = ndimage.gaussian_filter1d(way, min(sigma, len(way) / 6), axis=0)
        fine = [np.interp(steps, place, smooth[:, axis]) for axis in (0, 1)]
        row, column = np.rint(fine).astype(int)
        if mask[row, column].all():
            break
    else:
        row, column = way.astype(int).T
    drawn = np.zeros(mask.shape, np.uint8)
    drawn[row, column] = 1
    return drawn


def _depth_within(mask):
    """Distance of each pixel's center from what is outside, pixels; 0 outside."""
    return ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]


def _draw_pixel(weights, rng):
    """Draws (row, column) with chances that grow as the square of the weights."""
    chances = np.cumsum(np.square(weights, dtype=np.float64))
    pixel = np.searchsorted(chances, rng.random() * chances[-1], side="right")
    return np.unravel_index(pixel, weights.shape)
