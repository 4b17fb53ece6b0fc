import math

import keras
import numpy as np

from kcv.losses.two_stage import proposal_loss, roi_loss, two_stage_loss

RNG = np.random.default_rng(0)
ANCHORS, DRAWN, ROIS, KINDS = 50, 12, 10, 4


def rpn_batch():
    """Three images: objects, background alone, too few anchors."""
    classes = np.zeros((3, DRAWN), int)
    classes[0, :5] = 1
    classes[2, 4:] = -1
    targets = RNG.normal(0, 1, (3, DRAWN, 4)).astype("float32")
    indices = np.stack([RNG.permutation(ANCHORS)[:DRAWN] for _ in range(3)])
    scores = RNG.normal(0, 3, (3, ANCHORS)).astype("float32")
    offsets = RNG.normal(0, 1, (3, ANCHORS, 4)).astype("float32")
    return indices, classes, targets, scores, offsets


def roi_batch():
    classes = np.zeros((3, ROIS), int)
    classes[0, :6] = RNG.integers(1, 1 + KINDS, 6)
    classes[2, 3:] = -1
    targets = RNG.normal(0, 1, (3, ROIS, 4)).astype("float32")
    scores = RNG.normal(0, 3, (3, ROIS, 1 + KINDS)).astype("float32")
    offsets = RNG.normal(0, 1, (3, ROIS, KINDS, 4)).astype("float32")
    return classes, targets, scores, offsets


def slow_smooth_l1(errors, beta):
    errors = np.abs(np.float64(errors))
    return np.where(errors < beta, errors**2 / 2 / beta, errors - beta / 2).sum()


def test_proposal_loss_equals_slow():
    batch = rpn_batch()
    found = proposal_loss(*batch)
    for i, (indices, classes, targets, scores, offsets) in enumerate(zip(*batch)):
        kinds = boxes = 0
        for place, label, target in zip(indices, classes, targets):
            p = 1 / (1 + math.exp(-float(scores[place])))
            kinds += {1: -math.log(p), 0: -math.log(1 - p), -1: 0}[label]
            if label == 1:
                boxes += slow_smooth_l1(offsets[place] - target, 1 / 9)
        number = (classes >= 0).sum()
        np.testing.assert_allclose(found["rpn_class_loss"][i], kinds / number, 1e-5)
        np.testing.assert_allclose(found["rpn_box_loss"][i], boxes / number, 1e-5)
    np.testing.assert_array_equal(found["rpn_box_loss"][1:], [0, 0])


def test_roi_loss_equals_slow():
    batch = roi_batch()
    found = roi_loss(*batch)
    for i, (classes, targets, scores, offsets) in enumerate(zip(*batch)):
        kinds = boxes = 0
        for k, label in enumerate(classes):
            if label >= 0:
                row = np.float64(scores[k])
                kinds += np.log(np.exp(row).sum()) - row[label]
            if label > 0:
                boxes += slow_smooth_l1(offsets[k, label - 1] - targets[k], 1.0)
        number = (classes >= 0).sum()
        np.testing.assert_allclose(found["class_loss"][i], kinds / number, 1e-5)
        np.testing.assert_allclose(found["box_loss"][i], boxes / number, 1e-5)
    np.testing.assert_array_equal(found["box_loss"][1:], [0, 0])


def test_by_pencil():
    """Even logits of three classes cost log 3; one RoI of two is off by 2 in x."""
    offsets = np.zeros((1, 2, 2, 4), "float32")
    offsets[0, 0, 1, 0] = 2  # of the second class
    offsets[0, 0, 0] = 7  # of the first one, which it is not
    found = roi_loss([[2, 0]], np.zeros((1, 2, 4)), np.zeros((1, 2, 3)), offsets)
    np.testing.assert_allclose(found["class_loss"], [math.log(3)], rtol=1e-6)
    np.testing.assert_allclose(found["box_loss"], [1.5 / 2], rtol=1e-6)


def test_nothing_counts():
    """All left out: 0, and no gradient that is no number."""
    import tensorflow as tf

    classes, targets, scores, offsets = roi_batch()
    scores, offsets = tf.constant(scores * 100), tf.constant(offsets * 100)
    with tf.GradientTape() as tape:
        tape.watch([scores, offsets])
        found = roi_loss(0 * classes - 1, targets, scores, offsets)
        total = sum(map(tf.reduce_sum, found.values()))
    assert total == 0
    for slope in tape.gradient(total, [scores, offsets]):
        assert not np.any(slope)


def test_gradients_reach_what_counts():
    import tensorflow as tf

    indices, classes, targets, scores, offsets = rpn_batch()
    scores, offsets = tf.constant(scores), tf.constant(offsets)
    with tf.GradientTape() as tape:
        tape.watch([scores, offsets])
        found = proposal_loss(indices, classes, targets, scores, offsets)
        total = sum(map(tf.reduce_sum, found.values()))
    of_scores, of_offsets = (
        np.asarray(x) for x in tape.gradient(total, [scores, offsets])
    )
    for i in range(3):
        drawn = set(indices[i][classes[i] >= 0])
        assert set(np.flatnonzero(of_scores[i])) == drawn
        positive = set(indices[i][classes[i] == 1])
        assert set(np.flatnonzero(of_offsets[i].any(axis=-1))) == positive


def test_all_of_a_training_graph_and_of_fast_rcnn():
    names = ("anchor_indices", "anchor_classes", "anchor_offsets", "proposal_scores")
    rpn = dict(zip((*names, "proposal_offsets"), rpn_batch()))
    roi = dict(zip(("roi_classes", "roi_offsets", "scores", "offsets"), roi_batch()))
    found = two_stage_loss(rpn | roi)
    expected = roi_loss(*roi.values()) | proposal_loss(*rpn.values())
    assert list(found) == ["class_loss", "box_loss", "rpn_class_loss", "rpn_box_loss"]
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value)
    assert set(two_stage_loss(roi)) == {"class_loss", "box_loss"}
    half = {
        name: keras.ops.cast(x, "bfloat16") if name.endswith("scores") else x
        for name, x in (rpn | roi).items()
    }
    for value in two_stage_loss(half).values():
        assert keras.backend.standardize_dtype(value.dtype) == "float32"
