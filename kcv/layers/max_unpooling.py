"""Max pooling that remembers where each maximum was, and its inverse.

Papers: M. Zeiler, R. Fergus, "Visualizing and Understanding Convolutional Networks",
2014, section 2.1 ("switches"), https://arxiv.org/abs/1311.2901;
V. Badrinarayanan, A. Kendall, R. Cipolla, "SegNet", 2017, section 3.1 (positions in
place of whole encoder maps), https://arxiv.org/abs/1511.00561

Positions are places within a window, 0 to pool_size^2 - 1, row by row: two bits for
2x2, whatever the size of the image. Windows do not overlap. The operations are slices,
comparisons and reshapes, which every TFLite interpreter has, also for int8;
`tf.nn.max_pool_with_argmax` and `ops.argmax` do not convert to builtin operators.
"""

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable("kcv")
class MaxPoolingWithPositions(layers.Layer):
    """Max pooling with stride = window; rows and columns left over are dropped.

    Args:
        pool_size: side of the window, in pixels.
    """

    def __init__(self, pool_size=2, **kwargs):
        super().__init__(**kwargs)
        self.pool_size = _checked(pool_size)

    def call(self, images):
        """(b, h, w, c) to maxima and int32 positions, each (b, h // k, w // k, c).

        Of equal maxima the first, row by row, is remembered.
        """
        k = self.pool_size
        pooled = ops.max_pool(images, k, k, padding="valid")
        _, height, width, _ = ops.shape(pooled)
        images = images[:, : height * k, : width * k]
        positions = ops.zeros_like(pooled, dtype="int32") + (k * k - 1)
        for place in reversed(range(k * k - 1)):  # the first match is written last
            here = images[:, place // k :: k, place % k :: k]
            positions = ops.where(ops.equal(here, pooled), place, positions)
        return pooled, positions

    def compute_output_spec(self, images):  # noqa: D102
        batch, height, width, channels = images.shape
        k = self.pool_size
        shape = (batch, height and height // k, width and width // k, channels)
        return (
            keras.KerasTensor(shape, dtype=images.dtype),
            keras.KerasTensor(shape, dtype="int32"),
        )

    def get_config(self):  # noqa: D102
        return super().get_config() | {"pool_size": self.pool_size}


@keras.saving.register_keras_serializable("kcv")
class MaxUnpooling(layers.Layer):
    """Puts each value where its maximum was, and zero everywhere else.

    Args:
        pool_size: of the pooling.
        output_size: (height, width) of what was pooled, where they are not multiples
            of the window: rows and columns of zeros are added. None: multiples.
    """

    def __init__(self, pool_size=2, output_size=None, **kwargs):
        super().__init__(**kwargs)
        self.pool_size = _checked(pool_size)
        self.output_size = None if output_size is None else tuple(output_size)

    def call(self, values, positions):
        """(b, h, w, c) and their positions to (b, h * k, w * k, c)."""
        k = self.pool_size
        zero = ops.zeros_like(values)
        pixels = [
            ops.where(ops.equal(positions, place), values, zero)
            for place in range(k * k)
        ]
        images = interleave([pixels[k * row : k * row + k] for row in range(k)])
        if self.output_size is None:
            return images
        more = self._left_over(values.shape)
        return ops.pad(images, [[0, 0], *([0, n] for n in more), [0, 0]])

    def compute_output_shape(self, values_shape, positions_shape=None):  # noqa: D102
        batch, height, width, channels = values_shape
        if self.output_size is not None:
            self._left_over(values_shape)
            return (batch, *self.output_size, channels)
        k = self.pool_size
        return (batch, height and height * k, width and width * k, channels)

    def get_config(self):  # noqa: D102
        own = {"pool_size": self.pool_size, "output_size": self.output_size}
        return super().get_config() | own

    def _left_over(self, shape):
        k = self.pool_size
        sides = zip(self.output_size, shape[1:3])
        more = [side % k if n is None else side - n * k for side, n in sides]
        if not all(0 <= n < k for n in more):
            raise ValueError(
                f"maps of {shape[1]}x{shape[2]} were not pooled from output_size "
                f"{self.output_size} by windows of {k}"
            )
        return more


def interleave(pixels):
    """Weaves k x k maps (b, h, w, c) into one (b, h * k, w * k, c).

    Args:
        pixels: k lists of k maps; that in row y, column x gives the pixels
            [:, y::k, x::k].
    """
    k = len(pixels)
    _, height, width, channels = ops.shape(pixels[0][0])
    rows = [
        ops.reshape(ops.stack(row, axis=3), (-1, height, width * k, channels))
        for row in pixels
    ]
    return ops.reshape(ops.stack(rows, axis=2), (-1, height * k, width * k, channels))


def _checked(pool_size):
    if not isinstance(pool_size, int) or pool_size < 2:
        raise ValueError(
            f"pool_size must be a whole number, at least 2, got {pool_size}"
        )
    return pool_size
