"""Vectors of length 1, in a form whose every operator has an int8 kernel."""

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable("kcv")
class UnitNorm(layers.Layer):
    """Divides by the length along the last axis, or by 1e-6 if that is shorter.

    As the stock UnitNormalization, which squares: TFLite's square is float only.
    """

    def call(self, inputs):  # noqa: D102
        squares = ops.sum(inputs * inputs, axis=-1, keepdims=True)
        return inputs * ops.rsqrt(ops.maximum(squares, 1e-12))

    def compute_output_shape(self, input_shape):  # noqa: D102
        return input_shape
