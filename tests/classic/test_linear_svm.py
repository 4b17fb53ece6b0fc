import numpy as np
import pytest
from scipy import optimize

from kcv.classic.linear_svm import BIAS_SCALE, linear_svm, mined_svm

RNG = np.random.default_rng(0)


def clouds(positives=40, negatives=2000):
    """Two clouds that overlap a little, in five dimensions."""
    middle = np.array([2, 1, 0, 0, 0])
    return (
        RNG.normal(middle, 1, (positives, 5)).astype("float32"),
        RNG.normal(-middle, 1, (negatives, 5)).astype("float32"),
    )


def slow_svm(positives, negatives, c, positive_weight):
    """The objective written out, given to a solver that knows nothing of it."""
    x = np.concatenate([positives, negatives]).astype("float64")
    y = np.repeat([1, -1], [len(positives), len(negatives)])
    price = c * np.where(y > 0, positive_weight, 1)

    def objective(w):
        short = np.maximum(0, 1 - y * (x @ w[:-1] + w[-1] * BIAS_SCALE))
        value = 0.5 * w @ w + (price * short**2).sum()
        slope = -2 * price * short * y
        return value, w + np.append(x.T @ slope, BIAS_SCALE * slope.sum())

    found = optimize.minimize(objective, np.zeros(6), jac=True, tol=1e-12).x
    return found[:-1], found[-1] * BIAS_SCALE


def test_two_points_by_pencil():
    """At -1 and 1 with errors that cost much: the border is 0, the margins are 1."""
    weights, bias = linear_svm(np.ones((1, 1)), -np.ones((1, 1)), c=1e4)
    np.testing.assert_allclose([weights[0], bias], [1, 0], atol=0.01)


@pytest.mark.parametrize("weight", [1.0, 5.0])
def test_equals_a_slow_solver(weight):
    positives, negatives = clouds(negatives=200)
    weights, bias = linear_svm(positives, negatives, 0.01, weight)
    expected, expected_bias = slow_svm(positives, negatives, 0.01, weight)
    np.testing.assert_allclose(weights, expected, atol=2e-3)
    assert bias == pytest.approx(expected_bias, abs=2e-3)


def test_mining_gives_what_all_negatives_give():
    positives, negatives = clouds()
    weights, bias, counts = mined_svm(positives, negatives, c=1.0, first=50)
    expected, expected_bias = linear_svm(positives, negatives, c=1.0)
    np.testing.assert_allclose(weights, expected, atol=0.01)
    assert bias == pytest.approx(expected_bias, abs=0.01)
    assert counts[0] == 50 and 1 < len(counts) < 10
    assert max(counts) < 1000  # and never looked at most of them


def test_mining_ends_after_its_rounds_and_is_reproducible():
    positives, negatives = clouds()
    once = mined_svm(positives, negatives, c=1.0, first=10, rounds=2, seed=3)
    again = mined_svm(positives, negatives, c=1.0, first=10, rounds=2, seed=3)
    assert len(once[2]) == 2
    np.testing.assert_array_equal(once[0], again[0])


def test_one_class_alone_is_refused():
    some, none = np.ones((3, 2)), np.ones((0, 2))
    with pytest.raises(ValueError, match="0 positives and 3 negatives"):
        linear_svm(none, some)
    with pytest.raises(ValueError, match="3 positives and 0 negatives"):
        mined_svm(some, none)
