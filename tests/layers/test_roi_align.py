import keras
import numpy as np
import pytest
import roi_reference
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kcv.layers import roi_products
from kcv.layers.roi_align import RoIAlign, roi_align

RNG = np.random.default_rng(0)


def test_ramp_by_hand():
    """Pencil: on f(y, x) = 10 y + x each bin is f at its centre, less half a pixel.

    The box (1, 2, 5, 6) in 2 x 2 bins has their centres at y = 3, 5 and x = 2, 4, which
    are the indices 2.5, 4.5 and 1.5, 3.5: the first bin is 10 * 2.5 + 1.5.
    """
    y, x = np.mgrid[:6, :6].astype("float32")
    features = (10 * y + x)[None, :, :, None]
    boxes = np.array([[[1, 2, 5, 6]]], "float32")
    bins = roi_align(features, boxes, size=2, stride=1)
    np.testing.assert_allclose(bins[0, 0, :, :, 0], [[26.5, 28.5], [46.5, 48.5]])


@pytest.mark.parametrize("part", [roi_products.PART, 500, 1])  # 1, several, most
@pytest.mark.parametrize("side", [6, 11])  # of the map, less and more than the other
@pytest.mark.parametrize("batch, size, ratio", [(1, 3, 2), (2, 2, 3)])
def test_values_and_gradients_equal_loops(batch, size, ratio, side, part, monkeypatch):
    monkeypatch.setattr(roi_products, "PART", part)
    features = RNG.normal(size=(batch, side, 9, 3)).astype("float32")
    boxes = roi_reference.some_boxes(batch, 14, 4 * side, 36)
    up = RNG.normal(size=(batch, 14, size, size, 3)).astype("float32")
    wanted = roi_reference.roi_align(features, boxes, size, 4, ratio, up)
    got = roi_reference.with_gradient(
        lambda x: roi_align(x, boxes, size, 4, ratio), features, up
    )
    np.testing.assert_allclose(got[0], wanted[0], atol=1e-5)
    np.testing.assert_allclose(got[1], wanted[1], atol=1e-4)


def test_equals_crop_and_resize():
    """Oracle: TensorFlow's kernel, on a map with its border repeated once, and means.

    Beyond its map that kernel gives 0, and RoIAlign from a pixel beyond on.
    """
    tf = pytest.importorskip("tensorflow")
    features = RNG.normal(size=(2, 8, 5, 4)).astype("float32")
    boxes = roi_reference.some_boxes(2, 20, 32, 20, seed=1)[:, 5:]
    up = RNG.normal(size=(2, 15, 3, 3, 4)).astype("float32")
    steps = np.reshape([0.5 / 6, 5.5 / 6], (2, 1, 1, 1))  # of the first and last sample
    first, last = boxes[..., :2] + steps * (boxes[..., 2:] - boxes[..., :2])
    ends = np.concatenate([first[..., ::-1], last[..., ::-1]], -1) / 4 + 0.5
    ends = (ends / [9, 6, 9, 6]).reshape(-1, 4).astype("float32")

    def kernel(x):
        x = tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]], "SYMMETRIC")
        x = tf.image.crop_and_resize(x, ends, np.repeat([0, 1], 15), (6, 6))
        return tf.reshape(tf.nn.avg_pool2d(x, 2, 2, "VALID"), up.shape)

    wanted = roi_reference.with_gradient(kernel, features, up)
    got = roi_reference.with_gradient(
        lambda x: roi_align(x, boxes, 3, stride=4), features, up
    )
    np.testing.assert_allclose(got[0], wanted[0], atol=1e-4)
    np.testing.assert_allclose(got[1], wanted[1], atol=1e-4)


def test_nothing_is_rounded():
    """Trap: on a ramp a box that moves by a tenth of a pixel moves what it reads."""
    ramp = np.broadcast_to(np.arange(20, dtype="float32")[:, None], (1, 4, 20, 1))
    boxes = np.array([[[16, 0, 80, 32], [16.8, 0, 80.8, 32]]], "float32")
    bins = np.asarray(roi_align(ramp, boxes, 3, stride=8))
    np.testing.assert_allclose(bins[0, 1] - bins[0, 0], 0.1, atol=1e-5)


