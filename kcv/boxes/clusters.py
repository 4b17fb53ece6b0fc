"""Anchor shapes by k-means on the boxes of a data set, in NumPy.

Paper: J. Redmon, A. Farhadi, "YOLO9000: Better, Faster, Stronger", 2017, section 2
("Dimension Clusters"), https://arxiv.org/abs/1612.08242

The distance is 1 - IoU of two boxes with one centre, so that large boxes do not decide.
"""

import numpy as np


def iou_of_sizes(sizes, shapes) -> np.ndarray:
    """IoU of boxes with one centre.

    Args:
        sizes: float (n, 2), width and height.
        shapes: float (k, 2), likewise.

    Returns:
        float64 (n, k), 0..1.
    """
    sizes, shapes = np.asarray(sizes, "float64"), np.asarray(shapes, "float64")
    common = np.minimum(sizes[:, None], shapes[None]).prod(axis=2)
    return common / (sizes.prod(axis=1)[:, None] + shapes.prod(axis=1) - common)


def mean_best_iou(sizes, shapes) -> float:
    """Mean over boxes of the IoU with their best shape, table 1 of the paper."""
    return float(iou_of_sizes(sizes, shapes).max(axis=1).mean())


def anchor_shapes(sizes, count: int, seed: int = 0, rounds: int = 300) -> np.ndarray:
    """Clusters box sizes.

    A centre is the mean of its boxes. Means do not always raise the IoU, so the best
    round's centres are returned.

    Args:
        sizes: float (n, 2), width and height of boxes, in the unit wanted for shapes.
        count: of shapes; the paper takes 5.
        seed: of the first centres, which are boxes far apart in the distance.
        rounds: at most; fewer once no box changes its centre.

    Returns:
        float32 (count, 2), width and height, by rising area.

    Raises:
        ValueError: sizes are not finite and positive, or fewer than `count` differ.
    """
    sizes = np.asarray(sizes, "float64").reshape(-1, 2)
    bad = ~(np.isfinite(sizes) & (sizes > 0)).all(axis=1)
    if bad.any():
        raise ValueError(
            f"{bad.sum()} of {len(sizes)} sizes are not positive, the first is "
            f"{sizes[bad][0].tolist()}: leave empty slots out"
        )
    different = len(np.unique(sizes, axis=0))
    if not 1 <= count <= different:
        raise ValueError(f"{count} shapes wanted of {different} different sizes")
    shapes = _first(sizes, count, np.random.default_rng(seed))
    best, best_iou, nearest = shapes, mean_best_iou(sizes, shapes), None
    for _ in range(rounds):
        iou = iou_of_sizes(sizes, shapes)
        before, nearest = nearest, iou.argmax(axis=1)
        if before is not None and (nearest == before).all():
            break
        shapes = shapes.copy()
        for k in range(count):
            mine = nearest == k
            # A centre that lost all its boxes starts again at the worst served box.
            worst = sizes[iou.max(axis=1).argmin()]
            shapes[k] = sizes[mine].mean(axis=0) if mine.any() else worst
        mean = mean_best_iou(sizes, shapes)
        if mean > best_iou:
            best, best_iou = shapes, mean
    return best[np.argsort(best.prod(axis=1), kind="stable")].astype("float32")


def _first(sizes, count, rng):
    """k-means++: each next centre is drawn by its squared distance to those so far."""
    chosen = [sizes[rng.integers(len(sizes))]]
    for _ in range(count - 1):
        distance = 1 - iou_of_sizes(sizes, np.array(chosen)).max(axis=1)
        weight = np.where(distance > 1e-12, distance, 0) ** 2
        chosen.append(sizes[rng.choice(len(sizes), p=weight / weight.sum())])
    return np.array(chosen)
