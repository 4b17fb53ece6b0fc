import keras
import numpy as np
import pytest
import roi_reference

from kcv.layers import multilevel_roi_align as module
from kcv.layers.multilevel_roi_align import MultilevelRoIAlign, multilevel_roi_align
from kcv.layers.roi_align import roi_align
from kcv.layers.roi_sampling import pyramid_levels

RNG = np.random.default_rng(0)


def _pyramid(batch, channels=3):
    """Levels of an image of 64 x 96."""
    shapes = {f"P{k}": (batch, 64 >> k, 96 >> k, channels) for k in (2, 3, 4)}
    return {k: RNG.normal(size=shape).astype("float32") for k, shape in shapes.items()}


def test_levels_by_hand():
    """Pencil: 224 squared is at 4, half a side at 3; a pixel less is a level less."""
    sides = [224, 223, 112, 111, 448, 10_000, 0]
    boxes = np.array([[[7, 5, 7 + side, 5 + side] for side in sides]], "float32")
    levels = pyramid_levels(boxes, lowest=2, highest=5)
    np.testing.assert_array_equal(levels, [[4, 3, 3, 2, 5, 5, 2]])
    levels = pyramid_levels(boxes, 3, 4, canonical_level=5, canonical_size=448)
    np.testing.assert_array_equal(levels, [[4, 3, 3, 3, 4, 4, 3]])


def test_levels_equal_logarithms():
    boxes = roi_reference.some_boxes(1, 200, 900, 1300)
    wanted = [roi_reference.level(box, 2, 5) for box in boxes[0]]
    np.testing.assert_array_equal(pyramid_levels(boxes, 2, 5)[0], wanted)
    assert set(wanted) == {2, 3, 4, 5}


@pytest.fixture(params=[0, module.PRODUCTS], ids=["gather", "products"])
def way(request, monkeypatch):
    """Both ways to sample, whatever the size of the maps."""
    monkeypatch.setattr(module, "PRODUCTS", request.param)


@pytest.mark.parametrize("batch, size, ratio", [(1, 2, 2), (2, 3, 1)])
@pytest.mark.usefixtures("way")
def test_values_and_gradients_equal_loops(batch, size, ratio):
    """Each level, with all boxes, and then of each box its own level."""
    features = _pyramid(batch)
    boxes = roi_reference.some_boxes(batch, 16, 64, 96)
    up = RNG.normal(size=(batch, 16, size, size, 3)).astype("float32")
    levels = np.array([[roi_reference.level(x, 2, 4, 3, 24) for x in b] for b in boxes])
    assert set(levels.ravel()) == {2, 3, 4}
    for name, maps in features.items():
        here = levels == int(name[1:])
        values, back = roi_reference.roi_align(
            maps,
            boxes,
            size,
            2 ** int(name[1:]),
            ratio,
            up * here[..., None, None, None],
        )
        got = roi_reference.with_gradient(
            lambda x, name=name: multilevel_roi_align(
                {**features, name: x}, boxes, size, ratio, 3, 24
            ),
            maps,
            up,
        )
        np.testing.assert_allclose(got[0][here], values[here], atol=1e-5)
        np.testing.assert_allclose(got[1], back, atol=1e-4)


@pytest.mark.usefixtures("way")
def test_one_level_is_roi_align():
    """Oracle: the layer of one map; in half precision, too."""
    maps = _pyramid(2)["P3"]
    boxes = roi_reference.some_boxes(2, 20, 64, 96)
    wanted = roi_align(maps, boxes, 7, 8)
    got = multilevel_roi_align({"P3": maps}, boxes, 7)
    np.testing.assert_allclose(got, wanted, atol=1e-5)
    half = MultilevelRoIAlign(7, dtype="mixed_float16")({"P3": maps}, boxes)
    assert keras.backend.standardize_dtype(half.dtype) == "float16"
    np.testing.assert_allclose(half, wanted, atol=1e-2)


def test_layer_is_the_function():
    features = _pyramid(2)
    boxes = roi_reference.some_boxes(2, 9, 64, 96)
    wanted = multilevel_roi_align(features, boxes, 2, 3, 5, 96)
    layer = MultilevelRoIAlign(2, 3, canonical_level=5, canonical_size=96)
    np.testing.assert_array_equal(layer(features, boxes), wanted)


@pytest.mark.usefixtures("way")
def test_zero_boxes_and_no_numbers():
    features = _pyramid(2)
    assert multilevel_roi_align(features, np.zeros((2, 0, 4)), 7).shape[1] == 0
    boxes = np.full((2, 1, 4), np.nan, "float32")
    assert not np.any(multilevel_roi_align(features, boxes, 2))


def test_errors():
    boxes, maps = np.zeros((1, 2, 4)), np.zeros((1, 8, 8, 2))
    for names in (["P2", "P4"], ["two"], [], ["P2", "C2"]):
        with pytest.raises(ValueError, match="levels without a gap, .* got"):
            multilevel_roi_align(dict.fromkeys(names, maps), boxes, 2)
    with pytest.raises(ValueError, match=r"same channels, got \[2, 3\]"):
        multilevel_roi_align({"P2": maps, "P3": np.zeros((1, 4, 4, 3))}, boxes, 2)
    with pytest.raises(ValueError, match="size must be a whole number.*, got -1"):
        MultilevelRoIAlign(-1)
    with pytest.raises(ValueError, match=r"boxes must be .*, got \(2, 4\)"):
        multilevel_roi_align({"P2": maps}, boxes[0], 2)
