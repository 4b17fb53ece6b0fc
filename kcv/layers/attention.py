"""Scaled dot-product attention in several heads, without weights of its own.

Paper: A. Vaswani et al., "Attention Is All You Need", 2017, section 3.2,
https://arxiv.org/abs/1706.03762

The projections are stock dense layers around it, so a weight file, a count of the work
and quantisation see layers that they know.
"""

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable("kcv")
class Attention(layers.Layer):
    """Gives the attended values and, as a second output, the attention maps.

    Args:
        heads: number of heads; divides the width.
    """

    def __init__(self, heads, **kwargs):
        super().__init__(**kwargs)
        self.heads = heads

    def build(self, input_shape):  # noqa: D102
        width = input_shape[0][-1]
        if width % self.heads:
            raise ValueError(
                f"a width of {width} does not divide into {self.heads} heads: choose a "
                "multiple"
            )

    def call(self, inputs):
        """[queries, keys, values], each (b, n, width).

        Returns (b, n, width) and the maps, (b, heads, n, n): shares in [0, 1] that each
        token, on axis 2, pays to each token, on axis 3.
        """
        queries, keys, values = (self._split(x) for x in inputs)
        # On the queries, for they are fewer numbers than the scores.
        queries = queries * (queries.shape[-1] ** -0.5)
        scores = ops.matmul(queries, ops.transpose(keys, (0, 1, 3, 2)))
        maps = ops.softmax(scores, axis=-1)
        attended = ops.transpose(ops.matmul(maps, values), (0, 2, 1, 3))
        return ops.reshape(attended, (-1, *inputs[0].shape[1:])), maps

    def _split(self, x):
        """(b, n, width) to (b, heads, n, width / heads)."""
        _, count, width = x.shape
        x = ops.reshape(x, (-1, count, self.heads, width // self.heads))
        return ops.transpose(x, (0, 2, 1, 3))

    def compute_output_shape(self, input_shape):  # noqa: D102
        batch, count, width = input_shape[0]
        return (batch, count, width), (batch, self.heads, count, count)

    def multiply_adds(self, input_shape):
        """Of one image: queries with keys, and maps with values."""
        _, count, width = input_shape[0]
        return 2 * count * count * width

    def get_config(self):  # noqa: D102
        return super().get_config() | {"heads": self.heads}
