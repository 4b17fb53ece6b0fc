import numpy as np
import pytest
from sklearn.datasets import load_digits

from kcv.models.foundations.perceptron import learn_from_mistakes, perceptron

CORNERS = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])


def test_first_epoch_of_or_by_hand():
    """Pencil: OR, starting from zero, where every tie is a mistake.

    (0,0) is class 0: tie, so bias (1, -1). (0,1) is class 1: scores 1 and -1, wrong, so
    x2 gets (-1, 1) and the bias (0, 0). (1,0): scores 0 and 0, a tie: x1 gets (-1, 1),
    the bias (-1, 1). (1,1): scores -3 and 3, right. Three mistakes.
    """
    result = learn_from_mistakes(CORNERS, [0, 1, 1, 1], max_epochs=1)
    assert result.mistakes == (3,) and not result.converged
    np.testing.assert_array_equal(result.kernel, [[-1, 1], [-1, 1]])
    np.testing.assert_array_equal(result.bias, [-1, 1])
    assert "still mistakes after 1 epochs" in result.reason


@pytest.mark.parametrize("labels", [[0, 0, 0, 1], [0, 1, 1, 1], [1, 1, 0, 0]])
def test_converges_on_separable_logic(labels):
    result = learn_from_mistakes(CORNERS, labels)
    assert result.converged and result.mistakes[-1] == 0
    scores = CORNERS @ result.kernel + result.bias
    np.testing.assert_array_equal(scores.argmax(1), labels)


def test_proves_that_xor_never_ends():
    result = learn_from_mistakes(CORNERS, [0, 1, 1, 0], max_epochs=1000)
    assert not result.converged
    assert len(result.mistakes) < 20  # long before it would have to give up
    assert "not linearly separable" in result.reason
    # The proof can be checked: as many epochs again end with the same weights.
    longer = learn_from_mistakes(
        np.tile(CORNERS, (2, 1)), np.tile([0, 1, 1, 0], 2), max_epochs=1000
    )
    assert "not linearly separable" in longer.reason


def test_mistakes_stay_below_novikoffs_bound():
    """Oracle: at most (R / margin)^2 mistakes, for the margin of any separator."""
    rng = np.random.default_rng(0)
    direction = np.array([0.6, 0.8])
    points = rng.uniform(-1, 1, (300, 2))
    points = points[abs(points @ direction) > 0.1]
    labels = (points @ direction > 0).astype(int)
    result = learn_from_mistakes(points, labels)
    assert result.converged
    radius2 = (points**2).sum(1).max() + 1  # the bias sees 1
    assert 0 < sum(result.mistakes) <= radius2 / 0.1**2


def test_digits_by_mistakes_in_the_model():
    """The learned weights, put into the Keras model, recognise unseen digits."""
    digits = load_digits()
    images = (digits.images / 16).astype("float32")[..., None]
    train, test = slice(0, 1400), slice(1400, None)
    result = learn_from_mistakes(images[train], digits.target[train], 10, 30)
    model = perceptron((8, 8, 1), classes=10, classifier_activation=None)
    model.get_layer("predictions").set_weights([result.kernel, result.bias])
    predicted = np.argmax(model(images[test]), axis=1)
    assert (predicted == digits.target[test]).mean() > 0.87


@pytest.mark.parametrize("labels", [[0, 1, 2, 1], [-1, 1, 1, 1]])
def test_labels_outside_are_refused(labels):
    with pytest.raises(ValueError, match=r"labels must be in \[0, 2\)"):
        learn_from_mistakes(CORNERS, labels)


def test_lengths_must_agree():
    with pytest.raises(ValueError, match=r"4 inputs but labels of shape \(3,\)"):
        learn_from_mistakes(CORNERS, [0, 1, 1])
