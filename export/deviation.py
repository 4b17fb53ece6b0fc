"""How far a file's output may be from Keras, and how that is measured."""

import numpy as np

# Largest `deviation` that passes, by kind of file. On digits, measured with MobileNetV1
# (alpha 0.25, badly trained: 80 % right), MobileNetV2 (0.35, 92 %) and V3 small (97 %):
BOUNDS = {
    "float32": 1e-3,  # 1e-7
    "float16": 0.02,  # 0.008, 0.0007, 0.00001
    "dynamic": 0.1,  # 0.012, 0.0006, 0.00002
    "int8": 0.2,  # 0.10, 0.013, 0.004
    "int16x8": 0.1,  # 0.030, 0.001, not supported by the converter
}

# Outputs that differ less between images, relative to their size, count as constant.
SPREAD = 0.01


def deviation(expected: np.ndarray, actual: np.ndarray, mode: str) -> float:
    """Measures how far `actual` is from `expected`, both (n, ...) for n images.

    Float files: max|actual - expected| / max|expected|. Files with 8-bit numbers
    inside, where one value at the edge of two quanta says nothing: root mean square of
    the difference / root mean square of what changes from image to image, so that 0 is
    perfect and 1 is no better than one answer to all images.

    Returns:
        The deviation; infinity where `expected` is all zeros and `actual` is not.
    """
    difference = np.float64(actual) - expected
    if mode in ("float32", "float16"):
        error, size = np.max(np.abs(difference)), np.max(np.abs(expected))
    else:
        error, size = _rms(difference), _rms(expected)
        if not is_constant(expected):
            size = _rms(expected - expected.mean(0))
    return float(error / size) if size else float("inf") if error else 0.0


def is_constant(outputs: np.ndarray) -> bool:
    """Tells whether outputs (n, ...) are the same for all n images, or nearly."""
    spread = np.max(np.abs(outputs - outputs.mean(0)))
    return bool(spread <= SPREAD * np.max(np.abs(outputs)))


def _rms(x):
    return np.sqrt(np.mean(np.float64(x) ** 2))
