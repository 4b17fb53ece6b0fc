import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kcv.data.readers import box_rules


def test_boxes_with_a_pencil():
    boxes = [
        [0, 0, 30, 20],
        [-1, -0.5, 30.5, 21],  # sticks out by a pixel at most: clipped
        [10, 10, 5, 20],  # turned round
        [4, 4, 4, 9],  # no width
        [25, 3, 31.1, 8],  # sticks out by more
        [40, 30, 50, 40],
        [30, 3, 30.5, 8],  # within the pixel, but nothing is left
        [1, 2, np.nan, 4],
        [1, 2, np.inf, 4],
    ]
    clipped, problems = box_rules.check_boxes(boxes, 30, 20)
    assert clipped.dtype == np.float32
    np.testing.assert_array_equal(clipped[:2], [[0, 0, 30, 20]] * 2)
    assert set(problems) == {2, 3, 4, 5, 6, 7, 8}
    assert problems[2] == "box (10, 10, 5, 20) has no area"
    assert problems[3] == "box (4, 4, 4, 9) has no area"
    assert problems[4] == "box (25, 3, 31.1, 8) lies outside of the image of 30 x 20"
    assert "outside" in problems[5]
    assert "outside" in problems[6]
    assert problems[7] == "box (1, 2, nan, 4) is not of numbers"
    assert "not of numbers" in problems[8]


def test_each_box_has_the_size_of_its_image():
    boxes = [[0, 0, 30, 20], [0, 0, 30, 20]]
    assert set(box_rules.check_boxes(boxes, [30, 10], [20, 20])[1]) == {1}


def test_no_boxes():
    clipped, problems = box_rules.check_boxes([], 30, 20)
    assert clipped.shape == (0, 4)
    assert not problems


@given(st.lists(st.floats(-50, 50), min_size=4, max_size=4))
def test_what_is_accepted_lies_inside_and_has_moved_by_a_pixel_at_most(box):
    clipped, problems = box_rules.check_boxes([box], 30, 20)
    if not problems:
        x1, y1, x2, y2 = clipped[0]
        assert 0 <= x1 < x2 <= 30
        assert 0 <= y1 < y2 <= 20
        assert np.abs(clipped[0] - box).max() <= 1 + 1e-5


def test_boxes_of_masks_are_tight():
    masks = np.zeros((3, 8, 9), np.uint8)
    masks[0, 2:5, 1:9] = 1
    masks[2, 7, 0] = 1
    expected = [[1, 2, 9, 5], [0, 0, 0, 0], [0, 7, 1, 8]]
    np.testing.assert_array_equal(box_rules.boxes_of_masks(masks), expected)
    assert box_rules.boxes_of_masks(masks[:0]).shape == (0, 4)
