import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kcv.boxes import checks, formats

coordinates = st.floats(-1000, 1000, width=32)
BOX = np.float32([10, 20, 50, 100])


def test_formats_by_pencil():
    np.testing.assert_array_equal(formats.xyxy_to_xywh(BOX), [10, 20, 40, 80])
    np.testing.assert_array_equal(formats.xyxy_to_cxcywh(BOX), [30, 60, 40, 80])
    np.testing.assert_array_equal(formats.xyxy_to_yxyx(BOX), [20, 10, 100, 50])
    normalised = formats.pixels_to_normalised(BOX, (200, 100))
    np.testing.assert_allclose(normalised, [0.1, 0.1, 0.5, 0.5])
    np.testing.assert_allclose(
        formats.normalised_to_pixels(normalised, (200, 100)), BOX
    )
    np.testing.assert_allclose(
        formats.scale(BOX, (100, 100), (50, 200)), [20, 10, 100, 50]
    )
    assert float(formats.areas(BOX)) == 3200


@settings(max_examples=8)
@given(arrays("float32", (3, 2, 4), elements=coordinates))
def test_there_and_back(boxes):
    for there, back in (
        (formats.xyxy_to_xywh, formats.xywh_to_xyxy),
        (formats.xyxy_to_cxcywh, formats.cxcywh_to_xyxy),
        (formats.xyxy_to_yxyx, formats.xyxy_to_yxyx),
    ):
        np.testing.assert_allclose(back(there(boxes)), boxes, atol=1e-3)


def test_clipped_and_without_area():
    """Sticking out, wholly outside, turned round."""
    boxes = np.float32([[-5, 5, 30, 90], [120, 0, 130, 9], [5, 5, 3, 9]])
    clipped = formats.clip(boxes, (40, 100))
    np.testing.assert_array_equal(
        clipped, [[0, 5, 30, 40], [100, 0, 100, 9], [5, 5, 3, 9]]
    )
    np.testing.assert_array_equal(formats.areas(clipped), [30 * 35, 0, 0])
    assert formats.areas(boxes[:0]).shape == (0,)
    assert formats.xyxy_to_cxcywh(boxes[:0]).shape == (0, 4)


def test_half_precision_ends_and_double_stays():
    """Trap: 301 is not a bfloat16."""
    half = keras.ops.convert_to_tensor([[1.0, 2.0, 3.0, 4.0]], "bfloat16")
    assert formats.xyxy_to_xywh(half).dtype == "float32"
    first, second = formats.as_float(BOX, half)
    assert first.dtype == second.dtype == "float32"
    assert formats.as_float(np.zeros(4)).dtype == "float64"
    assert formats.as_float([1, 2, 301, 4]).dtype == "float32"
    assert float(formats.as_float([1, 2, 301, 4])[2]) == 301


def test_in_a_graph_of_any_batch():
    boxes = keras.Input((None, 4))
    model = keras.Model(boxes, formats.clip(formats.xywh_to_xyxy(boxes), (40, 40)))
    answer = model.predict(BOX[None, None], verbose=0)
    np.testing.assert_array_equal(answer, [[[10, 20, 40, 40]]])


BAD = np.array(
    [
        [0, 0, 4, 4],
        [9, 0, 4, 4],
        [0, 9, 4, 4],
        [0, 0, np.nan, 4],
        [0, 0, np.inf, 4],
        [3, 0, 3, 4],
        [50, 0, 60, 4],
        [-5, -5, 2, 2],
        [0, 0, 0, 0],
    ]
)


def test_faults_are_named():
    found = checks.faults(BAD, (40, 50))
    assert list(found) == [1, 2, 3, 4, 5, 6, 8]
    assert found[1] == "box 1 (9, 0, 4, 4) has x2 < x1"
    assert found[2].endswith("has y2 < y1")
    assert found[3] == "box 3 (0, 0, nan, 4) is not of finite numbers"
    assert found[4].endswith("is not of finite numbers")
    assert found[5].endswith("has no area")
    assert found[6].endswith("lies outside of the image, 50 wide and 40 high")
    touching = [[-9, 0, 0, 4], [50, 0, 59, 4], [0, -9, 4, 0], [0, 40, 4, 49]]
    assert len(checks.faults(touching, (40, 50))) == 4


def test_empty_slots_are_not_bad():
    assert list(checks.faults(BAD)) == [1, 2, 3, 4, 5, 8]
    classes = np.array([0, -1, -1, -1, 1, -1, -1, 0, -1])
    assert list(checks.faults(BAD, classes=classes)) == [4]
    assert checks.faults(np.zeros((0, 4))) == {}
    checks.check(BAD, (40, 50), np.full(9, -1))


def test_check_counts_and_names():
    message = r"7 of 9 boxes are bad: box 1 .* x2 < x1, box 2 .*, box 3 .*, \.\.\.; cor"
    with pytest.raises(ValueError, match=message):
        checks.check(BAD, (40, 50))
    with pytest.raises(ValueError, match=r"1 of 2 boxes are bad: box 1 .* x2 < x1; co"):
        checks.check(BAD[:2])
