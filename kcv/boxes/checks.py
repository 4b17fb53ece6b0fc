"""Which boxes are bad, and why; for arrays of NumPy, before anything learns of them."""

import numpy as np

SHOWN = 3  # bad boxes named in one error


def faults(boxes, image_size=None, classes=None) -> dict[int, str]:
    """What is wrong with boxes; how many are is the length of the answer.

    Args:
        boxes: float (n, 4), x1, y1, x2, y2 in pixels.
        image_size: (height, width), of which a good box covers a part; None: any.
        classes: int (n,); slots of class -1 are empty and never bad. None: all count.

    Returns:
        {index: the box and its fault}, in the order of boxes. A box that only sticks
        out of the image is not bad: clip it.
    """
    boxes = np.asarray(boxes, "float64").reshape(-1, 4)
    x1, y1, x2, y2 = boxes.T
    height, width = image_size or (np.inf, np.inf)
    with np.errstate(invalid="ignore"):  # NaN compares as false, and comes first
        tests = {
            "is not of finite numbers": ~np.isfinite(boxes).all(axis=1),
            "has x2 < x1": x2 < x1,
            "has y2 < y1": y2 < y1,
            "has no area": (x2 == x1) | (y2 == y1),
            f"lies outside of the image, {width} wide and {height} high": (
                (x2 <= 0) | (y2 <= 0) | (x1 >= width) | (y1 >= height)
            ),
        }
    if image_size is None:
        tests.popitem()
    used = np.ones(len(boxes), bool) if classes is None else np.asarray(classes) >= 0
    found = {}
    for index in np.flatnonzero(used & np.any(list(tests.values()), axis=0)).tolist():
        fault = next(name for name, bad in tests.items() if bad[index])
        numbers = ", ".join(f"{value:g}" for value in boxes[index])
        found[index] = f"box {index} ({numbers}) {fault}"
    return found


def check(boxes, image_size=None, classes=None):
    """Refuses boxes of which any is bad; the arguments are those of `faults`.

    Raises:
        ValueError: naming the first bad boxes and how many there are.
    """
    found = list(faults(boxes, image_size, classes).values())
    if found:
        more = ", ..." if len(found) > SHOWN else ""
        raise ValueError(
            f"{len(found)} of {len(np.reshape(boxes, (-1, 4)))} boxes are bad: "
            f"{', '.join(found[:SHOWN])}{more}; correct or remove them"
        )
