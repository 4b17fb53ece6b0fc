"""Convolution over rotations, and mirrors, as well as places.

Paper: T. Cohen and M. Welling, "Group Equivariant Convolutional Networks", 2016,
https://arxiv.org/abs/1602.07576

Turning the input by 90 degrees turns each output map by 90 degrees and moves it to the
map of the next rotation, exactly; so with a mirror in p4m.
"""

import keras
import numpy as np
from keras import layers, ops

GROUPS = {"p4": 4, "p4m": 8}  # name -> elements that leave a pixel in its place


def transform(array, element):
    """Applies an element of p4m to (h, w, ...): its mirror first, then its turns.

    Args:
        array: NumPy, height and width first.
        element: 0 to 3 are turns by 90 degrees against the clock; 4 to 7 are the same
            after a mirror, left to right.
    """
    mirrored = array[:, ::-1] if element >= 4 else array
    return np.rot90(mirrored, element % 4)


def relative(first, second):
    """Returns the element "first undone, then second": first^-1 second."""
    square = np.arange(4).reshape(2, 2)  # told apart in all eight positions
    wanted = transform(square, second)
    found = [transform(transform(square, h), first) for h in range(8)]
    return [(turned == wanted).all() for turned in found].index(True)


@keras.saving.register_keras_serializable("kcv")
class GroupConvolution(layers.Layer):
    """A convolution whose kernel meets the input in every position of the group.

    The channels of its output are (positions, filters), flat: those of position 0
    first. It pads nothing and has stride 1: to shrink maps, pool those of even sides.

    Args:
        filters: number of kernels; there are 4 or 8 times as many output channels.
        kernel_size: height and width of a kernel.
        group: "p4" for turns, "p4m" for turns and mirrors.
        lifting: whether the input is an image; else it is the output of such a layer.
        use_bias: whether each kernel has a bias, the same in all positions.
    """

    def __init__(self, filters, kernel_size, group="p4", lifting=False, use_bias=True,
                 **kwargs):  # fmt: skip
        if group not in GROUPS:
            raise ValueError(f"no group {group!r}; known: {', '.join(GROUPS)}")
        super().__init__(**kwargs)
        self.filters, self.kernel_size = filters, kernel_size
        self.group, self.lifting, self.use_bias = group, lifting, use_bias
        self.order = GROUPS[group]

    def build(self, input_shape):  # noqa: D102
        positions = 1 if self.lifting else self.order
        if input_shape[-1] % positions:
            raise ValueError(
                f"{input_shape[-1]} channels are no maps of {self.group}, which come "
                f"by {self.order}: pass lifting=True for an image"
            )
        size = self.kernel_size
        self.kernel = self.add_weight(  # in position 0 of the output
            name="kernel", shape=(size, size, input_shape[-1], self.filters)
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias", shape=(self.filters,), initializer="zeros"
            )
        self._places = self._kernel_places(positions)

    def _kernel_places(self, positions):
        """Which number of the learned kernel each number of the full one is.

        Position g of the output sees position h of the input with the part of the
        kernel for g^-1 h, moved by g: equation 11.
        """
        size = self.kernel_size
        numbers = np.arange(size * size * positions).reshape(size, size, positions)
        places = np.empty((size, size, positions, self.order), "int32")
        for g in range(self.order):
            for h in range(positions):
                part = 0 if self.lifting else relative(g, h)
                places[:, :, h, g] = transform(numbers[:, :, part], g)
        return places

    def full_kernel(self):
        """Returns (size, size, positions in * channels, positions * filters)."""
        size, _, positions, order = self._places.shape
        channels, filters = self.kernel.shape[2] // positions, self.filters
        rows = ops.reshape(self.kernel, (-1, channels, filters))
        full = ops.take(rows, self._places.ravel(), axis=0)
        full = ops.reshape(full, (size, size, positions, order, channels, filters))
        full = ops.transpose(full, (0, 1, 2, 4, 3, 5))
        return ops.reshape(full, (size, size, positions * channels, order * filters))

    def call(self, maps):
        """(b, h, w, positions in * channels) to (b, h', w', positions * filters)."""
        maps = ops.conv(maps, ops.cast(self.full_kernel(), maps.dtype))
        if self.bias is None:
            return maps
        return maps + ops.cast(ops.tile(self.bias, (self.order,)), maps.dtype)

    def compute_output_shape(self, input_shape):  # noqa: D102
        batch, *sides, _ = input_shape
        sides = [side and side - self.kernel_size + 1 for side in sides]
        return (batch, *sides, self.order * self.filters)

    def multiply_adds(self, input_shape):
        """Of one image: as of a plain convolution with the full kernel."""
        _, height, width, channels = self.compute_output_shape(input_shape)
        return height * width * channels * self.kernel_size**2 * input_shape[-1]

    def get_config(self):  # noqa: D102
        names = ("filters", "kernel_size", "group", "lifting", "use_bias")
        return super().get_config() | {name: getattr(self, name) for name in names}
