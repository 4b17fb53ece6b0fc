import keras
import numpy as np
import pytest
import roi_reference
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kcv.layers.ps_roi_pool import PSRoIPool, ps_roi_pool

RNG = np.random.default_rng(0)


def test_bins_by_hand():
    """Pencil: two classes in 2 x 2 bins; map k is k everywhere, but for one pixel.

    The box (0, 0, 4, 2) at stride 1 has bins of two pixels by one. Class 1, row 0,
    column 1 is channel 5, and its bin the pixels (0, 2) and (0, 3), of which one is 15.
    """
    features = np.broadcast_to(np.arange(8, dtype="float32"), (1, 3, 4, 8)).copy()
    features[0, 0, 3, 5] = 15
    bins = ps_roi_pool(features, np.array([[[0, 0, 4, 2]]], "float32"), 2, stride=1)
    np.testing.assert_array_equal(bins[0, 0, :, :, 0], [[0, 1], [2, 3]])
    np.testing.assert_array_equal(bins[0, 0, :, :, 1], [[4, 10], [6, 7]])


@pytest.mark.parametrize("batch, size, shape", [(1, 3, (6, 9)), (2, 7, (13, 8))])
def test_values_and_gradients_equal_loops(batch, size, shape):
    features = RNG.normal(size=(batch, *shape, 2 * size**2)).astype("float32")
    boxes = roi_reference.some_boxes(batch, 14, 4 * shape[0], 4 * shape[1])
    up = RNG.normal(size=(batch, 14, size, size, 2)).astype("float32")
    wanted = roi_reference.ps_roi_pool(features, boxes, size, 4, up)
    got = roi_reference.with_gradient(
        lambda x: ps_roi_pool(x, boxes, size, 4), features, up
    )
    np.testing.assert_allclose(got[0], wanted[0], atol=1e-5)
    np.testing.assert_allclose(got[1], wanted[1], atol=1e-5)


def test_whole_map_is_average_pooling():
    """Oracle: of equal maps for all bins, those of the stock layer; last row too."""
    features = RNG.normal(size=(2, 6, 9, 4)).astype("float32")
    boxes = np.broadcast_to(np.array([0, 0, 9, 6], "float32") * 16, (2, 1, 4))
    bins = ps_roi_pool(np.repeat(features, 9, axis=-1), boxes, 3, 16)
    wanted = keras.layers.AveragePooling2D((2, 3))(features)
    np.testing.assert_allclose(bins[:, 0], wanted, atol=1e-6)


def test_part_out_of_place_scores_less():
    """Life: what R-FCN lives on. Maps of the four parts of a square, and two boxes."""
    maps = np.zeros((1, 8, 8, 4), "float32")
    for channel, (y, x) in enumerate([(2, 2), (2, 4), (4, 2), (4, 4)]):
        maps[0, y : y + 2, x : x + 2, channel] = 1
    boxes = np.array([[[2, 2, 6, 6], [4, 2, 8, 6]]], "float32")
    votes = np.mean(ps_roi_pool(maps, boxes, 2, 1), axis=(2, 3))[0, :, 0]
    np.testing.assert_array_equal(votes, [1, 0])


def test_zero_boxes_and_empty_slots():
    features = RNG.normal(size=(2, 5, 4, 8)).astype("float32")
    assert ps_roi_pool(features, np.zeros((2, 0, 4)), 2, 8).shape == (2, 0, 2, 2, 2)
    bins = np.asarray(ps_roi_pool(features, np.zeros((2, 1, 4)), 2, 8))
    corner = features[:, 0, 0].reshape(2, 1, 2, 2, 2)  # class, row, column
    np.testing.assert_allclose(bins, np.moveaxis(corner, 2, 4), rtol=1e-6)


def test_coordinates_stay_exact_in_half_precision():
    """Trap: float16 has no 2049."""
    features = np.zeros((1, 2, 2052, 1), "float32")
    features[0, :, 2049] = 1
    boxes = np.array([[[2049, 0, 2050, 1], [2050, 0, 2051, 1]]], "float32")
    bins = PSRoIPool(1, stride=1, dtype="mixed_float16")(features, boxes)
    assert keras.backend.standardize_dtype(bins.dtype) == "float16"
    np.testing.assert_array_equal(np.ravel(bins), [1, 0])


@settings(max_examples=5)
@given(arrays("float32", (1, 8, 4), elements=st.floats(width=32)))
def test_any_box_gives_a_mean_or_nothing(boxes):
    """Life: infinite, reversed and missing coordinates give no NaN."""
    features = np.full((1, 4, 5, 4), 3, "float32")
    bins = np.asarray(ps_roi_pool(features, boxes, 2, 16))
    assert np.all((bins == 0) | (np.abs(bins - 3) < 1e-5))
    assert not bins[np.isnan(boxes).any(-1)].any()


def test_wrong_arguments():
    with pytest.raises(ValueError, match="size must be a whole .*, got 0"):
        PSRoIPool(0, stride=8)
    with pytest.raises(ValueError, match="stride must be above 0 pixels, got 0"):
        PSRoIPool(7, stride=0)
    with pytest.raises(ValueError, match="10 channels are not a multiple of 3 x 3"):
        ps_roi_pool(np.zeros((1, 8, 8, 10)), np.zeros((1, 5, 4)), 3, 2)
    with pytest.raises(ValueError, match=r"boxes must be .*, got \(5, 4\)"):
        ps_roi_pool(np.zeros((1, 8, 8, 9)), np.zeros((5, 4)), 3, 2)
