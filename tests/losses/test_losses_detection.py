import math

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from kcv.boxes.matching import BACKGROUND, IGNORED
from kcv.losses.detection import (
    box_loss,
    multibox_loss,
    retinanet_loss,
    sigmoid_focal_loss,
    smooth_l1,
)

RNG = np.random.default_rng(0)
NUMBER, KINDS = 60, 4


def batch():
    """Three images: many positives, few, none; ignored anchors in each."""
    classes = np.full((3, NUMBER), BACKGROUND)
    classes[:, :7] = IGNORED
    classes[0, 10:22] = RNG.integers(0, KINDS, 12)
    classes[1, 30:32] = 3
    targets = RNG.normal(0, 2, (3, NUMBER, 4)).astype("float32")
    offsets = RNG.normal(0, 2, (3, NUMBER, 4)).astype("float32")
    return classes, targets, offsets


def slow_smooth_l1(error, beta=1.0):
    error = abs(float(error))
    return error**2 / 2 / beta if error < beta else error - beta / 2


def slow_boxes(classes, targets, offsets, beta=1.0):
    """(batch,): an anchor at a time."""
    answer = []
    for own, truth, found in zip(classes, targets, offsets):
        positive = np.flatnonzero(own >= 0)
        errors = (found[positive] - truth[positive]).ravel()
        total = sum(slow_smooth_l1(e, beta) for e in errors)
        answer.append(total / max(len(positive), 1))
    return answer


def slow_multibox(classes, scores, ratio, at_least):
    answer = []
    for own, logits in zip(classes, scores.astype("float64")):
        minus_log = np.log(np.exp(logits).sum(axis=1)) - [
            row[max(c, -1) + 1] for row, c in zip(logits, own)
        ]
        positive = np.flatnonzero(own >= 0)
        negative = sorted(minus_log[own == BACKGROUND], reverse=True)
        hard = negative[: max(ratio * len(positive), at_least)]
        total = minus_log[positive].sum() + sum(hard)
        answer.append(total / max(len(positive), 1))
    return answer


def slow_focal(label, logit, gamma, alpha):
    p = 1 / (1 + math.exp(-float(logit)))
    p, weight = (p, alpha) if label else (1 - p, 1 - alpha)
    return -weight * (1 - p) ** gamma * math.log(p)


def slow_retinanet(classes, scores, gamma=2.0, alpha=0.25):
    answer = []
    for own, logits in zip(classes, scores):
        total = sum(
            slow_focal(own[i] == c, logits[i, c], gamma, alpha)
            for i in range(len(own))
            for c in range(logits.shape[1])
            if own[i] != IGNORED
        )
        answer.append(total / max((own >= 0).sum(), 1))
    return answer


def test_smooth_l1_by_pencil():
    found = smooth_l1(np.array([0, 0.5, -1, 3]))
    np.testing.assert_allclose(found, [0, 0.125, 0.5, 2.5])
    found = smooth_l1(np.array([0.05, -3]), beta=0.1)
    np.testing.assert_allclose(found, [0.0125, 2.95], rtol=1e-6)
    with pytest.raises(ValueError, match="beta must be positive, got 0"):
        smooth_l1(np.zeros(3), 0)


def test_multibox_by_pencil():
    """One object: its anchor, and of four others the three with the highest loss.

    Even logits of two classes cost log 2 each, those for the background log(1 + 1 / 3).
    """
    classes = np.array([[BACKGROUND, 0, BACKGROUND, BACKGROUND, BACKGROUND]])
    scores = np.zeros((1, 5, 2), "float32")
    scores[0, 2, 0] = math.log(3)
    targets, offsets = np.zeros((2, 1, 5, 4), "float32")
    offsets[0, 1] = 0.5, 0, 0, -2
    offsets[0, 2] = 9  # has no object
    found = multibox_loss(classes, targets, scores, offsets)
    np.testing.assert_allclose(found["class_loss"], [4 * math.log(2)], rtol=1e-6)
    np.testing.assert_allclose(found["box_loss"], [0.125 + 1.5], rtol=1e-6)
    found = multibox_loss(classes, targets, scores, offsets, 9, box_weight=2.0)
    expected = 4 * math.log(2) + math.log(4 / 3)
    np.testing.assert_allclose(found["class_loss"], [expected], rtol=1e-6)
    np.testing.assert_allclose(found["box_loss"], [3.25], rtol=1e-6)


@pytest.mark.parametrize(("ratio", "at_least"), [(3, 0), (1, 5), (100, 0)])
def test_multibox_equals_slow(ratio, at_least):
    classes, targets, offsets = batch()
    scores = RNG.normal(0, 3, (3, NUMBER, 1 + KINDS)).astype("float32")
    found = multibox_loss(classes, targets, scores, offsets, ratio, at_least)
    expected = slow_multibox(classes, scores, ratio, at_least)
    np.testing.assert_allclose(found["class_loss"], expected, rtol=1e-5, atol=1e-7)
    expected = slow_boxes(classes, targets, offsets)
    np.testing.assert_allclose(found["box_loss"], expected, rtol=1e-5)
    assert (found["class_loss"][2] > 0) == (at_least > 0) and found["box_loss"][2] == 0


