"""Several views of each picture as rows of one batch, and the way back.

For test-time augmentation: kcv/models/test_time.py.
"""

import keras
from keras import layers, ops

_PACKAGE = "kcv"


class _Views(layers.Layer):
    """Several pictures of each, those of one picture next to each other.

    What derives from it has `count`, the number of views, and `views(images)`, which
    returns a list of so many tensors (b, h, w, c).
    """

    def call(self, images):
        """(b, h, w, c) to (b * count, h', w', c)."""
        stacked = ops.stack(self.views(images), axis=1)
        return ops.reshape(stacked, (-1, *ops.shape(stacked)[2:]))

    def compute_output_shape(self, input_shape):  # noqa: D102
        batch, *rest = input_shape
        return (None if batch is None else batch * self.count, *rest)


@keras.saving.register_keras_serializable(_PACKAGE)
class FiveCrops(_Views):
    """Four corners and the middle.

    Args:
        size: (height, width) of a crop, in pixels.
    """

    count = 5

    def __init__(self, size, **kwargs):
        super().__init__(**kwargs)
        self.size = tuple(size)

    def views(self, images):  # noqa: D102
        height, width = self.size
        low, right = images.shape[1] - height, images.shape[2] - width
        places = [(0, 0), (0, right), (low, 0), (low, right), (low // 2, right // 2)]
        return [images[:, y : y + height, x : x + width] for y, x in places]

    def compute_output_shape(self, input_shape):  # noqa: D102
        batch, _, _, channels = super().compute_output_shape(input_shape)
        return (batch, *self.size, channels)

    def get_config(self):  # noqa: D102
        return super().get_config() | {"size": self.size}


@keras.saving.register_keras_serializable(_PACKAGE)
class Mirrors(_Views):
    """Each picture, and what a mirror makes of it, left to right."""

    count = 2

    def views(self, images):  # noqa: D102
        return [images, ops.flip(images, axis=2)]


@keras.saving.register_keras_serializable(_PACKAGE)
class ColourShifts(_Views):
    """Each picture, and it with plus and minus each axis added to its colours.

    Args:
        axes: (n, c) numbers, in the range of the images.
    """

    def __init__(self, axes, **kwargs):
        super().__init__(**kwargs)
        self.axes = tuple(tuple(float(v) for v in axis) for axis in axes)
        self.count = 1 + 2 * len(self.axes)

    def views(self, images):  # noqa: D102
        axes = ops.convert_to_tensor(self.axes, images.dtype)
        shifts = [sign * axis for axis in ops.unstack(axes) for sign in (1, -1)]
        return [images, *(images + shift for shift in shifts)]

    def get_config(self):  # noqa: D102
        return super().get_config() | {"axes": self.axes}


@keras.saving.register_keras_serializable(_PACKAGE)
class MeanOfViews(layers.Layer):
    """Averages what was said of the views of each picture.

    Args:
        count: Views of a picture.
    """

    def __init__(self, count, **kwargs):
        super().__init__(**kwargs)
        self.count = count

    def call(self, answers):
        """(b * count, classes) to (b, classes)."""
        shape = (-1, self.count, *ops.shape(answers)[1:])
        return ops.mean(ops.reshape(answers, shape), axis=1)

    def compute_output_shape(self, input_shape):  # noqa: D102
        batch, *rest = input_shape
        return (None if batch is None else batch // self.count, *rest)

    def get_config(self):  # noqa: D102
        return super().get_config() | {"count": self.count}


@keras.saving.register_keras_serializable(_PACKAGE)
class MirroredBack(layers.Layer):
    """Averages the maps of `Mirrors`' views, the second of each two mirrored back."""

    def call(self, maps):
        """(2 * b, h, w, classes) to (b, h, w, classes)."""
        return (maps[::2] + ops.flip(maps[1::2], axis=2)) / 2

    def compute_output_shape(self, input_shape):  # noqa: D102
        batch, *rest = input_shape
        return (None if batch is None else batch // 2, *rest)


@keras.saving.register_keras_serializable(_PACKAGE)
class Rescaled(layers.Layer):
    """Resizes pictures by a factor, bilinear.

    Args:
        scale: Factor of height and width, which are rounded to whole pixels.
    """

    def __init__(self, scale, **kwargs):
        super().__init__(**kwargs)
        self.scale = float(scale)

    def call(self, images):
        """(b, h, w, c) to (b, scale * h, scale * w, c)."""
        size = [_scaled(side, self.scale) for side in ops.shape(images)[1:3]]
        return ops.image.resize(images, size, antialias=True)

    def compute_output_shape(self, input_shape):  # noqa: D102
        batch, height, width, channels = input_shape
        sides = [s and _scaled(s, self.scale) for s in (height, width)]
        return (batch, *sides, channels)

    def get_config(self):  # noqa: D102
        return super().get_config() | {"scale": self.scale}


@keras.saving.register_keras_serializable(_PACKAGE)
class ResizedLike(layers.Layer):
    """Resizes the first maps to height and width of the second, bilinear."""

    def call(self, inputs):
        """[(b, h, w, c), (b, h', w', c)] to (b, h', w', c)."""
        maps, like = inputs
        return ops.image.resize(maps, ops.shape(like)[1:3])

    def compute_output_shape(self, input_shape):  # noqa: D102
        return input_shape[1]


def _scaled(side, scale):
    """Rounds half up, of Python's numbers and of tensors alike."""
    if isinstance(side, int):
        return max(int(side * scale + 0.5), 1)
    side = ops.cast(ops.cast(side, "float32") * scale + 0.5, "int32")
    return ops.maximum(side, 1)
