"""Learned positions, one vector a token, added to the tokens.

Paper: A. Dosovitskiy et al., "An Image is Worth 16x16 Words: Transformers for Image
Recognition at Scale", 2021, sections 3.1 and 3.2, https://arxiv.org/abs/2010.11929
"""

import keras
import numpy as np
from keras import layers, ops


@keras.saving.register_keras_serializable("kcv")
class PositionEmbedding(layers.Layer):
    """Adds (1, n, width) learned numbers to tokens (batch, n, width)."""

    def build(self, input_shape):  # noqa: D102
        self.positions = self.add_weight(
            name="positions",
            shape=(1, *input_shape[1:]),
            initializer=keras.initializers.RandomNormal(stddev=0.02),
        )

    def call(self, tokens):  # noqa: D102
        return tokens + self.positions

    def compute_output_shape(self, input_shape):  # noqa: D102
        return input_shape


def resize_positions(positions, grid, new_grid):
    """Interpolates trained positions for images of another size, section 3.2.

    Args:
        positions: float (1, 1 + h * w, width), the class token's first.
        grid: (h, w) in patches.
        new_grid: (h', w') in patches.

    Returns:
        float32 (1, 1 + h' * w', width), bilinear; the class token's stays.

    Raises:
        ValueError: if there are not as many positions as the grid has places.
    """
    positions = np.asarray(positions, "float32")
    height, width = grid
    if positions.shape[1] != 1 + height * width:
        raise ValueError(
            f"{positions.shape[1]} positions do not fit a grid of {height} x {width} "
            "patches and a class token"
        )
    places = positions[:, 1:].reshape(1, height, width, -1)
    places = ops.convert_to_numpy(ops.image.resize(places, new_grid))
    places = places.reshape(1, -1, positions.shape[-1])
    return np.concatenate([positions[:, :1], places], axis=1)
