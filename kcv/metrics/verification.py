"""Metrics of verification, in NumPy: pairs and their similarities in, numbers out."""

import numpy as np


def pairs(labels, count: int | None = None, seed: int = 0):
    """Draws pairs of different pictures.

    Args:
        labels: int (n,), who or what is in each picture.
        count: how many pairs of the same, and of others; None for all there are.
        seed: of the draw.

    Returns:
        indices int64 (m, 2), and same, bool (m,).

    Raises:
        ValueError: if there are fewer pairs of a kind than wanted.
    """
    labels = np.asarray(labels)
    indices = np.stack(np.triu_indices(len(labels), k=1), axis=1)
    same = labels[indices[:, 0]] == labels[indices[:, 1]]
    if count is None:
        return indices, same
    chosen = []
    for kind, name in ((same, "the same"), (~same, "two")):
        found = np.flatnonzero(kind)
        if len(found) < count:
            raise ValueError(
                f"{count} pairs wanted, but there are {len(found)} of {name}: ask for "
                "fewer"
            )
        chosen.append(np.random.default_rng(seed).choice(found, count, replace=False))
    chosen = np.concatenate(chosen)
    return indices[chosen], same[chosen]


def similarities(embeddings, indices) -> np.ndarray:
    """Cosines of (n, width) embeddings of length 1 for the pairs (m, 2): (m,)."""
    embeddings = np.asarray(embeddings)
    first, second = embeddings[indices[:, 0]], embeddings[indices[:, 1]]
    return np.einsum("mw,mw->m", first, second)


def roc_curve(same, scores):
    """False and true accept rates at every threshold that tells pairs apart.

    Args:
        same: bool (m,), whether a pair is of the same.
        scores: float (m,), higher for more alike.

    Returns:
        (false, true, thresholds), each (t,), from (0, 0) at infinity to (1, 1): a pair
        is accepted whose score is at least the threshold.

    Raises:
        ValueError: if shapes do not fit, a score is NaN or a kind of pair is missing.
    """
    same, scores = np.asarray(same, bool), np.asarray(scores, "float64")
    if same.shape != scores.shape or same.ndim != 1:
        raise ValueError(f"{same.shape} pairs but {scores.shape} scores")
    if np.isnan(scores).any():
        raise ValueError("scores hold NaN, which has no rank")
    if same.all() or not same.any():
        raise ValueError(
            f"{same.sum()} of {len(same)} pairs are of the same: give pairs of both "
            "kinds"
        )
    thresholds, first = np.unique(-scores, return_inverse=True)
    true = np.bincount(first, weights=same).cumsum() / same.sum()
    false = np.bincount(first, weights=~same).cumsum() / (~same).sum()
    start = np.zeros(1)
    thresholds = np.concatenate([[np.inf], -thresholds])
    return np.append(start, false), np.append(start, true), thresholds


def area_under_curve(same, scores) -> float:
    """The share of all two pairs, one of each kind, that stand in the right order."""
    false, true, _ = roc_curve(same, scores)
    return float(np.sum(np.diff(false) * (true[1:] + true[:-1]) / 2))


def equal_error_rate(same, scores) -> float:
    """Where as many of the same are refused as of others are accepted, in [0, 1].

    Between two thresholds the curve is a straight line.
    """
    false, true, _ = roc_curve(same, scores)
    excess = false + true - 1  # rises from -1 to 1
    after = int(np.argmax(excess >= 0))
    low, high = excess[after - 1], excess[after]
    share = -low / (high - low)
    return float(false[after - 1] + share * (false[after] - false[after - 1]))


def true_accept_rate(same, scores, false_accept_rate: float) -> float:
    """The largest share of the same that is accepted with no more others than that."""
    false, true, _ = roc_curve(same, scores)
    return float(true[false <= false_accept_rate].max())


def threshold_at_equal_error(same, scores) -> float:
    """The score from which pairs count as of the same, at the equal error rate."""
    false, true, thresholds = roc_curve(same, scores)
    gap = np.abs(false + true - 1)
    gap[0] = np.inf  # the threshold there is infinite
    return float(thresholds[int(np.argmin(gap))])
