import numpy as np
import pytest

from kcv.metrics import localisation

RNG = np.random.default_rng(0)


def boxes(count):
    corners = RNG.integers(0, 20, (count, 2, 2))
    low, high = corners.min(axis=1), corners.max(axis=1)
    return np.concatenate([low, high], axis=1).astype("float32")


def test_iou_by_pencil():
    """Squares of 4, shifted by 2: 8 of 24; the same; apart; without area."""
    box = [0, 0, 4, 4]
    others = [[2, 0, 6, 4], [0, 0, 4, 4], [4, 0, 8, 4], [3, 3, 3, 3]]
    found = localisation.paired_iou(np.float32([box] * 4), np.float32(others))
    np.testing.assert_allclose(found, [1 / 3, 1, 0, 0], atol=1e-6)


def test_iou_equals_counting_pixels():
    first, second = boxes(200), boxes(200)
    y, x = np.mgrid[:20, :20]

    def inside(box):
        x1, y1, x2, y2 = box
        return (x >= x1) & (x < x2) & (y >= y1) & (y < y2)

    expected = [
        (inside(a) & inside(b)).sum() / max((inside(a) | inside(b)).sum(), 1)
        for a, b in zip(first, second)
    ]
    assert np.mean(np.array(expected) > 0) > 0.2
    found = localisation.paired_iou(first, second)
    np.testing.assert_allclose(found, expected, atol=1e-6)


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
    assert localisation.paired_iou(box[:0], box[:0]).shape == (0,)
    with pytest.raises(ValueError, match="none of 1 pictures has anything in it"):
        localisation.scores([-1], box, [0], box)


def test_a_guess_is_the_commonest_class_and_the_mean_box():
    truth = np.float32([[0, 0, 4, 4], [2, 2, 4, 8], [0, 0, 0, 0], [1, 1, 1, 3]])
    label, box = localisation.guess(np.array([3, 1, -1, 3]), truth)
    assert label == 3
    np.testing.assert_allclose(box, [1, 1, 3, 5])
