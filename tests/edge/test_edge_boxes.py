import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kcv.edge import EdgeError, soft_nms
from kcv.edge import boxes as ours

RNG = np.random.default_rng(0)


def some(count, side=100.0):
    centres = RNG.uniform(0, side, (count, 2))
    half = RNG.uniform(0.03, 0.3, (count, 2)) * side
    return np.hstack([centres - half, centres + half]).astype("float32")


def slow_iou(a, b):
    width = max(min(a[2], b[2]) - max(a[0], b[0]), 0)
    height = max(min(a[3], b[3]) - max(a[1], b[1]), 0)
    areas = sum(max(c[2] - c[0], 0) * max(c[3] - c[1], 0) for c in (a, b))
    return width * height / (areas - width * height) if areas else 0.0


def slow_nms(boxes, scores, threshold, classes):
    boxes, kept = boxes.astype("float64").tolist(), []
    for i in np.argsort(-scores, kind="stable").tolist():
        rivals = [k for k in kept if classes[k] == classes[i]]
        if all(slow_iou(boxes[i], boxes[k]) <= threshold for k in rivals):
            kept.append(i)
    return kept


@pytest.mark.parametrize("count", [0, 1, 127, 128, 129, 700])
@pytest.mark.parametrize("kinds", [1, 5])
def test_nms_equals_the_greedy_rule(count, kinds):
    """Around the size of a block, and several blocks."""
    boxes, classes = some(count), RNG.integers(0, kinds, count)
    scores = RNG.permutation(count).astype("float32")
    expected = slow_nms(boxes, scores, 0.5, classes)
    given = None if kinds == 1 else classes
    assert ours.nms(boxes, scores, 0.5, classes=given).tolist() == expected
    few = ours.nms(boxes, scores, 0.5, 7, classes=given).tolist()
    assert few == expected[:7]


def test_many_are_suppressed_by_few():
    """Tables in several parts: 3,000 boxes about three places."""
    boxes = some(3)[RNG.integers(0, 3, 3000)] + RNG.normal(size=(3000, 4)) / 10
    scores = RNG.uniform(size=3000)
    kept = ours.nms(boxes, scores, 0.5)
    assert kept.tolist() == slow_nms(
        boxes.astype("float32"), scores.astype("float32"), 0.5, np.zeros(3000)
    )
    assert len(kept) <= 3 and kept[0] == scores.argmax()


def test_the_threshold_itself_suppresses_nothing():
    """IoU 8 / 16; and boxes without area at one place, which overlap nothing."""
    boxes = np.float32([[0, 0, 4, 4], [0, 0, 4, 2], [9, 9, 9, 9], [9, 9, 9, 9]])
    assert ours.nms(boxes, [4, 3, 2, 1], 0.5).tolist() == [0, 1, 2, 3]
    assert ours.nms(boxes, [4, 3, 2, 1], 0.49).tolist() == [0, 2, 3]


def test_score_threshold_is_not_itself_enough():
    boxes, scores = some(4) * [1e-3] + np.arange(4)[:, None] * 50, [0.1, 0.2, 0.3, 0.4]
    kept = ours.nms(boxes, scores, score_threshold=np.float32(0.2))
    assert kept.tolist() == [3, 2]


@settings(max_examples=30)
@given(st.integers(1, 60), st.sampled_from([0.0, 0.3, 0.6]), st.integers(0, 2**32 - 1))
def test_laws(count, threshold, seed):
    """No two kept ones overlap more; twice is once; others' overlap a better one."""
    rng = np.random.default_rng(seed)
    low = rng.integers(0, 12, (count, 2))
    boxes = np.hstack([low, low + rng.integers(0, 9, (count, 2))]).astype("float32")
    scores = rng.permutation(count).astype("float32")
    kept = ours.nms(boxes, scores, threshold)
    for i in range(count):
        better = [k for k in kept if scores[k] > scores[i]]
        free = all(slow_iou(boxes[i], boxes[k]) <= threshold for k in better)
        assert free == (i in kept)
    again = ours.nms(boxes[kept], scores[kept], threshold)
    assert again.tolist() == list(range(len(kept)))


def test_decode_by_pencil():
    """A square of 10 moved by half and a quarter, twice as wide, half as high."""
    anchors, box = np.float32([[0, 0, 10, 10]]), [[0, 0, 20, 5]]
    offsets = np.array([[0.5, -0.25, np.log(2), -np.log(2)]])
    np.testing.assert_allclose(ours.decode(offsets, anchors), box, atol=1e-5)
    variances = (0.1, 0.1, 0.2, 0.2)
    found = ours.decode(offsets / variances, anchors, variances)
    np.testing.assert_allclose(found, box, atol=1e-5)
    assert found.dtype == "float32"
    wild = ours.decode(np.float32([[0, 0, 1e9, 0]]), anchors)
    assert wild[0, 2] - wild[0, 0] == pytest.approx(625)


