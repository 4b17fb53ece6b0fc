"""What a convolution sees beyond the border: zero, wrap, replicate or reflect.

Keras' convolutions know zeros alone. This layer goes before any of them, which then
has padding="valid".
"""

import keras
from keras import layers, ops

# Our name -> (that of numpy.pad, that of scipy.ndimage). A row 1 2 3, two more a side:
MODES = {
    "zero": ("constant", "constant"),  # 0 0 | 1 2 3 | 0 0
    "wrap": ("wrap", "grid-wrap"),  # 2 3 | 1 2 3 | 1 2
    "replicate": ("edge", "nearest"),  # 1 1 | 1 2 3 | 3 3
    "reflect": ("reflect", "mirror"),  # 3 2 | 1 2 3 | 2 1
}


def pad_border(x, padding, mode):
    """Pads the axes between batch and channels.

    Args:
        x: (batch, ..., channels).
        padding: ((before, after), ...) of each axis but the first and the last.
        mode: a key of MODES.

    Returns:
        A tensor of the same type, larger by before + after along each axis.

    Raises:
        ValueError: if the mode is unknown, or an axis is too short to wrap or reflect.
    """
    _check_mode(mode)
    _check_sizes(x.shape, padding, mode)
    if mode == "wrap":
        for axis, (before, after) in enumerate(padding, start=1):
            x = _wrapped(x, axis, before, after)
        return x
    if mode == "replicate":  # a mirror that repeats the edge, one pixel at a time
        for ring in range(max(max(sides) for sides in padding)):
            step = [[int(side > ring) for side in sides] for sides in padding]
            x = ops.pad(x, [[0, 0], *step, [0, 0]], mode="symmetric")
        return x
    numpy_mode, _ = MODES[mode]
    return ops.pad(x, [[0, 0], *map(list, padding), [0, 0]], mode=numpy_mode)


@keras.saving.register_keras_serializable("kcv")
class BorderPadding(layers.Layer):
    """`pad_border` as a layer, for sequences, images and volumes.

    Args:
        padding: pixels on every side, or ((before, after), ...) of each axis between
            batch and channels. (kernel_size - 1) / 2 keeps the size of an image.
        mode: a key of MODES.
    """

    def __init__(self, padding=1, mode="reflect", **kwargs):
        super().__init__(**kwargs)
        _check_mode(mode)
        if not isinstance(padding, int):
            padding = tuple(tuple(int(side) for side in sides) for sides in padding)
        sides = [(padding,)] if isinstance(padding, int) else padding
        if any(len(pair) > 2 or min(pair) < 0 for pair in sides):
            raise ValueError(
                "padding must be a number of pixels or (before, after) of each axis, "
                f"none of them negative, got {padding}"
            )
        self.padding, self.mode = padding, mode

    def call(self, inputs):
        """(batch, ..., channels) to the same with larger axes in between."""
        return pad_border(inputs, self._sides(len(inputs.shape)), self.mode)

    def compute_output_shape(self, input_shape):  # noqa: D102
        sides = self._sides(len(input_shape))
        _check_sizes(input_shape, sides, self.mode)
        between = [n and n + sum(pair) for n, pair in zip(input_shape[1:-1], sides)]
        return (input_shape[0], *between, input_shape[-1])

    def get_config(self):  # noqa: D102
        return super().get_config() | {"padding": self.padding, "mode": self.mode}

    def _sides(self, rank):
        if isinstance(self.padding, int):
            return ((self.padding, self.padding),) * (rank - 2)
        if len(self.padding) != rank - 2:
            raise ValueError(
                f"padding {self.padding} is for {len(self.padding)} axes, the input "
                f"has {rank - 2} between batch and channels"
            )
        return self.padding


def _wrapped(x, axis, before, after):
    """The end of the axis before it, its start after it."""
    parts = [x]
    index = (slice(None),) * axis
    if before:
        parts.insert(0, x[(*index, slice(-before, None))])
    if after:
        parts.append(x[(*index, slice(0, after))])
    return ops.concatenate(parts, axis=axis) if len(parts) > 1 else x


def _check_mode(mode):
    if mode not in MODES:
        raise ValueError(f"no border mode {mode!r}; known: {', '.join(MODES)}")


def _check_sizes(shape, padding, mode):
    """An axis can wrap no more than itself, and reflect that without the edge."""
    for size, sides in zip(shape[1:-1], padding):
        most = {"wrap": size, "reflect": size and size - 1}.get(mode)
        if most is not None and max(sides) > most:
            raise ValueError(
                f"cannot {mode} {max(sides)} pixels at the border of {size}: pad at "
                f"most {most}, or replicate"
            )
