"""Convolution and transposed convolution as products with one explicit matrix.

Source: V. Dumoulin, F. Visin, "A guide to convolution arithmetic for deep learning",
2016, sections 2 and 4, https://arxiv.org/abs/1603.07285

Every output value is a weighted sum of input values, so a convolution is a matrix: one
row for each output, one column for each input, the same few weights in every row and
zeros elsewhere. Its transpose is the transposed convolution: the way back of the
gradient, and an upsampling, but not an inverse. It is here to be read and to prove
things with: for 224x224 images the matrix has billions of zeros.

    matrix = convolution_matrix(kernel, (8, 8), stride=2)
    y = apply_matrix(matrix, x, (4, 4))    # = Conv2D(..., strides=2)(x)
    z = apply_matrix(matrix.T, y, (8, 8))  # = Conv2DTranspose(..., strides=2)(y)

Like Keras, and against the word, this is cross-correlation: the kernel is not flipped.
"""

import numpy as np

from kcv.layers.convolution_arithmetic import output_size, same_padding


def convolution_matrix(kernel, input_size, stride=1, padding="same"):
    """Returns the matrix of a convolution along one, two or more axes.

    Args:
        kernel: (k, in, out), (k, k, in, out), ...: the layout of Keras' `Conv1D` and
            `Conv2D`, and of the transposed ones with the names in and out exchanged.
        input_size: (n,) or (height, width), ...; what the convolution reads, which is
            what a transposed convolution makes.
        stride: along every axis.
        padding: "same" or "valid".

    Returns:
        (outputs, inputs); both count positions row by row, the channels of a position
        next to each other, as a flattened array has them.

    Raises:
        ValueError: if the sizes do not fit the kernel or the padding is unknown.
    """
    kernel, sizes = np.asarray(kernel), tuple(input_size)
    if kernel.ndim != len(sizes) + 2:
        raise ValueError(
            f"a kernel of shape {kernel.shape} convolves along {kernel.ndim - 2} axes, "
            f"input_size {sizes} has {len(sizes)}"
        )
    pads = _padding_before_and_sum(sizes, kernel.shape, stride, padding)
    outputs = [
        output_size(size, k, stride, total)
        for size, k, (_, total) in zip(sizes, kernel.shape, pads)
    ]
    if min(outputs) == 0:
        raise ValueError(f"a kernel of shape {kernel.shape} does not fit into {sizes}")
    channels_in, channels_out = kernel.shape[-2:]
    matrix = np.zeros((*outputs, channels_out, *sizes, channels_in), kernel.dtype)
    for place in np.ndindex(*outputs):
        for tap in np.ndindex(*kernel.shape[:-2]):
            at = tuple(
                stride * p + t - before for p, t, (before, _) in zip(place, tap, pads)
            )
            if all(0 <= a < size for a, size in zip(at, sizes)):
                matrix[(*place, slice(None), *at)] = kernel[tap].T
    return matrix.reshape(np.prod(outputs) * channels_out, -1)


def apply_matrix(matrix, values, output_shape):
    """Multiplies each example, flattened, by the matrix.

    Args:
        matrix: (outputs, inputs).
        values: (batch, ..., channels) with `inputs` numbers an example.
        output_shape: (n,) or (height, width), ... of the result.

    Returns:
        (batch, *output_shape, channels).
    """
    flat = np.asarray(values).reshape(len(values), -1)
    return (flat @ matrix.T).reshape(len(flat), *output_shape, -1)


def flipped(kernel):
    """Turns a kernel round along its spatial axes: convolution in the strict sense."""
    kernel = np.asarray(kernel)
    return np.flip(kernel, axis=tuple(range(kernel.ndim - 2)))


def _padding_before_and_sum(sizes, kernel_shape, stride, padding):
    if padding == "valid":
        return [(0, 0)] * len(sizes)
    if padding != "same":
        raise ValueError(f"padding must be 'same' or 'valid', got {padding!r}")
    pairs = [same_padding(n, k, stride) for n, k in zip(sizes, kernel_shape)]
    return [(before, before + after) for before, after in pairs]
