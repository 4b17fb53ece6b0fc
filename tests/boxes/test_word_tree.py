import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kcv.boxes.word_tree import ROOT, SCENES, WordTree, read_word_tree, word_tree
from kcv.data import scenes

ANIMALS = {"dog": "animal", "terrier": "dog", "animal": "thing", "cat": "animal",
           "hound": "dog", "plant": "thing"}  # fmt: skip
TREE = word_tree(ANIMALS)
# Words of any order, not breadth first: of a file, for example.
MIXED = WordTree(tuple("abcdefg"), (3, ROOT, 3, 1, ROOT, 4, 0))


def slow_probability(tree, scores, number):
    """Exponentials over those of the siblings, up to the root."""
    p = 1.0
    while number != ROOT:
        above = tree.parents[number]
        siblings = [i for i, parent in enumerate(tree.parents) if parent == above]
        total = sum(math.exp(scores[i] - scores[number]) for i in siblings)
        p, number = p / total, above
    return p


def slow_predict(tree, probabilities, threshold):
    at = ROOT
    while True:
        below = [i for i, parent in enumerate(tree.parents) if parent == at]
        best = max(below, key=lambda i: probabilities[i], default=None)
        if best is None or probabilities[best] < threshold:
            return at
        at = best


def test_tree_by_pencil():
    """Breadth first, siblings side by side."""
    assert TREE.names == ("animal", "plant", "dog", "cat", "terrier", "hound")
    assert TREE.parents == (ROOT, ROOT, 0, 0, 2, 2)
    assert TREE.depths().tolist() == [1, 1, 2, 2, 3, 3]
    assert MIXED.depths().tolist() == [3, 1, 3, 2, 1, 2, 4]
    assert TREE.numbers(["cat", "animal"]).tolist() == [3, 0]


def test_probabilities_by_pencil():
    """Logits of log 3 against 0 are 3/4: a dog is 3/4 of 1/2, a terrier 1/4 of it."""
    scores = np.float32([0, 0, math.log(3), 0, 0, math.log(3)])
    p = np.asarray(TREE.probabilities(scores))
    np.testing.assert_allclose(p, [1 / 2, 1 / 2, 3 / 8, 1 / 8, 3 / 32, 9 / 32], 1e-6)
    conditional = np.exp(TREE.log_conditional(scores))
    np.testing.assert_allclose(conditional, [1 / 2, 1 / 2, 3 / 4, 1 / 4, 1 / 4, 3 / 4])
    for threshold, name in ((0.2, "hound"), (0.3, "dog"), (0.4, "animal")):
        assert TREE.names[int(TREE.predict(p, threshold))] == name
    assert int(TREE.predict(p, 0.6)) == ROOT
    assert int(TREE.predict(np.float32([0.5, 0.5, 0.1, 0.4, 0, 0]), 0.5)) == 0
    assert int(TREE.predict(0.5 * p, 0.2)) == 0  # half an object is an animal at most


@pytest.mark.parametrize("name", ["animals", "mixed", "scenes"])
def test_equals_slow_loops(name):
    tree = {"animals": TREE, "mixed": MIXED, "scenes": word_tree(SCENES)}[name]
    words, rng = range(len(tree.names)), np.random.default_rng(0)
    scores = rng.normal(0, 2, (2, 3, len(words))).astype("float32")
    found = np.asarray(tree.probabilities(scores))
    predicted = np.asarray(tree.predict(found, 0.25))
    assert found.shape == scores.shape and predicted.dtype == "int32"
    for place in np.ndindex(2, 3):
        expected = [slow_probability(tree, scores[place], i) for i in words]
        np.testing.assert_allclose(found[place], expected, rtol=1e-5)
        assert predicted[place] == slow_predict(tree, found[place], 0.25)


