import math

import numpy as np

from kcv.losses.instance import instance_loss, keypoint_loss, mask_loss

RNG = np.random.default_rng(0)


def test_mask_loss_equals_slow():
    """The mask of the object's class alone, a pixel at a time."""
    classes = np.array([[2, 1, 0, -1], [0, -1, -1, -1], [3, 3, 3, 3]])
    targets = RNG.integers(0, 2, (3, 4, 5, 5))
    masks = RNG.normal(0, 3, (3, 4, 5, 5, 3)).astype("float32")
    found = mask_loss(classes, targets, masks)
    for i in range(3):
        total, number = 0, 0
        for k in np.flatnonzero(classes[i] > 0):
            p = 1 / (1 + np.exp(-np.float64(masks[i, k, :, :, classes[i, k] - 1])))
            total -= np.log(np.where(targets[i, k] == 1, p, 1 - p)).mean()
            number += 1
        np.testing.assert_allclose(found[i], total / max(number, 1), rtol=1e-5)
    assert found[1] == 0


def test_keypoint_loss_equals_slow():
    bins = np.array([[[3, -1], [0, 8]], [[-1, -1], [-1, -1]]])
    logits = RNG.normal(0, 3, (2, 2, 3, 3, 2)).astype("float32")
    found, total = keypoint_loss(bins, logits), 0
    for roi, point in ((0, 0), (1, 0), (1, 1)):
        maps = np.float64(logits[0, roi, :, :, point])
        row, column = divmod(bins[0, roi, point], 3)
        total += np.log(np.exp(maps).sum()) - maps[row, column]
    np.testing.assert_allclose(found, [total / 3, 0], rtol=1e-5)


def test_by_pencil():
    """Even logits cost log 2 a pixel, and log 9 a keypoint of 3 x 3 places."""
    found = mask_loss([[1]], np.ones((1, 1, 3, 3)), np.zeros((1, 1, 3, 3, 2)))
    np.testing.assert_allclose(found, [math.log(2)], rtol=1e-6)
    found = keypoint_loss(np.array([[[4]]]), np.zeros((1, 1, 3, 3, 1), "float32"))
    np.testing.assert_allclose(found, [math.log(9)], rtol=1e-6)


def test_heads_that_are_there():
    masks = {
        "mask_classes": np.array([[1]]),
        "mask_targets": np.ones((1, 1, 3, 3)),
        "masks": np.zeros((1, 1, 3, 3, 2)),
    }
    points = {
        "keypoint_targets": np.array([[[4]]]),
        "keypoints": np.zeros((1, 1, 3, 3, 1), "float32"),
    }
    assert instance_loss({}) == {}
    assert list(instance_loss(masks)) == ["mask_loss"]
    assert list(instance_loss(points)) == ["keypoint_loss"]
