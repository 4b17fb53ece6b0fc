import numpy as np
import pytest

from kcv.metrics import localisation


def test_scores_by_pencil():
    """Right, right in class only, right in box only; the fourth shows nothing."""
    truth = np.float32([[0, 0, 4, 4]] * 4)
    found = np.float32([[0, 0, 4, 2], [3, 0, 7, 4], [0, 0, 4, 4], [0, 0, 4, 4]])
    scores = localisation.scores([1, 2, 0, -1], truth, [1, 2, 2, 1], found)
    assert scores["localisation_accuracy"] == pytest.approx(1 / 3)
    assert scores["accuracy"] == pytest.approx(2 / 3)
    assert scores["mean_iou"] == pytest.approx((1 / 2 + 1 / 7 + 1) / 3)


def test_one_picture_and_none():
    box = np.float32([[0, 0, 4, 4]])
    assert localisation.scores([0], box, [0], box)["localisation_accuracy"] == 1
    with pytest.raises(ValueError, match="none of 1 pictures has anything in it"):
        localisation.scores([-1], box, [0], box)


def test_a_guess_is_the_commonest_class_and_the_mean_box():
    truth = np.float32([[0, 0, 4, 4], [2, 2, 4, 8], [0, 0, 0, 0], [1, 1, 1, 3]])
    label, box = localisation.guess(np.array([3, 1, -1, 3]), truth)
    assert label == 3
    np.testing.assert_allclose(box, [1, 1, 3, 5])
