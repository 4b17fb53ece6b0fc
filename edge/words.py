"""Trees of words on a device, in NumPy; see `kcv.boxes.word_tree`.

Every word has a logit, and the words below one are judged among each other. `parents`
has the number of the word above each, smaller than its own, or -1.
"""

import numpy as np


def answers(scores, parents, threshold=0.0):
    """The probabilities of the words that a detector answers with, 0 of all others.

    Args:
        scores: float (n, words), logits.
        parents: int (words,).
        threshold: 0 for all words with none below them; above it, for the one word at
            the end of the way down by the likeliest, as long as they are as likely.

    Returns:
        float32 (n, words), 0..1.
    """
    found = probabilities(scores, parents)
    if threshold <= 0:
        below = np.isin(np.arange(len(parents)), parents)
        return np.where(below, np.float32(0), found)
    rows, lowest = np.arange(len(found)), np.full(len(found), -1)
    for above, words in _siblings(parents):
        best = words[found[:, words].argmax(axis=1)]
        here = (lowest == above) & (found[rows, best] >= threshold)
        lowest = np.where(here, best, lowest)
    chosen = np.arange(len(parents)) == lowest[:, None]
    return np.where(chosen, found, np.float32(0))


def probabilities(scores, parents):
    """The words' own probabilities, float32 (n, words), each of those above it, too."""
    scores = np.asarray(scores, "float32")
    found = np.empty_like(scores)
    for above, words in _siblings(parents):  # the word above is done before
        logits = scores[:, words]
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        powers /= powers.sum(axis=1, keepdims=True)
        found[:, words] = powers if above < 0 else powers * found[:, above, None]
    return found


def are_parents(parents) -> bool:
    """Whether each word stands after the one above it, or has none."""
    return all(-1 <= above < word for word, above in enumerate(parents))


def _siblings(parents):
    """Yields (the word above, the words below it), from the top down."""
    parents = np.asarray(parents)
    order = np.argsort(parents, kind="stable")
    above, first = np.unique(parents[order], return_index=True)
    yield from zip(above.tolist(), np.split(order, first[1:]))
