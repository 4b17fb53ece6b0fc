import keras
import numpy as np
import pytest
import roi_reference
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kcv.layers.roi_pool import RoIPool, _windows, _with_windows, roi_pool

RNG = np.random.default_rng(0)


def test_bins_by_hand():
    """Pencil: the box (1, 0, 3, 2) at stride 1 takes pixels 1 to 3 and 0 to 2.

    Three pixels in two bins are 0 to 1.5 and 1.5 to 3, rounded outwards 0 to 2 and
    1 to 3: the middle one is in both. Pixel (y, x) is 10 y + x.
    """
    y, x = np.mgrid[:5, :5].astype("float32")
    features = (10 * y + x)[None, :, :, None]
    bins = roi_pool(features, np.array([[[1, 0, 3, 2]]], "float32"), 2, stride=1)
    np.testing.assert_array_equal(bins[0, 0, :, :, 0], [[12, 13], [22, 23]])


@pytest.mark.parametrize("batch, size, shape", [(1, 3, (6, 9)), (2, 7, (13, 8))])
def test_values_and_gradients_equal_loops(batch, size, shape):
    """Without equal maxima, as of real numbers; negative ones show a 0 from outside."""
    features = RNG.normal(-1, 1, (batch, *shape, 3)).astype("float32")
    boxes = roi_reference.some_boxes(batch, 14, 4 * shape[0], 4 * shape[1])
    up = RNG.normal(size=(batch, 14, size, size, 3)).astype("float32")
    wanted = roi_reference.roi_pool(features, boxes, size, 4, up)
    got = roi_reference.with_gradient(
        lambda x: roi_pool(x, boxes, size, 4), features, up
    )
    np.testing.assert_array_equal(got[0], wanted[0].astype("float32"))
    np.testing.assert_allclose(got[1], wanted[1], atol=1e-5)


@pytest.mark.parametrize("length", [1, 2, 7, 8])
def test_two_windows_cover_any_range(length):
    """Trap: an empty range is read, too, and must be read inside the table."""
    values = RNG.normal(size=length).astype("float32")
    table = np.ravel(_with_windows(values.reshape(1, length, 1, 1), axis=1))
    ends = np.arange(length + 1, dtype="int32")
    first, last = (x.ravel() for x in np.meshgrid(ends, ends))
    places = [np.asarray(x) for x in _windows(first, last, length)]
    for a, b, *windows in zip(first, last, *places):
        if a <= b:
            assert 0 <= min(windows) <= max(windows) < len(table)
        if a < b:
            assert table[windows].max() == values[a:b].max()


def test_whole_map_is_max_pooling():
    """Oracle: a box to the middle of the last pixel, in bins that divide it."""
    features = RNG.normal(size=(2, 6, 9, 4)).astype("float32")
    boxes = np.broadcast_to(np.array([0, 0, 8, 5], "float32") * 16, (2, 1, 4))
    wanted = keras.layers.MaxPooling2D((2, 3))(features)
    np.testing.assert_array_equal(roi_pool(features, boxes, 3, 16)[:, 0], wanted)


def test_equal_maxima_pass_the_gradient_on_once():
    """Trap: after ReLU many are 0; overlapping windows must not count one twice."""
    features = RNG.integers(0, 2, (1, 7, 7, 2)).astype("float32")
    boxes = np.array([[[0, 0, 6, 6], [1, 2, 5, 6]]], "float32")
    ones = np.ones((1, 2, 2, 2, 2), "float32")
    values, back = roi_reference.with_gradient(
        lambda x: roi_pool(x, boxes, 2, 1), features, ones
    )
    assert back.sum() == ones.sum() and values.min() == 1
    assert not back[features == 0].any()


def test_boxes_are_rounded():
    """A box moved by less than to the next half pixel of the map reads the same."""
    features = RNG.normal(size=(1, 8, 8, 2)).astype("float32")
    boxes = np.array([[[32, 32, 96, 80], [39.9, 24, 103.9, 87.9]]], "float32")
    bins = np.asarray(roi_pool(features, boxes, 3, stride=16))
    np.testing.assert_array_equal(bins[0, 0], bins[0, 1])


def test_zero_boxes_and_empty_slots():
    features = RNG.normal(size=(2, 5, 1, 3)).astype("float32")
    assert roi_pool(features, np.zeros((2, 0, 4)), 7, 8).shape == (2, 0, 7, 7, 3)
    bins = np.asarray(roi_pool(features, np.zeros((2, 1, 4)), 2, 8))
    corner = np.broadcast_to(features[:, None, None, :1, 0], bins.shape)
    np.testing.assert_array_equal(bins, corner)


def test_coordinates_stay_exact_in_half_precision():
    """Trap: float16 has no 2049."""
    features = np.zeros((1, 2, 2052, 1), "float32")
    features[0, :, 2049] = 1
    boxes = np.array([[[2049, 0, 2049, 1], [2050, 0, 2050, 1]]], "float32")
    bins = RoIPool(1, stride=1, dtype="mixed_float16")(features, boxes)
    assert keras.backend.standardize_dtype(bins.dtype) == "float16"
    np.testing.assert_array_equal(np.ravel(bins), [1, 0])


@settings(max_examples=5)
@given(arrays("float32", (1, 8, 4), elements=st.floats(width=32)))
def test_any_box_gives_a_pixel_or_nothing(boxes):
    """Life: infinite, reversed and missing coordinates stay on the map."""
    features = np.arange(1, 21, dtype="float32").reshape(1, 4, 5, 1)
    bins = np.asarray(roi_pool(features, boxes, 2, 16))
    assert np.isin(bins, [0, *features.ravel()]).all()
    assert not bins[np.isnan(boxes).any(-1)].any()


def test_wrong_arguments():
    with pytest.raises(ValueError, match="size must be a whole .*, got 2.0"):
        RoIPool(2.0, stride=8)
    with pytest.raises(ValueError, match="stride must be above 0 pixels, got -16"):
        RoIPool(7, stride=-16)
    with pytest.raises(ValueError, match=r"features must be .*, got \(8, 8, 2\)"):
        roi_pool(np.zeros((8, 8, 2)), np.zeros((1, 5, 4)), 3, 2)
