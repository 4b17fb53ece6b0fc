import keras
import numpy as np
import pytest
import slow_boxes
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kcv.boxes import anchors, coding

RNG = np.random.default_rng(0)
ANCHORS = slow_boxes.some(RNG, 6)
coordinates = st.floats(-500, 500, width=32)


def test_offsets_by_pencil():
    """A square of 10 at 5, 5; the box has 20 x 5 at 10, 2.5: moved by 1/2 and -1/4."""
    anchor, box = np.float32([[0, 0, 10, 10]]), np.float32([[0, 0, 20, 5]])
    offsets = [[0.5, -0.25, np.log(2), -np.log(2)]]
    np.testing.assert_allclose(coding.encode(box, anchor), offsets, rtol=1e-6)
    np.testing.assert_allclose(coding.decode(offsets, anchor), box, atol=1e-5)
    ssd = coding.encode(box, anchor, coding.SSD_VARIANCES)
    np.testing.assert_allclose(ssd, offsets * np.array([10, 10, 5, 5]), rtol=1e-6)


def test_offsets_of_yolo_by_pencil():
    """Cell 32..64, anchor 10 x 20: centre 40, 56 stands at 1/4 and 3/4 of the cell."""
    anchor, box = np.float32([[43, 38, 53, 58]]), np.float32([[30, 46, 50, 66]])
    wanted = np.asarray(coding.encode_sigmoid(box, anchor, 32))
    np.testing.assert_allclose(wanted, [[0.25, 0.75, np.log(2), 0]], atol=1e-6)
    logits = np.hstack([np.log(wanted[:, :2] / (1 - wanted[:, :2])), wanted[:, 2:]])
    decoded = coding.decode_sigmoid(logits, anchor, 32)
    np.testing.assert_allclose(decoded, box, atol=1e-4)


def test_yolo_never_leaves_its_cell():
    """Anchors of a grid, answers of any size: the first cell ends at 16, 16."""
    grid = anchors.grid((2, 3), 16, [(10, 20)])
    raw = RNG.normal(size=(6, 4)).astype("float32") * 50
    boxes = np.asarray(coding.decode_sigmoid(raw, grid, 16))
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    low = 16 * np.array([[x, y] for y in range(2) for x in range(3)])
    assert (centres >= low - 0.01).all() and (centres <= low + 16.01).all()


def test_roots_by_pencil():
    """Cell 32..64 of an image 64 x 96: a quarter of its width, a half of its height."""
    cell, box = np.float32([[32, 0, 64, 32]]), np.float32([[28, 8, 52, 40]])
    wanted = coding.encode_roots(box, cell, (64, 96))
    expected = [[0.25, 0.75, 0.5, np.sqrt(0.5)]]
    np.testing.assert_allclose(wanted, expected, rtol=1e-6)
    decoded = coding.decode_roots(wanted, cell, (64, 96))
    np.testing.assert_allclose(decoded, box, rtol=1e-5)
    negative = expected * np.array([1, 1, -1, -1])  # no box is turned inside out
    decoded = coding.decode_roots(negative, cell, (64, 96))
    np.testing.assert_allclose(decoded, box, rtol=1e-5)


@settings(max_examples=8)
@given(
    arrays("float32", (6, 2), elements=st.floats(0, 31.5, width=32)),
    arrays("float32", (6, 2), elements=st.floats(0.125, 300, width=32)),
)
def test_roots_are_inverses(places, sizes):
    cells = anchors.grid((2, 3), 32, [(32, 32)])
    centres = cells[:, :2] + places
    boxes = np.hstack([centres - sizes / 2, centres + sizes / 2])
    offsets = np.asarray(coding.encode_roots(boxes, cells, (64, 96)))
    assert (offsets[:, :2] > -1e-3).all() and (offsets[:, :2] < 1).all()
    decoded = coding.decode_roots(offsets, cells, (64, 96))
    np.testing.assert_allclose(decoded, boxes, atol=1e-2, rtol=1e-4)


@settings(max_examples=8)
@given(
    arrays("float32", (6, 2), elements=coordinates),
    arrays("float32", (6, 2), elements=st.floats(2, 300, width=32)),
    st.sampled_from([coding.NO_VARIANCES, coding.SSD_VARIANCES]),
)
def test_decode_is_the_inverse(corners, sizes, variances):
    boxes = np.hstack([corners, corners + sizes])
    offsets = coding.encode(boxes, ANCHORS, variances)
    decoded = coding.decode(offsets, ANCHORS, variances)
    np.testing.assert_allclose(decoded, boxes, atol=1e-2, rtol=1e-4)


def test_growth_ends():
    """Trap: exp of a wild answer; 62.5 times the anchor and no more."""
    anchor = np.float32([[0, 0, 8, 8]])
    boxes = np.asarray(coding.decode(np.float32([[0, 0, 90, 1e9]]), anchor))
    np.testing.assert_allclose(boxes, [[-246, -246, 254, 254]], rtol=1e-5)
    boxes = np.asarray(coding.decode_sigmoid(np.float32([[0, 0, 1e9, 0]]), anchor, 8))
    np.testing.assert_allclose(boxes, [[-246, 0, 254, 8]], rtol=1e-5)


def test_empty_slots_give_finite_offsets_and_gradients():
    tf = pytest.importorskip("tensorflow")
    nothing = tf.zeros((1, 4))
    for box, anchor in ((nothing, ANCHORS[:1]), (ANCHORS[:1], nothing)):
        with tf.GradientTape() as tape:
            x = tf.convert_to_tensor(box)
            tape.watch(x)
            offsets = coding.encode(x, anchor)
        assert np.isfinite(offsets).all()
        assert np.isfinite(tape.gradient(offsets, x)).all()
    with tf.GradientTape() as tape:
        tape.watch(nothing)
        offsets = coding.encode_roots(nothing, ANCHORS[:1], (64, 96))
    assert np.isfinite(offsets).all()
    assert np.isfinite(tape.gradient(offsets, nothing)).all()


def test_answers_in_half_precision():
    """Trap: under mixed precision heads answer bfloat16, and anchors are float32."""
    anchor = np.float32([[301, 303, 311, 333]])
    zeros = keras.ops.zeros((2, 1, 4), "bfloat16")
    for decoded in (
        coding.decode(zeros, anchor),
        coding.decode_sigmoid(zeros, anchor, 8),
        coding.decode_roots(zeros + [0.5, 0.5, 1, 1], anchor, (30, 10)),
    ):
        assert decoded.dtype == "float32"
        np.testing.assert_array_equal(decoded, np.stack([anchor] * 2))
