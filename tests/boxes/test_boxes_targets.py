import math

import keras
import numpy as np
import slow_boxes

from kcv.boxes.coding import SSD_VARIANCES, decode
from kcv.boxes.matching import BACKGROUND, IGNORED, Matches, match, match_ssd
from kcv.boxes.targets import retinanet_targets, ssd_targets, targets

RNG = np.random.default_rng(0)
ANCHORS = slow_boxes.some(RNG, 200)
BOXES = slow_boxes.some(RNG, 3, 5)
CLASSES = np.array([[0, 2, 1, 3, 0], [4, -1, 2, -1, -1], [-1] * 5])


def numpy(values):
    return [keras.ops.convert_to_numpy(value) for value in values]


def slow_targets(objects, anchors, boxes, classes, variances):
    """One anchor of one image at a time, from the formulas."""
    answer = np.array(objects), np.zeros((len(anchors), 4))
    for i, (k, a) in enumerate(zip(objects, anchors.astype("float64"))):
        if k < 0:
            continue
        b = boxes[k].astype("float64")
        wide, high = a[2] - a[0], a[3] - a[1]
        answer[0][i] = classes[k]
        answer[1][i] = (
            (b[0] + b[2] - a[0] - a[2]) / 2 / wide / variances[0],
            (b[1] + b[3] - a[1] - a[3]) / 2 / high / variances[1],
            math.log((b[2] - b[0]) / wide) / variances[2],
            math.log((b[3] - b[1]) / high) / variances[3],
        )
    return answer


def test_by_pencil():
    """An anchor of 4 x 4, its object 2 right and twice as wide; others have none."""
    anchors = np.float32([[0, 0, 4, 4], [10, 10, 14, 14], [20, 20, 24, 24]])
    boxes, classes = np.float32([[[9, 9, 10, 10], [0, 0, 8, 4]]]), np.array([[3, 7]])
    matches = Matches(np.int32([[1, BACKGROUND, IGNORED]]), np.zeros((1, 3)))
    own, offsets = numpy(targets(matches, anchors, boxes, classes))
    assert own.tolist() == [[7, BACKGROUND, IGNORED]] and own.dtype == "int32"
    expected = [[[0.5, 0, math.log(2), 0], [0] * 4, [0] * 4]]
    np.testing.assert_allclose(offsets, expected, atol=1e-6)
    _, offsets = numpy(targets(matches, anchors, boxes, classes, SSD_VARIANCES))
    np.testing.assert_allclose(offsets[0, 0], [5, 0, 5 * math.log(2), 0], atol=1e-5)


def test_equals_slow_targets():
    for found, made, variances in (
        (
            match_ssd(ANCHORS, BOXES, CLASSES),
            ssd_targets(ANCHORS, BOXES, CLASSES),
            SSD_VARIANCES,
        ),
        (
            match(ANCHORS, BOXES, CLASSES, 0.5, 0.4),
            retinanet_targets(ANCHORS, BOXES, CLASSES),
            (1, 1, 1, 1),
        ),
    ):
        objects, own, offsets = numpy((found.objects, *made))
        for i in range(3):
            slow = slow_targets(objects[i], ANCHORS, BOXES[i], CLASSES[i], variances)
            np.testing.assert_array_equal(own[i], slow[0])
            np.testing.assert_allclose(offsets[i], slow[1], rtol=1e-4, atol=1e-5)
        assert (objects[2] == BACKGROUND).all() and (objects[0] >= 0).any()


def test_decoding_gives_the_objects_back():
    own, offsets = numpy(ssd_targets(ANCHORS, BOXES, CLASSES))
    boxes = keras.ops.convert_to_numpy(decode(offsets, ANCHORS, SSD_VARIANCES))
    assert set(own[0][own[0] >= 0]) == set(CLASSES[0])  # each object has an anchor
    for image, anchor in zip(*np.nonzero(own >= 0)):
        errors = np.abs(boxes[image, anchor] - BOXES[image]).max(axis=1)
        assert errors.min() < 1e-3
        assert CLASSES[image][errors.argmin()] == own[image, anchor]


def test_empty_slots_and_anchors_of_each_image():
    """Boxes of empty slots are 0 or nonsense; nothing of them is left."""
    boxes = BOXES.copy()
    boxes[CLASSES < 0] = 0
    for first, second in zip(
        numpy(retinanet_targets(ANCHORS, BOXES, CLASSES)),
        numpy(retinanet_targets(np.stack([ANCHORS] * 3), boxes, CLASSES)),
    ):
        np.testing.assert_array_equal(first, second)
    own, offsets = numpy(ssd_targets(ANCHORS, boxes, CLASSES))
    assert (own[2] == BACKGROUND).all() and not offsets[2].any()


def test_a_crowd_is_ignored():
    crowd = np.zeros(CLASSES.shape, bool)
    crowd[0, 0] = True
    inside = np.concatenate([BOXES[0, :1], ANCHORS])
    for make in (ssd_targets, retinanet_targets):
        own, _ = numpy(make(inside, BOXES, CLASSES, crowd=crowd))
        assert own[0, 0] == IGNORED
