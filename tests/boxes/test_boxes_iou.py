import math

import keras
import numpy as np
import pytest
import slow_boxes
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as coco

from kcv.boxes import iou

RNG = np.random.default_rng(0)
FAMILY = ("iou", "giou", "diou", "ciou")
quarters = st.integers(0, 160).map(lambda n: n / 4)  # no rounding


@st.composite
def boxes(draw, count=4, empty=False):
    corners = draw(arrays("float32", (count, 2, 2), elements=quarters))
    low, high = corners.min(axis=1), corners.max(axis=1)
    return np.concatenate([low, high if empty else high + 0.25], axis=1)


def paired(name, a, b):
    return np.asarray(getattr(iou, f"paired_{name}")(a, b))


def test_family_by_pencil():
    """Squares of 2, two apart: 4 of 12 are empty; 4 apart in a diagonal^2 of 40."""
    a, b = np.float32([[0, 0, 2, 2]]), np.float32([[4, 0, 6, 2]])
    assert paired("iou", a, b) == 0
    assert paired("giou", a, b) == pytest.approx(-1 / 3)
    assert paired("diou", a, b) == pytest.approx(-16 / 40)
    assert paired("ciou", a, b) == pytest.approx(-16 / 40)  # aspect ratios are equal


def test_ciou_by_pencil():
    """2 x 1 in 1 x 2 at one corner: IoU 1/3, centres 1/2, 1/2 apart in 2, 2."""
    a, b = np.float32([[0, 0, 2, 1]]), np.float32([[0, 0, 1, 2]])
    ratio = 4 / math.pi**2 * (math.atan(2) - math.atan(0.5)) ** 2
    expected = 1 / 3 - 0.5 / 8 - ratio**2 / (1 - 1 / 3 + ratio)
    assert paired("ciou", a, b) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("name", FAMILY)
def test_family_equals_the_book(name):
    a, b = slow_boxes.some(RNG, 60), slow_boxes.some(RNG, 60)
    expected = [getattr(slow_boxes, name)(*pair) for pair in zip(a, b)]
    assert np.std(expected) > 0.05
    np.testing.assert_allclose(paired(name, a, b), expected, atol=2e-6)


@pytest.mark.parametrize("name", FAMILY)
def test_gradients_equal_differences(name):
    """Apart and overlapping; alpha of the CIoU is a constant."""
    tf = pytest.importorskip("tensorflow")
    a, b = (slow_boxes.some(RNG, 12).astype("float64") for _ in range(2))
    b[:6] = a[:6] + RNG.uniform(-3, 3, (6, 4))
    x = tf.constant(a)
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(getattr(iou, f"paired_{name}")(x, b))
    expected = np.zeros_like(a)
    for i, j in np.ndindex(a.shape):
        function = getattr(slow_boxes, name)
        fixed = {"alpha": slow_boxes.ciou_alpha(a[i], b[i])} if name == "ciou" else {}
        step = np.zeros(4)
        step[j] = 1e-5
        up = function(a[i] + step, b[i], **fixed)
        down = function(a[i] - step, b[i], **fixed)
        expected[i, j] = (up - down) / 2e-5
    assert np.abs(expected).max() > 1e-3
    np.testing.assert_allclose(tape.gradient(total, x), expected, atol=1e-8)


@pytest.mark.parametrize("name", FAMILY)
def test_gradients_of_nothing_are_small(name):
    """Trap: 0 / 0 of boxes without area, the same or apart, turned round, or empty."""
    tf = pytest.importorskip("tensorflow")
    rows = [[0, 0, 0, 0], [3, 3, 3, 3], [5, 5, 2, 2], [0, 0, 4, 4], [1, 0, 1, 4]]
    a, b = (np.float32(each) for each in zip(*((p, q) for p in rows for q in rows)))
    x = tf.constant(a)
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = getattr(iou, f"paired_{name}")(x, b)
    assert np.abs(value).max() < 10
    assert np.abs(tape.gradient(value, x)).max() < 10


def test_pairs_are_the_diagonal_of_the_table():
    a, b = slow_boxes.some(RNG, 2, 7), slow_boxes.some(RNG, 2, 5)
    table = np.asarray(iou.pairwise_iou(a, b))
    assert table.shape == (2, 7, 5)
    for k in range(2):
        np.testing.assert_allclose(table[k], slow_boxes.table(a[k], b[k]), atol=1e-6)
    diagonal = table[:, range(5), range(5)]
    np.testing.assert_array_equal(iou.paired_iou(a[:, :5], b), diagonal)


def test_table_and_crowds_equal_pycocotools():
    a, b = slow_boxes.some(RNG, 20), slow_boxes.some(RNG, 30)
    xywh = [np.float64(np.hstack([c[:, :2], c[:, 2:] - c[:, :2]])) for c in (a, b)]
    for crowd, table in ((0, iou.pairwise_iou(a, b)), (1, iou.pairwise_share(a, b))):
        expected = coco.iou(*xywh, [crowd] * len(b))
        np.testing.assert_allclose(table, expected, atol=1e-5)


@settings(max_examples=8)
@given(boxes(), boxes(3, empty=True), st.integers(-3, 3), quarters)
def test_laws_of_iou(a, b, exponent, shift):
    table = np.asarray(iou.pairwise_iou(a, b))
    np.testing.assert_array_equal(table, np.asarray(iou.pairwise_iou(b, a)).T)
    assert (table >= 0).all() and (table <= 1).all()
    np.testing.assert_array_equal(np.diag(iou.pairwise_iou(a, a)), 1)
    np.testing.assert_array_equal(table, iou.pairwise_iou(a + shift, b + shift))
    scaled = iou.pairwise_iou(a * 2.0**exponent, b * 2.0**exponent)
    np.testing.assert_array_equal(table, scaled)


def test_laws_of_the_family():
    a, b = slow_boxes.some(RNG, 300), slow_boxes.some(RNG, 300)
    values = {name: paired(name, a, b) for name in FAMILY}
    for name in FAMILY:
        np.testing.assert_allclose(values[name], paired(name, b, a), atol=1e-6)
        np.testing.assert_allclose(paired(name, a, a), 1, atol=1e-6)
    for name in ("giou", "diou"):
        assert (values[name] <= values["iou"] + 1e-6).all()
        assert (values[name] >= -1).all()
    assert (values["ciou"] <= values["diou"] + 1e-6).all()


def test_small_units_and_half_precision():
    """Trap: normalised boxes of a pixel in 4000; offsets that come as bfloat16."""
    a, b = np.float32([[0, 0, 4, 4]]), np.float32([[2, 0, 6, 4]])
    np.testing.assert_allclose(iou.paired_iou(a / 2**20, b / 2**20), 1 / 3, rtol=1e-6)
    half = keras.ops.cast(a, "bfloat16")
    assert iou.pairwise_iou(half, np.float64(b)).dtype == "float32"
    assert iou.pairwise_iou(a[:0], b).shape == (0, 1)
