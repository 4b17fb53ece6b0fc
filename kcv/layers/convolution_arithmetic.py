"""How large the output of a convolution or a pooling is, and what "same" pads.

Source: V. Dumoulin, F. Visin, "A guide to convolution arithmetic for deep learning",
2016, https://arxiv.org/abs/1603.07285
"""


def same_padding(size, kernel_size, stride=1, dilation=1):
    """Returns (before, after) with which "valid" gives ceil(size / stride) values.

    They are those of Keras' padding="same": where their sum is odd, one more after.
    """
    reach = dilation * (kernel_size - 1) + 1
    total = max((-(-size // stride) - 1) * stride + reach - size, 0)
    return total // 2, total - total // 2


def output_size(size, kernel_size, stride=1, padding=0, dilation=1):
    """Returns how many values a convolution or pooling makes along an axis.

    floor((size + padding - dilation * (kernel_size - 1) - 1) / stride) + 1, with the
    padding of both sides together; 0 where the kernel does not fit.
    """
    room = size + padding - dilation * (kernel_size - 1) - 1
    return max(room // stride + 1, 0)
