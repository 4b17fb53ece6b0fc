"""Maxout: the largest of several channels, an activation that is learned.

Paper: I. Goodfellow et al., "Maxout Networks", 2013, https://arxiv.org/abs/1302.4389
"""

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable("kcv")
class Maxout(layers.Layer):
    """The maximum of each group of neighbouring channels.

    `Dense(units * pieces)` and this layer are the paper's equation 1, a convolution
    and this layer its convolutional form.

    Args:
        pieces: channels in a group, the paper's k; it has 2 in most experiments.
    """

    def __init__(self, pieces=2, **kwargs):
        super().__init__(**kwargs)
        if not isinstance(pieces, int) or pieces < 1:
            raise ValueError(f"pieces must be a positive whole number, got {pieces}")
        self.pieces = pieces

    def call(self, inputs):
        """(..., channels * pieces) to (..., channels)."""
        channels = self.compute_output_shape(inputs.shape)[-1]
        rest = ops.shape(inputs)[1:-1]
        groups = ops.reshape(inputs, (-1, *rest, channels, self.pieces))
        return ops.max(groups, axis=-1)

    def compute_output_shape(self, input_shape):  # noqa: D102
        *rest, channels = input_shape
        if channels % self.pieces:
            raise ValueError(
                f"{channels} channels do not split into groups of {self.pieces}: make "
                "them a multiple"
            )
        return (*rest, channels // self.pieces)

    def get_config(self):  # noqa: D102
        return super().get_config() | {"pieces": self.pieces}
