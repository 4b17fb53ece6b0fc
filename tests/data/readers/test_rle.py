import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from kcv.data.readers import rle

masks = st.tuples(
    st.integers(1, 40), st.integers(1, 40), st.floats(0, 1), st.integers(0, 2**32 - 1)
).map(lambda a: (np.random.default_rng(a[3]).random(a[:2]) < a[2]).astype(np.uint8))


def by_hand(mask):
    """Run lengths down the columns, the first of zeros."""
    values = np.concatenate([[0], mask.T.ravel()])
    ends = np.flatnonzero(np.diff(values))
    return np.diff(np.concatenate([[0], ends, [mask.size]])).tolist()


@given(masks)
def test_both_kinds_of_run_lengths_draw_the_mask(mask):
    height, width = mask.shape
    compressed = coco_mask.encode(np.asfortranarray(mask))["counts"].decode()
    segments = rle.Segments()
    for counts in (by_hand(mask), compressed):
        segmentation = {"size": [height, width], "counts": counts}
        assert segments.add(segmentation) == ""
        np.testing.assert_array_equal(rle.decode(segmentation, height, width), mask)
    for index in range(2):
        np.testing.assert_array_equal(segments.mask(index, height, width), mask)
    assert segments.sizes() == {0: [height, width], 1: [height, width]}


@given(st.lists(st.lists(st.floats(-5, 45), min_size=6, max_size=6), min_size=1))
def test_polygons_agree_with_pycocotools(polygons):
    runs = coco_mask.merge(coco_mask.frPyObjects(polygons, 30, 40))
    mask = rle.decode(polygons, 30, 40)
    assert mask.sum() == coco_mask.area(runs)
    again = coco_mask.encode(np.asfortranarray(mask))
    assert coco_mask.iou([again], [runs], [0]) == (1 if mask.any() else 0)


def test_polygon_with_a_pencil():
    """The square from 2 to 6 covers the pixels 2, 3, 4, 5."""
    expected = np.zeros((10, 12), np.uint8)
    expected[2:6, 2:6] = 1
    square = [[2, 2, 6, 2, 6, 6, 2, 6]]
    np.testing.assert_array_equal(rle.decode(square, 10, 12), expected)


def test_segments_keep_order_and_parts_apart():
    squares = [[float(4 * n), 0, 4 * n + 3, 0, 4 * n + 3, 3, 4 * n, 3] for n in (0, 1)]
    segments = rle.Segments()
    assert segments.add([]) == "no segmentation"
    assert segments.add([squares[0]]) == ""
    assert segments.add(squares) == ""
    assert len(segments) == 3
    assert segments.mask(1, 3, 8).sum() == 9
    np.testing.assert_array_equal(segments.mask(2, 3, 8)[0], [1, 1, 1, 0, 1, 1, 1, 0])


@pytest.mark.parametrize(
    ("segmentation", "wrong"),
    [
        (None, "no segmentation"),
        ([1, 2, 3, 4, 5, 6], "not a list of polygons"),
        ([[1, 2, 3, 4]], "polygon of 4 numbers, not of at least 3 points"),
        ([[1, 2, 3, 4, 5, 6, 7]], "polygon of 7 numbers"),
        ([[1, 2, 3, 4, 5, None]], "no finite number"),
        ([[1, 2, 3, 4, 5, float("nan")]], "no finite number"),
        ([[1, 2, 3, 4, 5, "6"]], "no finite number"),
        ([[1, 2, 3, 4, 5, 1e12]], "further than 100000 pixels outside"),
        ([[1, 2, -1e12, 4, 5, 6]], "further than 100000 pixels outside"),
        ({"size": [3], "counts": [9]}, r"run lengths of size \[3\]"),
        ({"size": ["3", 3], "counts": [9]}, "run lengths of size"),
        ({"counts": [9]}, "run lengths of size None"),
        ({"size": [3, 3], "counts": [4, 4]}, "run lengths of 8 pixels for .* 3 x 3"),
        ({"size": [3, 3], "counts": [-1, 10]}, "run lengths of 9 pixels"),
        ({"size": [3, 3], "counts": [4.5, 4.5]}, "no whole numbers"),
        ({"size": [3, 3]}, "no whole numbers"),
        ({"size": [3, 3], "counts": "\u00e4"}, "damaged"),
        ({"size": [3, 3], "counts": "P"}, "damaged"),
        ({"size": [3, 3], "counts": "P" * 9 + "0"}, "damaged"),
        ({"size": [3, 3], "counts": ""}, "of 0 pixels"),
    ],
)
def test_malformed_segmentations_are_named(segmentation, wrong):
    with pytest.raises(ValueError, match=wrong):
        raise ValueError(rle.problem(segmentation))


def test_compressed_run_lengths_of_another_size_are_named():
    runs = coco_mask.encode(np.asfortranarray(np.eye(6, dtype=np.uint8)))
    runs = {"size": [6, 7], "counts": runs["counts"].decode()}
    assert rle.problem(runs) == "run lengths of 36 pixels for an image of 7 x 6"
