"""The tf_keras twins of kcv's own layers."""

import tensorflow as tf
import tf_keras

from kcv.layers import pad_channels


@tf_keras.utils.register_keras_serializable("kcv")
class PadChannels(tf_keras.layers.Layer):
    """Appends channels of zeros; (..., c) to (..., c + channels)."""

    def __init__(self, channels, **kwargs):
        super().__init__(**kwargs)
        self.channels = channels

    def call(self, x):  # noqa: D102
        return tf.pad(x, [(0, 0)] * (x.shape.rank - 1) + [(0, self.channels)])

    def get_config(self):  # noqa: D102
        return {**super().get_config(), "channels": self.channels}


# Layer class -> function (layer, name) -> tf_keras layer.
TWINS = {
    pad_channels.PadChannels: lambda layer, name: PadChannels(layer.channels, name=name)
}
