import numpy as np
import pytest
from sklearn.linear_model import Ridge

from kcv.boxes.coding import decode
from kcv.classic.box_regression import box_regression, pairs, ridge

RNG = np.random.default_rng(0)


def test_one_feature_by_pencil():
    """x = -1, 1 and y = 0, 4: slope 4 / (2 + lambda), around a mean of 2."""
    kernel, bias = ridge(np.array([[-1.0], [1.0]]), np.array([[0.0], [4.0]]), 2.0)
    np.testing.assert_allclose([kernel[0, 0], bias[0]], [1, 2])


@pytest.mark.parametrize("count", [5, 100])
def test_equals_scikit_learn(count):
    """With fewer rows than columns the other system is solved."""
    features = RNG.normal(1, 2, (count, 20))
    targets = RNG.normal(3, 1, (count, 4))
    expected = Ridge(alpha=7.0).fit(features, targets)
    kernel, bias = ridge(features, targets, 7.0)
    np.testing.assert_allclose(kernel, expected.coef_.T, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(bias, expected.intercept_, rtol=1e-4)


def test_learns_where_objects_lie_in_their_proposals():
    """Features that tell how far a proposal is off; new ones are corrected."""
    low = RNG.uniform(0, 40, (200, 2))
    boxes = np.concatenate([low, low + RNG.uniform(10, 20, (200, 2))], axis=1)
    shift = RNG.uniform(-0.2, 0.2, (200, 2))
    moved = boxes + np.tile(shift * (boxes[:, 2:] - boxes[:, :2]), 2)
    features = np.concatenate([100 * shift, RNG.normal(0, 1, (200, 3))], axis=1)
    kernel, bias = box_regression(features[:100], moved[:100], boxes[:100], 1000)
    found = decode(np.float32(features[100:] @ kernel + bias), np.float32(moved[100:]))
    assert np.abs(np.asarray(found) - boxes[100:]).mean() < 0.2
    assert np.abs(moved - boxes).mean() > 1


def test_a_class_without_proposals_moves_nothing():
    none = np.zeros((0, 4))
    kernel, bias = box_regression(np.zeros((0, 6), "float32"), none, none)
    assert kernel.shape == (6, 4) and not kernel.any() and not bias.any()


def test_pairs_by_pencil():
    """IoU 1 and 0.8 with the first, 0.5: not near, 0.9 with the second."""
    boxes = [[0, 0, 10, 10], [20, 0, 30, 10]]
    proposals = [[0, 0, 10, 10], [0, 0, 10, 8], [0, 0, 10, 5], [20, 0, 30, 9]]
    places, objects = pairs(proposals, boxes)
    assert places.tolist() == [0, 1, 3] and objects.tolist() == [0, 0, 1]
    for empty in (pairs([], boxes), pairs(proposals, [])):
        assert [len(each) for each in empty] == [0, 0]
