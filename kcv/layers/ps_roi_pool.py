"""Position-sensitive RoI pooling: each bin of a box averages score maps of its own.

Paper: J. Dai et al., "R-FCN: Object Detection via Region-based Fully Convolutional
Networks", 2016, section 2, https://arxiv.org/abs/1605.06409

A box is rounded to whole pixels of the map, and its bins are rounded outwards, as in
torchvision. Differs from it: a bin ends with the map, not a pixel before. Torchvision
leaves the last row and column out in the values, but not in the gradient.

The mean over a bin is a mean over rows of means over columns, so that all bins are two
matrix products. Sums of an integral image would be less work, but differences of large
sums lose the digits of a small bin in float32.
"""

import keras
from keras import layers, ops

from kcv.layers.roi_sampling import (
    check_shapes,
    check_sizes,
    check_stride,
    rounded,
    sides,
    whole_bins,
)


def ps_roi_pool(features, boxes, size, stride):
    """Averages in each of size x size bins of each box the channels of that bin.

    Args:
        features: float (batch, height, width, classes * size * size), the score maps;
            that of class c for the bin in row i and column j is channel
            (c * size + i) * size + j.
        boxes: float32 (batch, n, 4), (x1, y1, x2, y2) in pixels of the input image;
            without gradient.
        size: bins along each side of a box; k of the paper.
        stride: pixels of the input image for one of `features`, 16 for "C4".

    Returns:
        (batch, n, size, size, classes), of the type of `features`; their mean over the
        bins is the vote. A bin outside of the map is 0, and so is a box with a
        coordinate that is no number; a box without area is one pixel.

    Raises:
        ValueError: a size, the stride or a shape is wrong.
    """
    check_sizes(size=size)
    check_stride(stride)
    check_shapes(features.shape, boxes.shape)
    _, height, width, channels = features.shape
    classes = _classes(channels, size)
    batch, n = ops.shape(boxes)[:2]
    x1, y1, x2, y2 = (rounded(side / stride) for side in sides(boxes))

    def means(low, high, length):
        """(batch, size, n, length): the share of each pixel in each bin."""
        first, last = (x[..., None] for x in whole_bins(low, high, size, length))
        pixels = ops.arange(length, dtype="int32")
        inside = ops.cast((pixels >= first) & (pixels < last), "float32")
        shares = inside / ops.cast(ops.maximum(last - first, 1), "float32")
        return ops.cast(ops.transpose(shares, (0, 2, 1, 3)), features.dtype)

    maps = ops.reshape(features, (batch, height * width, classes, size * size))
    maps = ops.transpose(maps, (0, 3, 1, 2))
    maps = ops.reshape(maps, (batch, size, size, height, width * classes))
    rows = ops.matmul(means(y1, y2, height)[:, :, None], maps)
    rows = ops.reshape(rows, (batch, size, size * n, width, classes))
    columns = ops.reshape(means(x1, x2, width), (batch, 1, size * n, 1, width))
    bins = ops.matmul(columns, rows)
    bins = ops.reshape(bins, (batch, size, size, n, classes))
    return ops.transpose(bins, (0, 3, 1, 2, 4))


def _classes(channels, size):
    if channels % size**2:
        raise ValueError(
            f"{channels} channels are not a multiple of {size} x {size} bins: give "
            "each class a score map for each bin"
        )
    return channels // size**2


@keras.saving.register_keras_serializable("kcv")
class PSRoIPool(layers.Layer):
    """Layer of `ps_roi_pool`, with its arguments; called with (features, boxes)."""

    def __init__(self, size, stride, **kwargs):
        kwargs["autocast"] = False  # half precision has no 2049, bfloat16 no 257
        super().__init__(**kwargs)
        check_sizes(size=size)
        check_stride(stride)
        self.size, self.stride = size, stride

    def call(self, features, boxes):
        """(b, h, w, c) and (b, n, 4) to (b, n, size, size, c / size^2)."""
        features = ops.cast(features, self.compute_dtype)
        return ps_roi_pool(features, boxes, self.size, self.stride)

    def compute_output_shape(self, features_shape, boxes_shape):  # noqa: D102
        check_shapes(features_shape, boxes_shape)
        classes = _classes(features_shape[-1], self.size)
        return (*boxes_shape[:2], self.size, self.size, classes)

    def get_config(self):  # noqa: D102
        return super().get_config() | {"size": self.size, "stride": self.stride}