def test_decode_sigmoid_by_pencil():
    """Cell 32..64: a quarter and three quarters of it are 40 and 56."""
    anchors = np.float32([[43, 38, 53, 58]])
    offsets = np.array([[np.log(1 / 3), np.log(3), np.log(2), 0]])
    found = ours.decode_sigmoid(offsets, anchors, 32)
    np.testing.assert_allclose(found, [[30, 46, 50, 66]], atol=1e-4)
    wild = ours.decode_sigmoid(np.float32([[1e9, -1e9, 0, 0]]), anchors, 32)
    np.testing.assert_allclose(wild, [[59, 22, 69, 42]], atol=1e-4)


def test_decode_roots_by_pencil():
    """Cell 32..64 of an image 64 x 96: a quarter of its width, a half of its height."""
    cells = np.float32([[32, 0, 64, 32]])
    found = ours.decode_roots([[0.25, 0.75, -0.5, 0.5**0.5]], cells, (64, 96))
    np.testing.assert_allclose(found, [[28, 8, 52, 40]], rtol=1e-6)
    assert found.dtype == "float32"


def test_decode_equals_the_library():
    coding = pytest.importorskip("kcv.boxes.coding")
    anchors, offsets = some(50), RNG.normal(size=(50, 4)).astype("float32")
    for variances in (coding.NO_VARIANCES, coding.SSD_VARIANCES):
        expected = coding.decode(offsets, anchors, variances)
        found = ours.decode(offsets, anchors, variances)
        np.testing.assert_allclose(found, expected, atol=1e-3)
    expected = coding.decode_sigmoid(offsets, anchors, 16)
    found = ours.decode_sigmoid(offsets, anchors, 16)
    np.testing.assert_allclose(found, expected, atol=1e-3)
    expected = coding.decode_roots(offsets, anchors, (70, 110))
    found = ours.decode_roots(offsets, anchors, (70, 110))
    np.testing.assert_allclose(found, expected, atol=1e-3)
    assert ours.MAX_LOG == coding.MAX_LOG


def test_detections_by_pencil():
    """Two boxes of one thing, scored for two classes; a third below the threshold."""
    boxes = np.float32([[0, 0, 4, 4], [0, 0, 4, 5], [9, 9, 12, 12]])
    scores = np.float32([[0.9, 0.3], [0.8, 0.6], [0.04, 0.05]])
    found = ours.detections(boxes, scores, 0.5)
    np.testing.assert_array_equal(found[0], boxes[[0, 1]])
    np.testing.assert_allclose(found[1], [0.9, 0.6])
    np.testing.assert_array_equal(found[2], [0, 1])
    own = np.stack([boxes, boxes + 20], axis=1)
    found = ours.detections(own, scores, 0.5, output_size=1)
    np.testing.assert_array_equal(found[0], own[:1, 0])
    nothing = ours.detections(boxes, np.zeros((3, 2)))
    assert [len(values) for values in nothing] == [0, 0, 0]


def test_soft_by_pencil():
    """IoU 3/5: 0.8 becomes 0.8 * 0.4 and falls behind the one apart with 0.5."""
    boxes = np.float32([[0, 0, 4, 4], [1, 0, 5, 4], [20, 20, 30, 30]])
    scores = np.float32([0.9, 0.8, 0.5])
    indices, lowered = soft_nms.soft_nms_linear(boxes, scores)
    assert indices.tolist() == [0, 2, 1]
    np.testing.assert_allclose(lowered, [0.9, 0.5, 0.32], rtol=1e-6)
    indices, lowered = soft_nms.soft_nms_linear(boxes, scores, iou_threshold=0.7)
    np.testing.assert_allclose(lowered, [0.9, 0.8, 0.5])
    indices, lowered = soft_nms.soft_nms_gaussian(boxes, scores, 0.5)
    assert indices.tolist() == [0, 2, 1]
    np.testing.assert_allclose(lowered[2], 0.8 * np.exp(-0.36 / 0.5), rtol=1e-6)
    assert len(soft_nms.soft_nms_linear(boxes, scores, output_size=2)[0]) == 2
    assert len(soft_nms.soft_nms_linear(boxes[:0], scores[:0])[0]) == 0


def test_clip():
    found = ours.clip(np.float32([[-5, 5, 30, 90]]), (40, 20))
    np.testing.assert_array_equal(found, [[0, 5, 20, 40]])


def test_refuses_what_does_not_belong_together():
    with pytest.raises(
        EdgeError, match=r"boxes \(3, 4\) with scores \(2,\) do not fit"
    ):
        ours.nms(some(3), np.zeros(2))
    message = r"scores \(3,\) and classes \(2,\) do not fit; give \(n, 4\) with"
    with pytest.raises(EdgeError, match=message):
        ours.nms(some(3), np.zeros(3), classes=np.zeros(2))
    for boxes, scores in ((some(3), np.zeros((2, 5))), (some(3), np.zeros(3))):
        with pytest.raises(
            EdgeError, match=r"or \(n, classes, 4\) with \(n, classes\)"
        ):
            ours.detections(boxes, scores)
