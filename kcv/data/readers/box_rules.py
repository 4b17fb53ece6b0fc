"""Which boxes of an annotation file are accepted: one rule for all formats."""

import numpy as np

MAX_OUTSIDE = 1.0  # pixels that a box may stick out; it is clipped


def check_boxes(boxes, widths, heights, max_outside=MAX_OUTSIDE):
    """Clips what sticks out by little and says what is wrong with the others.

    Args:
        boxes: float64 (n, 4), x1, y1, x2, y2 in continuous pixels.
        widths: (n,) or a number, of the images.
        heights: Likewise.
        max_outside: Pixels that a box may stick out.

    Returns:
        boxes, float32 (n, 4), clipped; {index: what is wrong} of the malformed.
    """
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    limits = np.empty_like(boxes)
    limits[:, 0] = limits[:, 2] = widths
    limits[:, 1] = limits[:, 3] = heights
    clipped = np.clip(boxes, 0, limits)
    numbers = np.isfinite(boxes).all(axis=1)
    area = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
    with np.errstate(invalid="ignore"):  # infinity less infinity is NaN: not inside
        inside = (np.abs(boxes - clipped) <= max_outside).all(axis=1)
    left = (clipped[:, 2] > clipped[:, 0]) & (clipped[:, 3] > clipped[:, 1])
    problems = {}
    for index in np.flatnonzero(~(numbers & area & inside & left)).tolist():
        box = ", ".join(f"{value:g}" for value in boxes[index])
        if not numbers[index]:
            problem = "is not of numbers"
        elif not area[index]:
            problem = "has no area"
        else:
            size = "{:g} x {:g}".format(*limits[index, :2])
            problem = f"lies outside of the image of {size}"
        problems[index] = f"box ({box}) {problem}"
    return clipped.astype(np.float32), problems


def boxes_of_masks(masks):
    """Returns the tight boxes, float32 (n, 4), of masks (n, h, w); 0 for empty ones."""
    masks = np.asarray(masks)
    boxes = np.zeros((len(masks), 4), np.float32)
    for box, mask in zip(boxes, masks):
        columns, rows = np.flatnonzero(mask.any(0)), np.flatnonzero(mask.any(1))
        if len(columns):
            box[:] = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
    return boxes