def test_retinanet_equals_slow():
    classes, targets, offsets = batch()
    scores = RNG.normal(-2, 3, (3, NUMBER, KINDS)).astype("float32")
    found = retinanet_loss(classes, targets, scores, offsets)
    np.testing.assert_allclose(
        found["class_loss"], slow_retinanet(classes, scores), rtol=1e-5
    )
    assert found["class_loss"][2] > 0 and found["box_loss"][2] == 0
    options = {"gamma": 0.5, "alpha": 0.6, "box_weight": 3.0, "beta": 0.2}
    found = retinanet_loss(classes, targets, scores, offsets, **options)
    expected = slow_retinanet(classes, scores, 0.5, 0.6)
    np.testing.assert_allclose(found["class_loss"], expected, rtol=1e-5)
    expected = 3 * np.array(slow_boxes(classes, targets, offsets, 0.2))
    np.testing.assert_allclose(found["box_loss"], expected, rtol=1e-5)


def test_ignored_anchors_say_nothing():
    classes, targets, offsets = batch()
    others = RNG.permutation(offsets.ravel()).reshape(offsets.shape)
    for loss, count in ((multibox_loss, 1 + KINDS), (retinanet_loss, KINDS)):
        scores = RNG.normal(0, 3, (3, NUMBER, count)).astype("float32")
        before = loss(classes, targets, scores, offsets)
        scores[:, :7] = 80 * np.sign(scores[:, :7])
        moved = np.where((classes >= 0)[..., None], offsets, others)
        after = loss(classes, targets, scores, moved)
        for name, value in before.items():
            np.testing.assert_array_equal(value, after[name])


def test_focal_by_pencil():
    """Figure 1 of the paper: at p_t = 0.9 and gamma 2, a hundredth of the loss."""
    logit = np.array([math.log(9)])
    plain = sigmoid_focal_loss([1], logit, 0.0, None)
    np.testing.assert_allclose(plain, [-math.log(0.9)], rtol=1e-5)
    faded = sigmoid_focal_loss([1], logit, 2.0, None)
    np.testing.assert_allclose(faded, np.asarray(plain) / 100, rtol=1e-5)
    faded = sigmoid_focal_loss([0], -logit, 2.0, 0.25)
    np.testing.assert_allclose(faded, 0.75 * np.asarray(plain) / 100, rtol=1e-5)


@given(
    arrays.arrays("float32", 8, elements=st.floats(-30, 30, width=32)),
    arrays.arrays("bool", 8),
    st.sampled_from([0.0, 0.5, 2.0, 5.0]),
    st.floats(0, 1),
)
def test_focal_equals_slow(logits, labels, gamma, alpha):
    found = sigmoid_focal_loss(labels, logits, gamma, alpha)
    p = 1 / (1 + np.exp(-np.where(labels, 1, -1) * logits.astype("float64")))
    rest = 1 / (1 + np.exp(np.where(labels, 1, -1) * logits.astype("float64")))
    weight = np.where(labels, alpha, 1 - alpha)
    np.testing.assert_allclose(
        found, -weight * rest**gamma * np.log(p), rtol=1e-4, atol=1e-7
    )


def gradients(loss, *values):
    import tensorflow as tf

    values = [tf.constant(value) for value in values]
    with tf.GradientTape() as tape:
        for value in values:
            tape.watch(value)
        total = sum(tf.reduce_sum(part) for part in loss(*values).values())
    return [np.asarray(g) for g in tape.gradient(total, values)]


def test_gradients_are_finite_and_reach_what_counts():
    """Trap: 0 times infinity, where logits are far out or an image is empty."""
    classes, targets, offsets = batch()
    for loss, count in ((multibox_loss, 1 + KINDS), (retinanet_loss, KINDS)):
        scores = RNG.choice(np.float32([-200, -5, 0, 5, 200]), (3, NUMBER, count))
        of_scores, of_offsets = gradients(
            lambda s, o, loss=loss: loss(classes, targets, s, o), scores, offsets
        )
        assert np.isfinite(of_scores).all() and np.isfinite(of_offsets).all()
        assert np.abs(of_scores[0]).max() > 0
        assert ((of_offsets != 0).any(axis=-1) <= (classes >= 0)).all()
        assert np.abs(of_offsets[0, 10:22]).min(axis=-1).max() > 0
        assert not of_scores[classes == IGNORED].any()
        assert of_scores[2].any() == (loss is retinanet_loss)


def test_half_precision_scores_give_float32():
    classes, targets, offsets = batch()
    offsets = keras.ops.cast(offsets, "bfloat16")
    for loss, count in ((multibox_loss, 1 + KINDS), (retinanet_loss, KINDS)):
        scores = keras.ops.cast(RNG.normal(0, 1, (3, NUMBER, count)), "bfloat16")
        for value in loss(classes, targets, scores, offsets).values():
            assert keras.backend.standardize_dtype(value.dtype) == "float32"


def test_box_loss_of_no_positive_anchor_is_zero():
    classes, targets, offsets = batch()
    np.testing.assert_array_equal(box_loss(classes[2:], targets[2:], offsets[2:]), [0])
