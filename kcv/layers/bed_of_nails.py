"""Bed of nails: upsampling that puts zeros between the pixels.

Paper: M. Zeiler, G. Taylor, R. Fergus, "Adaptive Deconvolutional Networks for Mid and
High Level Feature Learning", 2011, https://doi.org/10.1109/ICCV.2011.6126474

A convolution after it is a transposed convolution: this layer is the half without
weights.
"""

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable("kcv")
class BedOfNails(layers.Layer):
    """Each pixel becomes the top left one of size x size, the others are zero.

    Args:
        size: factor of height and width.
    """

    def __init__(self, size=2, **kwargs):
        super().__init__(**kwargs)
        if not isinstance(size, int) or size < 1:
            raise ValueError(f"size must be a positive whole number, got {size}")
        self.size = size

    def call(self, images):
        """(b, h, w, c) to (b, h * size, w * size, c)."""
        _, height, width, channels = ops.shape(images)
        zeros = [0, self.size - 1]
        x = ops.reshape(images, (-1, height, width, 1, channels))
        x = ops.pad(x, [[0, 0], [0, 0], [0, 0], zeros, [0, 0]])
        x = ops.reshape(x, (-1, height, 1, width * self.size, channels))
        x = ops.pad(x, [[0, 0], [0, 0], zeros, [0, 0], [0, 0]])
        return ops.reshape(x, (-1, height * self.size, width * self.size, channels))

    def compute_output_shape(self, input_shape):  # noqa: D102
        batch, height, width, channels = input_shape
        sides = [n and n * self.size for n in (height, width)]
        return (batch, *sides, channels)

    def get_config(self):  # noqa: D102
        return super().get_config() | {"size": self.size}
