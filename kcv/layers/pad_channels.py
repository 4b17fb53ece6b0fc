"""Channels of zeros, for shortcuts between maps of different depth."""

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable("kcv")
class PadChannels(layers.Layer):
    """Appends channels of zeros.

    Args:
        channels: how many to append.
    """

    def __init__(self, channels, **kwargs):
        super().__init__(**kwargs)
        self.channels = channels

    def call(self, x):
        """(..., c) to (..., c + channels)."""
        return ops.pad(x, [(0, 0)] * (len(x.shape) - 1) + [(0, self.channels)])

    def compute_output_shape(self, input_shape):  # noqa: D102
        return (*input_shape[:-1], input_shape[-1] + self.channels)

    def get_config(self):  # noqa: D102
        return super().get_config() | {"channels": self.channels}
