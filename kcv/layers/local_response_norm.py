"""Local response normalisation: a unit is damped by its neighbours among the maps.

Paper: A. Krizhevsky, I. Sutskever, G. Hinton, "ImageNet Classification with Deep
Convolutional Neural Networks", 2012, section 3.3,
https://doi.org/10.1145/3065386

TFLite's own operator is float only. Here the sum over neighbours is a 1x1 convolution
with a band of ones and the power is exp(-beta log(s)), all of which also have kernels
for integers.
"""

import keras
import numpy as np
from keras import layers, ops


def local_response_norm(x, depth_radius=2, bias=2.0, alpha=1e-4, beta=0.75):
    """Returns x / (bias + alpha * sum of the squares of neighbours) ** beta.

    The sum runs over the maps i - depth_radius to i + depth_radius, as far as they
    exist. As in the paper and in `tf.nn.local_response_normalization`, alpha is not
    divided by their number; Caffe and PyTorch divide it.

    Args:
        x: (batch, height, width, channels); of any float type, computed in float32.
        depth_radius: n / 2 of the paper, in maps, rounded down.
        bias: k of the paper.
        alpha: of the paper.
        beta: of the paper.

    Returns:
        (batch, height, width, channels), of the type of x.
    """
    y = ops.cast(x, "float32")
    i = np.arange(x.shape[-1])
    band = np.abs(i[:, None] - i) <= depth_radius  # (channels, channels)
    kernel = (alpha * band[None, None]).astype("float32")
    # y * |y|, for y * y becomes a SQUARE, which TFLite has for floats only.
    sums = ops.conv(y * y, kernel, data_format="channels_last") + bias
    return ops.cast(y * ops.exp(-beta * ops.log(sums)), x.dtype)


@keras.saving.register_keras_serializable("kcv")
class LocalResponseNorm(layers.Layer):
    """Layer of `local_response_norm`, with its arguments; it has no weights."""

    def __init__(self, depth_radius=2, bias=2.0, alpha=1e-4, beta=0.75, **kwargs):
        super().__init__(**kwargs)
        if depth_radius < 0:
            raise ValueError(f"depth_radius must be 0 or more maps, got {depth_radius}")
        if bias <= 0 or alpha < 0:
            raise ValueError(
                "bias must be above 0 and alpha not below 0, or the root of a negative "
                f"number is taken; got bias {bias}, alpha {alpha}"
            )
        self.depth_radius, self.bias = depth_radius, bias
        self.alpha, self.beta = alpha, beta

    def call(self, x):
        """(batch, height, width, channels) to the same."""
        return local_response_norm(
            x, self.depth_radius, self.bias, self.alpha, self.beta
        )

    def compute_output_shape(self, input_shape):  # noqa: D102
        return input_shape

    def get_config(self):  # noqa: D102
        names = ("depth_radius", "bias", "alpha", "beta")
        return super().get_config() | {name: getattr(self, name) for name in names}
