"""A learned token in front of all others, which gathers what the classifier reads.

Paper: A. Dosovitskiy et al., "An Image is Worth 16x16 Words: Transformers for Image
Recognition at Scale", 2021, section 3.1, https://arxiv.org/abs/2010.11929
"""

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable("kcv")
class ClassToken(layers.Layer):
    """Puts one learned token in front of tokens (batch, n, width): n + 1 tokens."""

    def build(self, input_shape):  # noqa: D102
        shape = (1, 1, input_shape[-1])
        self.token = self.add_weight(name="token", shape=shape, initializer="zeros")

    def call(self, tokens):
        """Two pads and a sum: no operator that needs to know the batch."""
        behind = ops.pad(tokens, ((0, 0), (1, 0), (0, 0)))
        return behind + ops.pad(self.token, ((0, 0), (0, tokens.shape[1]), (0, 0)))

    def compute_output_shape(self, input_shape):  # noqa: D102
        batch, count, width = input_shape
        return (batch, count + 1, width)
