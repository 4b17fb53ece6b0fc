"""What the three RoI layers share: where boxes lie on a map, and their bins.

A box is (x1, y1, x2, y2) in pixels of the input image. No gradient goes back to boxes:
they are proposals, given from outside, as in Fast and Faster R-CNN.
"""

import re

from keras import ops

FAR = 1e6  # pixels; no image reaches there, and a multiple still is an int32


def check_sizes(**sizes):
    """Raises ValueError unless each is a whole number, at least 1."""
    for name, value in sizes.items():
        if not isinstance(value, int) or value < 1:
            raise ValueError(f"{name} must be a whole number, at least 1, got {value}")


def check_stride(stride):
    """Raises ValueError unless the stride is above 0 pixels."""
    if not stride > 0:
        raise ValueError(f"stride must be above 0 pixels, got {stride}")


def check_shapes(features_shape, boxes_shape):
    """Raises ValueError unless (b, h, w, c) of known sizes and (b, n, 4)."""
    if len(features_shape) != 4 or None in features_shape[1:]:
        raise ValueError(
            "features must be (batch, height, width, channels), all but the batch "
            f"known, got {tuple(features_shape)}"
        )
    if len(boxes_shape) != 3 or boxes_shape[-1] != 4:
        raise ValueError(f"boxes must be (batch, n, 4), got {tuple(boxes_shape)}")
    batches = {features_shape[0], boxes_shape[0]} - {None}
    if len(batches) > 1:
        raise ValueError(
            f"features of {features_shape[0]} images, but boxes of {boxes_shape[0]}"
        )


def sides(boxes):
    """Four float32 (batch, n): x1, y1, x2, y2, without gradient.

    A box with a coordinate that is no number is put where no map is.
    """
    boxes = ops.stop_gradient(ops.cast(boxes, "float32"))
    numbers = ops.all(ops.equal(boxes, boxes), axis=-1, keepdims=True)
    boxes = ops.clip(ops.where(numbers, boxes, -FAR), -FAR, FAR)
    return [boxes[..., i] for i in range(4)]


def sample_places(low, high, count):
    """The middles of `count` equal parts from low to high: (...) to (..., count)."""
    steps = (ops.arange(count, dtype="float32") + 0.5) / count
    return low[..., None] + steps * (high - low)[..., None]


def whole_bins(low, high, size, length):
    """Bins of whole pixels between whole numbers; neighbours share a pixel.

    Bin i goes from floor(i * d / size) to ceil((i + 1) * d / size) with d = high - low,
    at least 1. In integers, for the product of a float32 quotient may fall on either
    side of a pixel.

    Args:
        low: float32 (batch, n), whole numbers.
        high: likewise.
        size: number of bins.
        length: of the map, in pixels, to which bins are cut.

    Returns:
        Two int32 (batch, n, size): first pixels, and pixels after the last ones. They
        are equal in an empty bin.
    """
    low, high = ops.cast(low, "int32"), ops.cast(high, "int32")
    distance = ops.maximum(high - low, 1)[..., None]
    bins = ops.arange(size, dtype="int32")
    first = ops.floor_divide(bins * distance, size)
    last = ops.floor_divide((bins + 1) * distance + (size - 1), size)
    cut = [ops.clip(x + low[..., None], 0, length) for x in (first, last)]
    return cut[0], cut[1]


def rounded(x):
    """To whole numbers, halves away from zero, as round() of C."""
    return ops.where(x >= 0, ops.floor(x + 0.5), ops.ceil(x - 0.5))


def pyramid_levels(boxes, lowest, highest, canonical_level=4, canonical_size=224):
    """The level of each box: that of `canonical_size`, one more if twice as long.

    Args:
        boxes: float32 (batch, n, 4), (x1, y1, x2, y2) in pixels of the input image.
        lowest: number of the first level there is.
        highest: number of the last one.
        canonical_level: k0 of the paper.
        canonical_size: square root of an area that belongs there, in pixels.

    Returns:
        int32 (batch, n), lowest to highest; a box without area has the lowest.
    """
    x1, y1, x2, y2 = sides(boxes)
    area = ops.maximum(x2 - x1, 0) * ops.maximum(y2 - y1, 0)
    # Compared, not by logarithms, which miss a level by a rounding error.
    starts = range(lowest + 1 - canonical_level, highest + 1 - canonical_level)
    reached = [area >= (canonical_size * 2.0**k) ** 2 for k in starts]
    levels = ops.zeros_like(area, dtype="int32") + lowest
    return levels + sum(ops.cast(x, "int32") for x in reached)


def level_numbers(shapes):
    """{2: "P2", 3: "P3", ...} of a pyramid, sorted by number.

    Args:
        shapes: {"P2": (batch, height, width, channels), ...}.

    Returns:
        Number, which is log2 of the stride, to name.

    Raises:
        ValueError: a name has no number, or there is a gap, or channels differ.
    """
    matches = [re.fullmatch(r"[A-Za-z](\d+)", name) for name in shapes]
    numbers = {int(match[1]): match[0] for match in matches if match}
    found = sorted(numbers)
    if not found or found != list(range(found[0], found[0] + len(shapes))):
        raise ValueError(
            f"features must be levels without a gap, as P2, P3, P4; got {[*shapes]}"
        )
    channels = sorted({shape[-1] for shape in shapes.values()})
    if len(channels) > 1:
        raise ValueError(f"levels must have the same channels, got {channels}")
    return {number: numbers[number] for number in found}
