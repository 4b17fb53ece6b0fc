"""RoIs as images of a larger batch, for convolutions on each of them, and back."""

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable("kcv")
class RoIsToBatch(layers.Layer):
    """(batch, n, height, width, channels) to (batch * n, height, width, channels)."""

    def call(self, regions):
        """Puts the RoIs of an image one behind the other."""
        return ops.reshape(regions, (-1, *regions.shape[2:]))

    def compute_output_shape(self, regions_shape):  # noqa: D102
        known = None not in regions_shape[:2]
        batch = regions_shape[0] * regions_shape[1] if known else None
        return (batch, *regions_shape[2:])


@keras.saving.register_keras_serializable("kcv")
class BatchToRoIs(layers.Layer):
    """(batch * n, ...) back to (batch, n, ...), as the regions they were."""

    def call(self, values, regions):
        """The regions are (batch, n, ...); only their number counts."""
        return ops.reshape(values, (-1, ops.shape(regions)[1], *values.shape[1:]))

    def compute_output_shape(self, values_shape, regions_shape):  # noqa: D102
        return (*regions_shape[:2], *values_shape[1:])
