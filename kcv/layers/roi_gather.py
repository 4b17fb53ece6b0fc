"""Samples of RoIAlign gathered pixel by pixel, for large maps and pyramids.

The levels lie one behind the other in one list of pixels. A box so costs the pixels of
its own samples, whatever the number and the size of the levels. All pixels of a bin are
gathered at once and summed by one product with their shares: a quarter of the passes
over memory of a bilinear interpolation written out, and 0.6 of its time.
"""

import numpy as np
from keras import ops

from kcv.layers.roi_sampling import sample_places, sides


def gather_samples(maps, strides, which, boxes, size, sampling_ratio):
    """RoIAlign of each box on one of several maps.

    Args:
        maps: list of float (batch, height, width, channels).
        strides: of the maps, in pixels of the input image.
        which: int32 (batch, n), the index of the map for each box.
        boxes: float32 (batch, n, 4), (x1, y1, x2, y2) in pixels of the input image.
        size: bins along each side of a box.
        sampling_ratio: samples along each side of a bin.

    Returns:
        (batch, n, size, size, channels), of the type of the maps.
    """
    batch, n = ops.shape(boxes)[:2]
    channels, taps = maps[0].shape[-1], 2 * sampling_ratio
    pixels = [level.shape[1] * level.shape[2] for level in maps]

    def of_map(values, dtype):
        """One value a map to (batch, n, 1)."""
        return ops.take(np.array(values, dtype), which, axis=0)[..., None]

    def neighbours(low, high, length):
        """Two (batch * n, size * taps): pixels, and their shares in a bin."""
        places = sample_places(low, high, size * sampling_ratio)
        inside = ops.logical_and(places >= -1, places <= length)
        places = ops.minimum(ops.maximum(places, 0), length - 1)
        first = ops.floor(places)
        last = ops.minimum(first + 1, length - 1)
        shares = ops.stack([1 - (places - first), places - first], axis=-1)
        shares = ops.where(inside[..., None], shares, 0) / sampling_ratio
        at = ops.cast(ops.stack([first, last], axis=-1), "int32")
        shape = (batch * n, size * taps)
        return ops.reshape(at, shape), ops.reshape(shares, shape)

    def by_bin(pairs):
        """(batch * n, size * taps, size * taps) to (bins, taps * taps)."""
        pairs = ops.reshape(pairs, (batch * n, size, taps, size, taps))
        pairs = ops.transpose(pairs, (0, 1, 3, 2, 4))
        return ops.reshape(pairs, (batch * n * size * size, taps * taps))

    stride = of_map(strides, "float32")[..., 0]
    x1, y1, x2, y2 = (side / stride - 0.5 for side in sides(boxes))
    heights = of_map([level.shape[1] for level in maps], "float32")
    widths = of_map([level.shape[2] for level in maps], "float32")
    rows, row_shares = neighbours(y1, y2, heights)
    columns, column_shares = neighbours(x1, x2, widths)
    image = ops.reshape(ops.arange(batch, dtype="int32"), (batch, 1, 1))
    start = of_map(np.cumsum([0, *pixels[:-1]]), "int32") + sum(pixels) * image
    rows = rows * ops.reshape(ops.cast(widths, "int32"), (batch * n, 1))
    rows = rows + ops.reshape(start, (batch * n, 1))
    index = by_bin(rows[:, :, None] + columns[:, None, :])
    shares = by_bin(row_shares[:, :, None] * column_shares[:, None, :])

    lists = [ops.reshape(x, (batch, k, channels)) for x, k in zip(maps, pixels)]
    table = ops.concatenate(lists, axis=1)
    table = ops.reshape(table, (batch * sum(pixels), channels))
    shares = ops.cast(shares, table.dtype)[:, None, :]
    bins = ops.matmul(shares, ops.take(table, index, axis=0))
    return ops.reshape(bins, (batch, n, size, size, channels))
