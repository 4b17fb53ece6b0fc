"""WordTree: classes as a tree of words, each judged among its siblings.

Paper: J. Redmon, A. Farhadi, "YOLO9000: Better, Faster, Stronger", 2017, section 4,
https://arxiv.org/abs/1612.08242

A network gives every word a logit. The softmax over siblings is the probability of a
word given the one above it; the product on the way up to the root is the word's own.
The root is any object at all: it has no logit, a detector's objectness stands for it.
`kcv.edge.words` answers the same in NumPy.

Differs from the paper: a word has one word above it. WordNet gives some of them
several: choose before, as the authors do, the path that adds the fewest words.
"""

import pathlib
from typing import NamedTuple

import numpy as np
from keras import ops

ROOT = -1

# The classes of kcv.data.scenes and the words above them: {word: the word above it}.
SCENES = {
    **dict.fromkeys(("shape", "digit", "person"), "thing"),
    **dict.fromkeys(("curved", "angular"), "shape"),
    **dict.fromkeys(("circle", "ring", "crescent", "heart", "drop"), "curved"),
    **dict.fromkeys(("square", "triangle", "star", "cross", "arrow"), "angular"),
    **dict.fromkeys(("hexagon", "diamond"), "angular"),
    **{f"digit_{value}": "digit" for value in range(10)},
}


class WordTree(NamedTuple):
    """Words by number; `word_tree` makes one of names.

    Args:
        names: of the words, without the root; () where only probabilities are asked.
        parents: the number of the word above each, ROOT for the highest words.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]

    def log_conditional(self, scores):
        """Logarithms of the probabilities of words, given the words above them.

        Args:
            scores: float (..., words), logits.

        Returns:
            float32 (..., words); the probabilities of siblings sum to 1.
        """
        groups, count = self._siblings()
        x = ops.moveaxis(ops.cast(scores, "float32"), -1, 0)
        high = ops.stop_gradient(ops.segment_max(x, groups, count))
        x = x - ops.take(high, groups, axis=0)
        total = ops.log(ops.segment_sum(ops.exp(x), groups, count))
        return ops.moveaxis(x - ops.take(total, groups, axis=0), 0, -1)

    def log_probabilities(self, scores):
        """Logarithms of the words' own probabilities, given that there is an object.

        Args:
            scores: float (..., words), logits.

        Returns:
            float32 (..., words); a word has the sum of the words below it.
        """
        x = ops.moveaxis(self.log_conditional(scores), -1, 0)
        return ops.moveaxis(self._along_paths(x), 0, -1)

    def probabilities(self, scores):
        """The words' own probabilities, float32 (..., words) in 0..1."""
        return ops.exp(self.log_probabilities(scores))

    def answers(self, scores, threshold=0.0):
        """The probabilities of the words that a detector answers with, 0 of all others.

        Args:
            scores: float (..., words), logits.
            threshold: 0 for the words with none below them; above it, for the one word
                of `predict`.

        Returns:
            float32 (..., words), 0..1.
        """
        found = self.probabilities(scores)
        if threshold:
            word = self.predict(found, threshold)
            chosen = ops.equal(np.arange(len(self.parents)), word[..., None])
        else:
            chosen = self.leaves()
        return ops.where(chosen, found, 0.0)

    def leaves(self) -> np.ndarray:
        """Bool (words,), whether there is no word below it."""
        return ~np.isin(np.arange(len(self.parents)), self.parents)

    def predict(self, probabilities, threshold=0.5):
        """Goes down the tree by the best word at every split, while it is sure enough.

        Args:
            probabilities: float (..., words), of `probabilities`, or times the
                probability of an object.
            threshold: the least probability of the word that is answered.

        Returns:
            int32 (...,), the lowest word that was reached, or ROOT where none of the
            highest is sure enough. Of equal siblings the first is the best.
        """
        groups, count = self._siblings()
        x = ops.moveaxis(ops.cast(probabilities, "float32"), -1, 0)
        number = self._column(np.arange(len(self.parents), dtype="int32"), x)
        best = ops.take(ops.segment_max(x, groups, count), groups, axis=0)
        # Words that are not the best are as good as after the last one.
        first = ops.where(ops.equal(x, best), number, len(self.parents))
        first = ops.take(ops.segment_min(first, groups, count), groups, axis=0)
        beaten = self._along_paths(ops.cast(first != number, "float32"))
        reached = (beaten == 0) & (x >= threshold)  # one path, from the top
        depths = ops.where(reached, self._column(self.depths(), x), 0)
        lowest = ops.cast(ops.argmax(depths, axis=0), "int32")
        return ops.where(ops.any(reached, axis=0), lowest, ROOT)

    def depths(self) -> np.ndarray:
        """int32 (words,), 1 for the highest words."""
        depths, above = np.ones(len(self.parents), "int32"), np.array(self.parents)
        while (above >= 0).any():
            depths += above >= 0
            above = np.where(above >= 0, np.array(self.parents)[above], ROOT)
        return depths

    def numbers(self, names) -> np.ndarray:
        """The words' numbers, such as of the classes of a data set.

        Args:
            names: of words.

        Returns:
            int32 (names,).

        Raises:
            ValueError: the tree has no such word.
        """
        known = {name: number for number, name in enumerate(self.names)}
        unknown = [name for name in names if name not in known]
        if unknown:
            raise ValueError(
                f"the tree has no word {unknown[0]!r}: add it below another"
            )
        return np.array([known[name] for name in names], "int32")

    def _siblings(self):
        """Which group of siblings each word is in, and how many groups there are."""
        above, groups = np.unique(self.parents, return_inverse=True)
        return groups.astype("int32"), len(above)

    def _along_paths(self, x):
        """Adds to each word (words, ...) all above it, by jumps that grow twofold."""
        above = np.array(self.parents)
        while (above >= 0).any():
            higher = ops.take(x, np.maximum(above, 0), axis=0)
            x = x + ops.where(self._column(above >= 0, x), higher, 0.0)
            above = np.where(above >= 0, above[above], ROOT)
        return x

    def _column(self, values, x):
        """Values (words,) beside x (words, ...)."""
        return ops.reshape(values, (-1, *[1] * (len(x.shape) - 1)))