def test_boxes_have_no_gradient():
    tf = pytest.importorskip("tensorflow")
    boxes = tf.constant([[[1.0, 2, 6, 7]]])
    with tf.GradientTape() as tape:
        tape.watch(boxes)
        total = tf.reduce_sum(roi_align(tf.ones((1, 8, 8, 1)), boxes, 3, stride=1))
    assert tape.gradient(total, boxes) is None


def test_layer_is_the_function():
    features = RNG.normal(size=(2, 6, 9, 3)).astype("float32")
    boxes = roi_reference.some_boxes(2, 9, 24, 36)
    wanted = roi_align(features, boxes, 2, 4, sampling_ratio=3)
    np.testing.assert_array_equal(RoIAlign(2, 4, 3)(features, boxes), wanted)


def test_zero_boxes_and_empty_slots():
    features = RNG.normal(size=(2, 5, 4, 3)).astype("float32")
    assert roi_align(features, np.zeros((2, 0, 4)), 7, 8).shape == (2, 0, 7, 7, 3)
    bins = np.asarray(roi_align(features, np.zeros((2, 1, 4)), 2, 8))
    corner = np.broadcast_to(features[:, None, None, :1, 0], bins.shape)
    np.testing.assert_allclose(bins, corner, rtol=1e-6)


def test_coordinates_stay_exact_in_half_precision():
    """Trap: float16 has no 2049 and bfloat16 no 257; another pixel would be read."""
    for policy, place in (("mixed_float16", 2049), ("mixed_bfloat16", 257)):
        features = np.zeros((1, 4, place + 3, 1), "float32")
        features[0, :, place] = 1
        boxes = np.array([[[place, 0, place + 1, 4]]], "float32")
        bins = RoIAlign(1, stride=1, dtype=policy)(features, boxes)
        assert keras.backend.standardize_dtype(bins.dtype) == policy[6:]
        assert float(bins[0, 0, 0, 0, 0]) == 0.75  # samples a quarter from the centre
    half = RNG.normal(size=(1, 6, 6, 2)).astype("float16")
    boxes = roi_reference.some_boxes(1, 9, 24, 24)
    bins = roi_align(half, boxes, 3, 4)
    assert keras.backend.standardize_dtype(bins.dtype) == "float16"
    wanted = roi_align(half.astype("float32"), boxes, 3, 4)
    np.testing.assert_allclose(bins, wanted, atol=1e-2)


@settings(max_examples=5)
@given(arrays("float32", (1, 8, 4), elements=st.floats(width=32)))
def test_any_box_gives_a_mean(boxes):
    """Life: infinite, reversed and missing coordinates give no NaN."""
    features = np.full((1, 4, 5, 1), 3, "float32")
    bins = np.asarray(roi_align(features, boxes, 2, 16))
    assert np.all((bins > -1e-5) & (bins < 3 + 1e-5))
    assert not bins[np.isnan(boxes).any(-1)].any()


@pytest.mark.parametrize(
    "features, boxes, message",
    [
        ((8, 8, 2), (1, 5, 4), r"features must be \(batch, .* got \(8, 8, 2\)"),
        ((1, 8, 8, 2), (5, 4), r"boxes must be \(batch, n, 4\), got \(5, 4\)"),
        ((1, 8, 8, 2), (1, 5, 5), r"boxes must be .* got \(1, 5, 5\)"),
        ((2, 8, 8, 2), (3, 5, 4), "features of 2 images, but boxes of 3"),
    ],
)
def test_wrong_shapes(features, boxes, message):
    with pytest.raises(ValueError, match=message):
        roi_align(np.zeros(features), np.zeros(boxes), 3, 2)


def test_wrong_arguments():
    with pytest.raises(ValueError, match="size must be a whole .*, got 0"):
        RoIAlign(0, stride=8)
    with pytest.raises(ValueError, match="sampling_ratio must be .*, got 1.5"):
        RoIAlign(7, stride=8, sampling_ratio=1.5)
    with pytest.raises(ValueError, match="stride must be above 0 pixels, got 0"):
        RoIAlign(7, stride=0)
    with pytest.raises(ValueError, match=r"all but the batch known, got \(None, None"):
        RoIAlign(7, stride=8)(keras.Input((None, 8, 2)), keras.Input((5, 4)))
