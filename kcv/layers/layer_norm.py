"""Layer normalisation in a form whose every operator has an int8 kernel.

Paper: J. Ba et al., "Layer Normalization", 2016, https://arxiv.org/abs/1607.06450
"""

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable("kcv")
class LayerNorm(layers.LayerNormalization):
    """The stock layer over the last axis, which takes the mean away first.

    The stock one multiplies out x * s - mean * s; TFLite's negation is float only, and
    in int8 the difference of two large numbers would lose what is small.
    """

    def call(self, inputs):  # noqa: D102
        x = ops.cast(inputs, "float32")
        x = x - ops.mean(x, axis=-1, keepdims=True)
        variance = ops.mean(x * x, axis=-1, keepdims=True)
        x = x * ops.rsqrt(variance + self.epsilon)
        x = x * ops.cast(self.gamma, "float32") + ops.cast(self.beta, "float32")
        return ops.cast(x, inputs.dtype)
