"""Linear support vector machines, trained on the negatives that are hard.

Papers: P. Felzenszwalb, R. Girshick, D. McAllester and D. Ramanan, "Object Detection
with Discriminatively Trained Part-Based Models", PAMI 2010, section 4.4 (mining),
https://doi.org/10.1109/TPAMI.2009.167; R. Girshick et al., "Rich feature hierarchies",
2014, section 2.3 and appendix B, https://arxiv.org/abs/1311.2524

Differs from the papers: the hinge is squared, which scikit-learn's primal solver needs;
it is the fast one where examples are many.
"""

import numpy as np
from sklearn.svm import LinearSVC

HARD, EASY = -1.0, -1.2  # scores: within the margin; far enough behind it to forget
BIAS_SCALE = 10.0  # a large constant feature: the bias is hardly regularised


def linear_svm(positives, negatives, c: float = 1e-3, positive_weight: float = 2.0):
    """Trains a machine on all that it is given.

    Args:
        positives: float (n, features).
        negatives: float (m, features).
        c: weight of the errors against the length of the weights.
        positive_weight: of the errors of positives against those of negatives.

    Returns:
        (weights float32 (features,), bias float): the score of x is weights x + bias.

    Raises:
        ValueError: there is no positive or no negative.
    """
    if not len(positives) or not len(negatives):
        raise ValueError(
            f"{len(positives)} positives and {len(negatives)} negatives: a machine "
            "needs one of each or more"
        )
    found = LinearSVC(
        C=c,
        dual=False,
        class_weight={1: positive_weight, 0: 1.0},
        intercept_scaling=BIAS_SCALE,
        max_iter=1000,
        tol=1e-4,
    )
    examples = np.concatenate([positives, negatives])
    labels = np.repeat([1, 0], [len(positives), len(negatives)])
    found.fit(examples, labels)
    return found.coef_[0].astype("float32"), float(found.intercept_[0])


def mined_svm(
    positives,
    negatives,
    c: float = 1e-3,
    positive_weight: float = 2.0,
    first: int = 1000,
    rounds: int = 10,
    seed: int = 0,
):
    """Trains on few negatives at a time, those that the last machine had wrong.

    After each round the negatives with a score above -1 join and those below -1.2 go.
    Negatives beyond the margin have no error, so once none joins, the machine is the
    one that all negatives would give.

    Args:
        positives: float (n, features).
        negatives: float (m, features).
        c: as for `linear_svm`.
        positive_weight: likewise.
        first: negatives of the first round, drawn by lot.
        rounds: the most; mining mostly ends before.
        seed: of the lot.

    Returns:
        (weights, bias) of `linear_svm`, and the number of negatives of each round.
    """
    chosen = np.zeros(len(negatives), bool)
    lot = np.random.default_rng(seed).permutation(len(negatives))
    chosen[lot[:first]] = True
    counts = []
    while True:
        weights, bias = linear_svm(positives, negatives[chosen], c, positive_weight)
        counts.append(int(chosen.sum()))
        scores = negatives @ weights + bias
        new = (scores > HARD) & ~chosen
        if not new.any() or len(counts) >= rounds:
            return weights, bias, counts
        chosen = (chosen & (scores >= EASY)) | new