def word_tree(parents) -> WordTree:
    """A tree of names, breadth first, siblings side by side in the order given.

    Args:
        parents: {word: the word above it}; the one that is above but not below any
            other is the root.

    Returns:
        WordTree.

    Raises:
        ValueError: there is no root or more than one, or words stand in a circle.
    """
    roots = list(dict.fromkeys(x for x in parents.values() if x not in parents))
    if len(roots) != 1:
        raise ValueError(
            f"a tree has one root, got {roots}: the words that are above others and "
            "have none above them"
        )
    below = {}
    for name, above in parents.items():
        below.setdefault(above, []).append(name)
    names, numbers = [], []
    waiting = [(roots[0], ROOT)]
    for above, number in waiting:  # grows while it is read
        for name in below.get(above, ()):
            waiting.append((name, len(names)))
            names.append(name)
            numbers.append(number)
    if len(names) < len(parents):
        lost = next(name for name in parents if name not in names)
        raise ValueError(f"no way leads from {lost!r} up to {roots[0]!r}: a circle")
    return WordTree(tuple(names), tuple(numbers))


def read_word_tree(path) -> WordTree:
    """A tree from a text file.

    A line says a word and the word above it: `terrier dog`. Names that have spaces have
    a tab between them. What follows a # is for people.

    Args:
        path: of the file, UTF-8.

    Returns:
        WordTree, see `word_tree`.

    Raises:
        ValueError: a line is not of this form, a word stands twice, or these words are
            no tree.
        FileNotFoundError: there is no such file.
    """
    parents, rows = {}, pathlib.Path(path).read_text(encoding="utf-8").splitlines()
    for number, row in enumerate(rows, 1):
        row = row.split("#")[0].strip()
        if not row:
            continue
        words = [word.strip() for word in row.split("\t" if "\t" in row else None)]
        if len(words) != 2:
            raise ValueError(
                f"{path}:{number}: {row!r} is not a word and the word above it; a tab "
                "parts names that have spaces"
            )
        word, above = words
        if word in parents:
            raise ValueError(
                f"{path}:{number}: {word!r} stands below {parents[word]!r} already: "
                "a word has one word above it"
            )
        parents[word] = above
    try:
        return word_tree(parents)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
