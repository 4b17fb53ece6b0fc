import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kcv.data.readers import vqa_score


@pytest.mark.parametrize(
    ("count", "score"), [(0, 0), (1, 0.3), (2, 0.6), (3, 0.9), (4, 1), (10, 1)]
)
def test_pencil(count, score):
    """Said by 3 of 10: leaving one of them out, 2/3, three times; else 1, seven times.

    (3 * 2/3 + 7) / 10 = 0.9.
    """
    answers = ["dog"] * count + ["cat"] * (10 - count)
    assert vqa_score.soft_score("dog", answers) == pytest.approx(score)


@settings(deadline=None)
@given(st.lists(st.sampled_from("abcd"), min_size=2, max_size=12))
def test_all_subsets_one_by_one(answers):
    vocabulary = ("b", "x", "a", "d")
    expected = []
    for answer in vocabulary:
        subsets = itertools.combinations(answers, len(answers) - 1)
        scores = [min(subset.count(answer) / 3, 1) for subset in subsets]
        expected.append(sum(scores) / len(scores))
    scores = vqa_score.soft_scores(answers, vocabulary)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, expected, atol=1e-6)
    for answer, score in zip(vocabulary, expected):
        assert vqa_score.soft_score(answer, answers) == pytest.approx(score)


@pytest.mark.parametrize(
    ("answer", "normal"),
    [
        ("Two dogs!", "2 dogs"),
        ("the  Cat\n", "cat"),
        ("a", ""),
        ("NONE", "0"),
        ("black/white", "black white"),
        ("black / white", "black white"),
        ("1,000", "1000"),
        ("2.5 m.", "2.5 m"),
        ("dont know", "don't know"),
        ("Don't", "don't"),
        ("couldnt've", "couldn't've"),
        ("couldn'tve", "couldn't've"),
        ("shed've", "she'd've"),
        ("y'allll", "y'all'll"),
        ("twas", "'twas"),
        ("somebody'd", "somebodyd"),
        ("t-shirt", "t shirt"),
        ("", ""),
    ],
)
def test_normalise(answer, normal):
    """By the official rules; checked against the published evaluation code."""
    assert vqa_score.normalise(answer) == normal


@settings(deadline=None)
@given(st.text("abt'd23., -/the", max_size=20))
def test_normalised_text_has_no_marks(text):
    normal = vqa_score.normalise(text)
    assert normal == " ".join(normal.split())
    assert not set(normal) & set(",-/")
    assert "the" not in normal.split()
