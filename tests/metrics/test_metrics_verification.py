import numpy as np
import pytest
from sklearn import metrics as oracle

from kcv.metrics import verification as ours


@pytest.fixture(params=[None, 1], ids=["untied", "tied"])
def scored(request):
    rng = np.random.default_rng(0)
    same = rng.uniform(size=400) < 0.3
    scores = rng.normal(size=400) + 1.2 * same
    return same, scores if request.param is None else scores.round(request.param)


def test_curve_equals_scikit_learn(scored):
    for got, wanted in zip(
        ours.roc_curve(*scored), oracle.roc_curve(*scored, drop_intermediate=False)
    ):
        np.testing.assert_allclose(got, wanted, rtol=1e-12)
    area = oracle.roc_auc_score(*scored)
    assert ours.area_under_curve(*scored) == pytest.approx(area)


def test_equal_error_rate_lies_where_both_errors_meet(scored):
    false, true, _ = oracle.roc_curve(*scored, drop_intermediate=False)
    fine = np.linspace(0, 1, 200_001)
    gap = np.abs(fine - (1 - np.interp(fine, false, true)))
    assert ours.equal_error_rate(*scored) == pytest.approx(fine[gap.argmin()], abs=2e-3)


def test_by_pencil():
    """Best first: same, same, other, same, other, other.

    Thresholds give (0, 1/3), (0, 2/3), (1/3, 2/3), (1/3, 1), ...: at (1/3, 2/3) a third
    of each is wrong. Eight of nine two pairs stand right.
    """
    same, scores = [1, 1, 0, 1, 0, 0], [6, 5, 4, 3, 2, 1]
    assert ours.equal_error_rate(same, scores) == pytest.approx(1 / 3)
    assert ours.area_under_curve(same, scores) == pytest.approx(8 / 9)
    assert ours.true_accept_rate(same, scores, 0.0) == pytest.approx(2 / 3)
    assert ours.true_accept_rate(same, scores, 0.3) == pytest.approx(2 / 3)
    assert ours.true_accept_rate(same, scores, 0.34) == 1


@pytest.mark.parametrize(
    ("scores", "rate"), [([2, 2, 1, 1], 0), ([1, 1, 2, 2], 1), ([1, 1, 1, 1], 0.5)]
)
def test_perfect_inverted_and_blind(scores, rate):
    assert ours.equal_error_rate([1, 1, 0, 0], scores) == pytest.approx(rate)


def test_all_pairs_by_pencil():
    indices, same = ours.pairs([7, 8, 7])
    np.testing.assert_array_equal(indices, [[0, 1], [0, 2], [1, 2]])
    np.testing.assert_array_equal(same, [False, True, False])


def test_drawn_pairs():
    labels = np.random.default_rng(0).integers(5, size=60)
    indices, same = ours.pairs(labels, 40, seed=3)
    assert indices.shape == (80, 2) and same.sum() == 40
    np.testing.assert_array_equal(labels[indices[:, 0]] == labels[indices[:, 1]], same)
    assert len({tuple(pair) for pair in indices}) == 80
    again, _ = ours.pairs(labels, 40, seed=3)
    np.testing.assert_array_equal(again, indices)
    assert np.any(ours.pairs(labels, 40, seed=4)[0] != indices)


def test_similarities_are_cosines():
    embeddings = np.array([[1.0, 0], [0.6, 0.8], [0, 1]])
    cosines = ours.similarities(embeddings, np.array([[0, 1], [0, 2], [1, 2]]))
    np.testing.assert_allclose(cosines, [0.6, 0, 0.8])


def test_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match=r"\(2,\) pairs but \(3,\) scores"):
        ours.roc_curve([1, 0], [1, 2, 3])
    with pytest.raises(ValueError, match="scores hold NaN"):
        ours.roc_curve([1, 0], [1, np.nan])
    with pytest.raises(ValueError, match="2 of 2 pairs are of the same: give pairs of"):
        ours.equal_error_rate([1, 1], [1, 2])
    with pytest.raises(ValueError, match="2 pairs wanted, but there are 1 of the same"):
        ours.pairs([1, 1, 2], 2)
    with pytest.raises(ValueError, match="5 pairs wanted, but there are 4 of two"):
        ours.pairs([1] * 4 + [2], 5)