@settings(max_examples=10)
@given(
    st.lists(st.integers(0, 10**6), min_size=1, max_size=9),
    st.sampled_from([0.0, 0.1, 0.4]),
    st.integers(0, 2**32 - 1),
)
def test_laws(seeds, threshold, seed):
    """Words of any tree: a word is the sum of those below it, the highest sum to 1."""
    parents = tuple(value % (i + 1) - 1 for i, value in enumerate(seeds))
    tree = WordTree(tuple(map(str, range(len(seeds)))), parents)
    scores = np.random.default_rng(seed).integers(-2, 3, len(seeds)).astype("float32")
    p = np.asarray(tree.probabilities(scores))
    for number in (ROOT, *range(len(seeds))):
        below = [p[i] for i, parent in enumerate(parents) if parent == number]
        whole = 1.0 if number == ROOT else p[number]
        assert not below or sum(below) == pytest.approx(whole, rel=1e-5)
    # Equal siblings, of which there are many: the first.
    assert int(tree.predict(p, threshold)) == slow_predict(tree, p, threshold)


def test_large_logits_stay_numbers():
    """Trap: exponentials of 500 of one group, of -500 of another, and NaN."""
    scores = np.float32([500, 490, -500, -510, 0, 1e4])
    logs = np.asarray(TREE.log_probabilities(scores))
    expected = [-4.5e-5, -10, -9.1e-5, -10, -1e4, -9.1e-5]
    np.testing.assert_allclose(logs, expected, rtol=0.02)
    assert int(TREE.predict(np.full(6, np.nan), 0.0)) == ROOT


def test_tree_of_scenes_has_all_its_classes_and_no_other_leaves():
    tree = word_tree(SCENES)
    numbers = tree.numbers(scenes.CLASSES)
    leaves = set(range(len(tree.names))) - set(tree.parents)
    assert set(numbers.tolist()) == leaves and len(leaves) == len(scenes.CLASSES) == 23
    highest = [name for name, up in zip(*tree) if up == ROOT]
    assert highest == ["shape", "digit", "person"]


@pytest.mark.parametrize(
    ("parents", "message"),
    [
        ({}, r"a tree has one root, got \[\]"),
        ({"a": "b", "b": "a"}, r"a tree has one root, got \[\]"),
        ({"a": "b", "c": "d"}, r"a tree has one root, got \['b', 'd'\]"),
        ({"a": "r", "b": "c", "c": "b"}, "no way leads from 'b' up to 'r': a circle"),
    ],
)
def test_refused(parents, message):
    with pytest.raises(ValueError, match=message):
        word_tree(parents)


def test_unknown_words_are_refused():
    with pytest.raises(ValueError, match="the tree has no word 'horse': add it below"):
        TREE.numbers(["dog", "horse"])


def test_answers_by_pencil():
    """Leaves, or the one word at the end of the way down; nothing where none is sure.

    p as in `test_probabilities_by_pencil`; names are not needed.
    """
    tree = TREE._replace(names=())
    scores = np.float32([0, 0, math.log(3), 0, 0, math.log(3)])
    assert tree.leaves().tolist() == [False, True, False, True, True, True]
    for threshold, expected in (
        (0, [0, 1 / 2, 0, 1 / 8, 3 / 32, 9 / 32]),
        (0.2, [0, 0, 0, 0, 0, 9 / 32]),
        (0.3, [0, 0, 3 / 8, 0, 0, 0]),
        (0.6, [0] * 6),
    ):
        both = np.asarray(tree.answers(np.stack([scores, scores]), threshold))
        np.testing.assert_allclose(both, [expected] * 2, atol=1e-6)


def test_read_from_a_file(tmp_path):
    path = tmp_path / "tree.txt"
    path.write_text("# of animals\n\ndog animal\nanimal\tliving thing  # above all\n")
    assert read_word_tree(path) == WordTree(("animal", "dog"), (ROOT, 0))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dog animal\ncat\n", r"tree.txt:2: 'cat' is not a word and the word above"),
        ("a big dog\n", r"tree.txt:1: 'a big dog' is not .*; a tab parts names"),
        ("dog pet\n\ndog animal\n", r"tree.txt:3: 'dog' stands below 'pet' already"),
        (
            "dog animal\ncat anmial\n",
            r"tree.txt: a tree has one root, got \['animal', ",
        ),
        ("a r\nb c\nc b\n", r"tree.txt: no way leads from 'b' up to 'r': a circle"),
        ("# nothing\n", r"tree.txt: a tree has one root, got \[\]"),
    ],
)
def test_files_that_hold_no_tree(tmp_path, text, message):
    path = tmp_path / "tree.txt"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_word_tree(path)
