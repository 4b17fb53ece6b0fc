"""RoI pooling: the largest feature in each bin of a box, on whole pixels.

Paper: R. Girshick, "Fast R-CNN", 2015, section 2.1, https://arxiv.org/abs/1504.08083

A box is rounded to whole pixels of the map, and its bins are rounded outwards, so that
neighbours share a pixel. As in the paper's code and in torchvision the pixel on which
x2, y2 falls belongs to the box: (0, 0, 16, 16) at stride 16 takes two pixels a side.

Differs from torchvision: the limits of bins are computed in integers. Its float32
products are off by a pixel for some boxes, as of 57 pixels in 7 bins.

The bins of a box differ in size, so a maximum runs over a number of pixels that no
graph knows. Here it is the larger of two windows whose sides are powers of two, and
which may overlap; four in two dimensions. The maxima of all such windows are computed
once a map: 26 times its size for 64x64. A bin then is four pixels of that table,
whatever the size of the box.
"""

import keras
from keras import layers, ops

from kcv.layers import roi_sampling as sampling


def roi_pool(features, boxes, size, stride):
    """Takes the maximum in each of size x size bins of each box.

    Args:
        features: float (batch, height, width, channels).
        boxes: float32 (batch, n, 4), (x1, y1, x2, y2) in pixels of the input image;
            without gradient.
        size: bins along each side of a box.
        stride: pixels of the input image for one of `features`, 16 for "C4".

    Returns:
        (batch, n, size, size, channels), of the type of `features`. A bin outside of
        the map is 0, and so is a box with a coordinate that is no number; a box without
        area is its pixel. Of equal maxima one gets the gradient, or they share it, as
        the backend has it.

    Raises:
        ValueError: a size, the stride or a shape is wrong.
    """
    sampling.check_sizes(size=size)
    sampling.check_stride(stride)
    sampling.check_shapes(features.shape, boxes.shape)
    _, height, width, channels = features.shape
    batch = ops.shape(boxes)[0]
    x1, y1, x2, y2 = (sampling.rounded(side / stride) for side in sampling.sides(boxes))
    top, bottom = sampling.whole_bins(y1, y2 + 1, size, height)
    left, right = sampling.whole_bins(x1, x2 + 1, size, width)

    table = _with_windows(_with_windows(features, axis=1), axis=2)
    count, line = table.shape[1:3]
    table = ops.reshape(table, (batch * count * line, channels))
    image = ops.reshape(ops.arange(batch, dtype="int32"), (batch, 1, 1))
    rows = [(image * count + y) * line for y in _windows(top, bottom, height)]
    columns = _windows(left, right, width)
    corners = [
        ops.take(table, y[:, :, :, None] + x[:, :, None, :], axis=0)
        for y in rows
        for x in columns
    ]
    upper, lower = ops.maximum(*corners[:2]), ops.maximum(*corners[2:])
    full = (bottom > top)[:, :, :, None] & (right > left)[:, :, None, :]
    return ops.where(full[..., None], ops.maximum(upper, lower), 0)


def _with_windows(maps, axis):
    """Maxima of 1, 2, 4, ... pixels along an axis, one size behind the other.

    Of `length` pixels there are length - side + 1 windows. Each size is pooled from the
    map: less work back than from the size before, whose gradients have to be padded.
    """
    sides = [2**k for k in range(maps.shape[axis].bit_length())]
    pools = [(side, 1) if axis == 1 else (1, side) for side in sides[1:]]
    pooled = [ops.max_pool(maps, pool, 1, "valid", "channels_last") for pool in pools]
    return ops.concatenate([maps, *pooled], axis=axis)


def _windows(first, last, length):
    """The two windows that cover [first, last), as places in `_with_windows`.

    An empty bin is read, too, and gets windows on the map.
    """
    first = ops.minimum(first, length - 1)
    count = last - first
    start, side = first, 1
    for k in range(1, length.bit_length()):
        wide = ops.cast(count >= 2**k, "int32")
        start += wide * (length - 2 ** (k - 1) + 1)  # the smaller windows
        side += wide * 2 ** (k - 1)
    return start, start + ops.maximum(count - side, 0)


@keras.saving.register_keras_serializable("kcv")
class RoIPool(layers.Layer):
    """Layer of `roi_pool`, with its arguments; called with (features, boxes)."""

    def __init__(self, size, stride, **kwargs):
        kwargs["autocast"] = False  # half precision has no 2049, bfloat16 no 257
        super().__init__(**kwargs)
        sampling.check_sizes(size=size)
        sampling.check_stride(stride)
        self.size, self.stride = size, stride

    def call(self, features, boxes):
        """(b, h, w, c) and (b, n, 4) to (b, n, size, size, c), of the compute type."""
        features = ops.cast(features, self.compute_dtype)
        return roi_pool(features, boxes, self.size, self.stride)

    def compute_output_shape(self, features_shape, boxes_shape):  # noqa: D102
        sampling.check_shapes(features_shape, boxes_shape)
        return (*boxes_shape[:2], self.size, self.size, features_shape[-1])

    def get_config(self):  # noqa: D102
        return super().get_config() | {"size": self.size, "stride": self.stride}
