"""What a .tflite file is given for pixels."""

import numpy as np
import pytest

from kcv.export import interpreter


@pytest.mark.parametrize("std", [127.5, 128.0, 1 / 0.017])
@pytest.mark.parametrize(
    ("dtype", "zero_point"), [("uint8", 127), ("uint8", 128), ("int8", -1), ("int8", 0)]
)
def test_every_pixel_is_its_own_level(dtype, zero_point, std):
    """They lie in the middle of two: none may be rounded another way than the rest."""
    pixels = np.arange(256)
    images = ((pixels - 127.5) / std).astype("float32")
    detail = {"dtype": np.dtype(dtype), "quantization": (1 / std, zero_point)}
    levels = interpreter.quantize(images, detail)
    assert levels.dtype == dtype
    lowest = np.iinfo(dtype).min
    np.testing.assert_array_equal(levels.astype(int), pixels + lowest)


def test_other_numbers_are_rounded_and_cut_off():
    detail = {"dtype": np.dtype("uint8"), "quantization": (0.5, 10)}
    values = np.array([-99, -0.26, -0.24, 0, 0.24, 0.26, 99], "float32")
    levels = interpreter.quantize(values, detail)
    assert levels.tolist() == [0, 9, 10, 10, 10, 11, 208]
    values = np.array([-99, 300], "float32")
    assert interpreter.quantize(values, detail).tolist() == [0, 255]
    back = interpreter.dequantize(levels, detail)
    np.testing.assert_allclose(back, [-5, -0.5, 0, 0, 0, 0.5, 99])


def test_float_inputs_stay():
    detail = {"dtype": np.dtype("float32"), "quantization": (0.0, 0)}
    values = np.array([0.123], "float32")
    assert interpreter.quantize(values, detail) == values
