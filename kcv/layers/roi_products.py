"""Samples of RoIAlign by two matrix products, for maps that are not large.

Samples lie on a grid, so that each side of a map is a product of its own. The longer
side comes first, for then less is left between the two. Boxes come in parts, so that
this stays in the caches of a CPU.
"""

from keras import ops

from kcv.layers.roi_sampling import sample_places, sides

PART = 2**21  # values between the two products, of one part of the boxes
PARTS = 32  # at most: each is a few operations of the graph


def product_samples(features, boxes, size, stride, sampling_ratio):
    """RoIAlign of each box on one map.

    Args:
        features: float (batch, height, width, channels).
        boxes: float32 (batch, n, 4), (x1, y1, x2, y2) in pixels of the input image.
        size: bins along each side of a box.
        stride: of the map, in pixels of the input image.
        sampling_ratio: samples along each side of a bin.

    Returns:
        (batch, n, size, size, channels), of the type of `features`.
    """
    height, width = features.shape[1:3]
    batch, n = ops.shape(boxes)[:2]
    x1, y1, x2, y2 = (side / stride - 0.5 for side in sides(boxes))

    def means(low, high, length):
        """(batch, n, size, length): the share of each pixel in each bin."""
        places = sample_places(low, high, size * sampling_ratio)
        inside = ops.logical_and(places >= -1, places <= length)[..., None]
        places = ops.clip(places, 0, length - 1)[..., None]
        pixels = ops.arange(length, dtype="float32")
        tent = ops.maximum(1 - ops.abs(places - pixels), 0)
        shares = ops.where(inside, tent, 0) / sampling_ratio
        shares = ops.reshape(shares, (batch, n, size, sampling_ratio, length))
        return ops.cast(ops.sum(shares, axis=3), features.dtype)

    rows, columns = means(y1, y2, height), means(x1, x2, width)
    turned = width > height
    if turned:
        features = ops.transpose(features, (0, 2, 1, 3))
        rows, columns = columns, rows
    found = []
    for part in _parts(features, n, size):
        bins = _products(features, rows[:, part], columns[:, part])
        found.append(ops.transpose(bins, (0, 1, 3, 2, 4)) if turned else bins)
    return ops.concatenate(found, axis=1) if len(found) > 1 else found[0]


def _parts(features, n, size):
    """Slices of the boxes; one of all where their number is not known."""
    if not isinstance(n, int):
        return [slice(None)]
    images, _, width, channels = features.shape
    values = (images or 1) * size * width * channels  # of one box, between products
    count = max(PART // values, -(-n // PARTS), 1)
    return [slice(start, start + count) for start in range(0, max(n, 1), count)]


def _products(features, rows, columns):
    """(b, h, w, c), (b, n, size, h) and (b, n, size, w) to (b, n, size, size, c)."""
    _, height, width, channels = features.shape
    batch, n = ops.shape(rows)[:2]
    size = rows.shape[2]
    lines = ops.reshape(features, (batch, height, width * channels))
    lines = ops.matmul(ops.reshape(rows, (batch, n * size, height)), lines)
    lines = ops.reshape(lines, (batch * n, size, width, channels))
    columns = ops.reshape(columns, (batch * n, 1, size, width))
    bins = ops.matmul(columns, lines)
    return ops.reshape(bins, (batch, n, size, size, channels))
