import keras
import numpy as np
import pytest
from scipy import signal

from kcv.layers.convolution_matrix import (
    apply_matrix,
    convolution_matrix,
    flipped,
)

RNG = np.random.default_rng(0)


def _normal(*shape):
    return RNG.normal(size=shape).astype("float32")


@pytest.mark.parametrize(
    ("stride", "expected"),
    [
        (1, [[2, 3, 0, 0], [1, 2, 3, 0], [0, 1, 2, 3], [0, 0, 1, 2]]),
        (2, [[1, 2, 3, 0], [0, 0, 1, 2]]),
    ],
)
def test_matrices_by_hand(stride, expected):
    """Pencil: the kernel 1 2 3 on four values.

    At stride 1 zeros stand on both sides; at stride 2 one is enough, and Keras puts
    it after the last value.
    """
    kernel = np.array([1, 2, 3]).reshape(3, 1, 1)
    np.testing.assert_array_equal(convolution_matrix(kernel, (4,), stride), expected)


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [(7,), (8,), (6, 5), (7, 8)])
@pytest.mark.parametrize("k", [2, 3, 4])
def test_convolution_equals_keras(size, k, stride, padding):
    """Oracle: Conv1D and Conv2D, odd and even sizes and kernels, channels mixed."""
    x, kernel = _normal(2, *size, 2), _normal(*[k] * len(size), 2, 3)
    expected = np.asarray(keras.ops.conv(x, kernel, stride, padding))
    matrix = convolution_matrix(kernel, size, stride, padding)
    y = apply_matrix(matrix, x, expected.shape[1:-1])
    np.testing.assert_allclose(y, expected, atol=1e-5)


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [(4,), (3, 4)])
@pytest.mark.parametrize("k", [2, 3, 4])
def test_transposed_convolution_equals_keras(size, k, stride, padding):
    """Oracle: Conv1DTranspose and Conv2DTranspose are the transpose.

    The kernel is that of Keras as it is: (k, out, in) for what makes `out`, which is
    the `in` of the convolution whose transpose it is.
    """
    y, kernel = _normal(2, *size, 3), _normal(*[k] * len(size), 2, 3)
    expected = np.asarray(keras.ops.conv_transpose(y, kernel, stride, padding))
    larger = expected.shape[1:-1]
    matrix = convolution_matrix(kernel, larger, stride, padding)
    got = apply_matrix(matrix.T, y, larger)
    np.testing.assert_allclose(got, expected, atol=1e-5)


def test_the_transpose_is_the_way_back_of_the_gradient():
    """Oracle: automatic differentiation; and it is not the inverse."""
    tf = pytest.importorskip("tensorflow")
    x, kernel, up = _normal(1, 6, 5, 2), _normal(3, 3, 2, 3), _normal(1, 3, 3, 3)
    tensor = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(tensor)
        y = keras.ops.conv(tensor, kernel, 2, "same")
        total = tf.reduce_sum(y * up)
    matrix = convolution_matrix(kernel, (6, 5), 2)
    gradient = apply_matrix(matrix.T, up, (6, 5))
    np.testing.assert_allclose(tape.gradient(total, tensor), gradient, atol=1e-5)
    back = apply_matrix(matrix.T, apply_matrix(matrix, x, (3, 3)), (6, 5))
    assert np.abs(back - x).max() > 1


def test_two_convolutions_are_one_matrix():
    """Special case: without activations, layers in a stack are one linear map."""
    first, second = _normal(3, 3, 1, 2), _normal(3, 3, 2, 1)
    x = _normal(1, 6, 6, 1)
    y = keras.ops.conv(keras.ops.conv(x, first, 1, "same"), second, 2, "same")
    one = convolution_matrix(second, (6, 6), 2) @ convolution_matrix(first, (6, 6))
    np.testing.assert_allclose(apply_matrix(one, x, (3, 3)), y, atol=1e-4)


def test_networks_correlate_and_mathematics_convolves():
    """Oracle: scipy.signal has both; they differ by a kernel turned round."""
    x, kernel = _normal(1, 6, 7, 1), _normal(3, 3, 1, 1)
    plain = kernel[..., 0, 0]
    for of, expected in [
        (kernel, signal.correlate2d(x[0, ..., 0], plain, mode="same")),
        (flipped(kernel), signal.convolve2d(x[0, ..., 0], plain, mode="same")),
    ]:
        y = keras.ops.conv(x, of, padding="same")
        np.testing.assert_allclose(np.asarray(y)[0, ..., 0], expected, atol=1e-5)


@pytest.mark.parametrize(
    ("size", "padding", "words"),
    [
        ((4, 4), "same", "convolves along 1 axes, input_size .* has 2"),
        ((2,), "valid", "does not fit into"),
        ((4,), "full", "padding must be 'same' or 'valid', got 'full'"),
    ],
)
def test_errors(size, padding, words):
    with pytest.raises(ValueError, match=words):
        convolution_matrix(np.zeros((3, 1, 1)), size, padding=padding)
