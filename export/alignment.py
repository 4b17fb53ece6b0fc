"""Rows of boxes in another order: how a file's proposals are compared with Keras's.

Proposals come by falling score. Where a picture is flat, scores of many anchors are
equal but for rounding, and a file may take them in another order, or another of two
that overlap; what it says of each is the same.
"""

import numpy as np

from kcv.export.errors import ExportError

BOXES = "proposals"  # the output whose rows are looked for
MOST_LOST = 0.05  # of the rows


def aligned(expected: dict, actual: dict, bound: float) -> tuple[dict, dict]:
    """Puts rows of the file's outputs where Keras has the same boxes.

    Args:
        expected: Keras, output -> float32 (n, rows, ...); BOXES is (n, rows, 4).
        actual: the file, likewise.
        bound: deviation up to which boxes are the same, see `deviation`.

    Returns:
        Both, with 0 in rows of boxes that only one of them has. Unchanged where there
        is no output BOXES.

    Raises:
        ExportError: more than MOST_LOST of the rows are of such boxes.
    """
    if BOXES not in expected:
        return expected, actual
    boxes, others = expected[BOXES], actual[BOXES]
    tolerance = bound * max(float(np.abs(boxes).max()), 1.0)
    places = np.stack([_partners(*pair, tolerance) for pair in zip(boxes, others)])
    there = places >= 0
    lost = 1 - there.mean()
    if lost > MOST_LOST:
        raise ExportError(
            f"output {BOXES!r}: {lost:.1%} of its boxes are not among those of Keras, "
            f"more than {MOST_LOST:.0%}"
        )
    rows = (np.arange(len(places))[:, None], np.maximum(places, 0))
    ours, theirs = {}, {}
    for name, values in expected.items():
        ours[name], theirs[name] = values, actual[name]
        if values.shape[:2] == places.shape:
            seen = there.reshape(*places.shape, *[1] * (values.ndim - 2))
            ours[name] = np.where(seen, values, 0)
            theirs[name] = np.where(seen, actual[name][rows], 0)
    return ours, theirs


def _partners(boxes, others, tolerance):
    """For each box (n, 4) the place of the nearest one left of the others, or -1."""
    distances = np.abs(boxes[:, None] - others).max(axis=-1)
    places = np.full(len(boxes), -1)
    for row in range(len(boxes)):
        nearest = distances[row].argmin()
        if distances[row, nearest] <= tolerance:
            places[row] = nearest
            distances[:, nearest] = np.inf
    return places
