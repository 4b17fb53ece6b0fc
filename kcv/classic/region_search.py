"""Selective search that keeps its regions: pixels where an object may be.

Paper: J. R. R. Uijlings et al., "Selective Search for Object Recognition", IJCV 2013,
https://doi.org/10.1007/s11263-013-0620-5

Regions of all groupings are made of the first regions of their segmentation. So the
pixels that two have in common are sums over a table of two segmentations, and thousands
of regions are compared without looking at a pixel.
"""

import numpy as np

from kcv.classic.grouping import Regions
from kcv.classic.images import checked
from kcv.classic.segments import Segments, share_of_union, suppressed
from kcv.classic.selective_search import SAME, SPACES, STRATEGIES, check_strategies

MOST = 2000  # regions that are compared with each other


def region_search(image, strategies=STRATEGIES, min_side: int = 4) -> Segments:
    """Regions of objects of any class.

    Args:
        image: as for `selective_search`.
        strategies: likewise.
        min_side: likewise, of the box around a region.

    Returns:
        Segments, best first: regions that many segmentations agree on, and that are not
        much like a better one. None has the pixels of another.

    Raises:
        ValueError: as `selective_search`.
    """
    image = checked(image)
    check_strategies(strategies)
    found = {}
    for space, scale, kinds in strategies:
        key = (space, scale)
        if key not in found:
            found[key] = Regions(SPACES[space](image / 255), scale), [], []
        regions, boxes, parts = found[key]
        grouped, members = regions.hierarchy(kinds)
        large = (grouped[:, 2:] - grouped[:, :2] >= min_side).all(axis=1)
        boxes.append(grouped[large])
        parts.append(members[large])
    tables = []
    for regions, boxes, parts in found.values():
        parts, first = np.unique(np.concatenate(parts), axis=0, return_index=True)
        tables.append((regions.labels, np.concatenate(boxes)[first], parts))
    owner = np.concatenate([np.full(len(t[2]), i) for i, t in enumerate(tables)])
    place = np.concatenate([np.arange(len(t[2])) for t in tables])
    agreement = _agreement(tables)
    order = np.argsort(-agreement, kind="stable")[:MOST]
    overlaps = _overlaps(tables, owner[order], place[order])
    order = order[_ranking(overlaps)]
    boxes, bits = np.zeros((len(order), 4), "float32"), []
    for box, at in zip(boxes, order):
        labels, of_table, parts = tables[owner[at]]
        box[:] = of_table[place[at]]
        x1, y1, x2, y2 = box.astype(int)
        bits.append(np.packbits(parts[place[at]][labels[y1:y2, x1:x2]]))
    return Segments(boxes, bits)


def _ranking(overlaps):
    """Places of regions, those first that no better one is like; of equals the best."""
    late = suppressed(overlaps, SAME)
    again = suppressed(overlaps, 1 - 1e-6)
    return np.concatenate([np.flatnonzero(~late), np.flatnonzero(late & ~again)])


def _agreement(tables):
    """Sum of the IoU with the most similar region of each segmentation, (n,)."""
    rows = []
    for one in tables:
        best = [_table_overlaps(one, other).max(axis=1, initial=0) for other in tables]
        rows.append(sum(best))
    return np.concatenate(rows)


def _overlaps(tables, owner, place):
    """IoU of all pairs of some regions, float32 (n, n)."""
    found = np.zeros((len(owner), len(owner)), "float32")
    chosen = [np.flatnonzero(owner == i) for i in range(len(tables))]
    few = [(x[0], x[1], x[2][place[at]]) for x, at in zip(tables, chosen)]
    for one, rows in zip(few, chosen):
        for other, columns in zip(few, chosen):
            found[np.ix_(rows, columns)] = _table_overlaps(one, other)
    return found


def _table_overlaps(one, other):
    """IoU of the regions of two segmentations, (n, m)."""
    (labels, _, parts), (others, _, other_parts) = one, other
    counts = parts.shape[1], other_parts.shape[1]
    pairs = labels.astype("int64") * counts[1] + others
    common = np.bincount(pairs.ravel(), minlength=counts[0] * counts[1])
    common = common.reshape(counts).astype("float32")
    sizes = parts @ common.sum(axis=1), other_parts @ common.sum(axis=0)
    shared = parts.astype("float32") @ common @ other_parts.T.astype("float32")
    return share_of_union(shared, *sizes)
