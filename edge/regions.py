"""Regions of boxes on feature maps, in NumPy: what lies between two int8 networks.

The rules are those of `kcv.layers.roi_align`, `multilevel_roi_align`, `roi_pool` and
`ps_roi_pool`, whose papers stand there; maps and boxes are of one image. A box reads no
more of a map than it covers, so that small boxes cost little.
"""

import numpy as np

FAR = 1e6  # pixels; no image reaches there


def roi_align(features, boxes, size, stride, sampling_ratio=2):
    """Averages bilinear samples in each of size x size bins of each box.

    Args:
        features: float32 (height, width, channels).
        boxes: float (n, 4), x1, y1, x2, y2 in pixels of the network's image.
        size: bins along each side of a box.
        stride: pixels of the image for one of `features`.
        sampling_ratio: samples along each side of a bin.

    Returns:
        float32 (n, size, size, channels).
    """
    found = np.empty((len(boxes), size, size, features.shape[-1]), "float32")
    options = (size, stride, sampling_ratio)
    _align_into(found, np.arange(len(boxes)), features, boxes, *options)
    return found


def multilevel_roi_align(
    maps, boxes, size, strides, sampling_ratio=2, canonical_level=4, canonical_size=224
):
    """`roi_align` of each box on the level of a pyramid that fits its area.

    Args:
        maps: {"P2": float32 (height, width, channels), ...}.
        boxes: as for `roi_align`.
        size: likewise.
        strides: {"P2": 4, ...}, powers of two without a gap.
        sampling_ratio: as for `roi_align`.
        canonical_level: the level of boxes of `canonical_size`.
        canonical_size: square root of an area that belongs there, in pixels.

    Returns:
        float32 (n, size, size, channels).
    """
    names = sorted(strides, key=strides.get)
    numbers = [int(strides[name]).bit_length() - 1 for name in names]
    x1, y1, x2, y2 = _sides(boxes)
    area = np.maximum(x2 - x1, 0) * np.maximum(y2 - y1, 0)
    which = np.zeros(len(area), int)
    for number in numbers[1:]:
        which += area >= (canonical_size * 2.0 ** (number - canonical_level)) ** 2
    found = np.empty((len(boxes), size, size, maps[names[0]].shape[-1]), "float32")
    for k, name in enumerate(names):
        places, options = np.flatnonzero(which == k), (size, strides[name])
        _align_into(found, places, maps[name], boxes, *options, sampling_ratio)
    return found


def roi_pool(features, boxes, size, stride):
    """Takes the maximum in each of size x size bins of whole pixels of each box.

    The arguments and what it returns are those of `roi_align`; an empty bin is 0.
    """
    height, width, channels = features.shape
    x1, y1, x2, y2 = (_rounded(side / np.float32(stride)) for side in _sides(boxes))
    top, bottom = _whole_bins(y1, y2 + 1, size, height)
    left, right = _whole_bins(x1, x2 + 1, size, width)
    found = np.zeros((len(boxes), size, size, channels), "float32")
    for n in range(len(boxes)):
        l, r = left[n, 0], right[n, -1]  # noqa: E741
        filled = np.flatnonzero(bottom[n] > top[n])
        if not len(filled) or r <= l:
            continue
        part = features[:, l:r]
        lines = [part[top[n, i] : bottom[n, i]].max(axis=0) for i in filled]
        lines = np.stack(lines)
        for j in np.flatnonzero(right[n] > left[n]):
            here = lines[:, left[n, j] - l : right[n, j] - l]
            found[n, filled, j] = here.max(axis=1)
    return found


def ps_roi_pool(features, boxes, size, stride):
    """Averages in each of size x size bins of each box the channels of that bin.

    Args:
        features: float32 (height, width, classes * size * size), the map of class c for
            the bin in row i and column j being (c * size + i) * size + j.
        boxes: as for `roi_align`.
        size: likewise.
        stride: likewise.

    Returns:
        float32 (n, size, size, classes); a bin outside of the map is 0.
    """
    height, width, channels = features.shape
    classes, n = channels // size**2, len(boxes)
    x1, y1, x2, y2 = (_rounded(side / np.float32(stride)) for side in _sides(boxes))
    rows = _means(*_whole_bins(y1, y2, size, height), height)  # (size, n, height)
    columns = _means(*_whole_bins(x1, x2, size, width), width)
    maps = features.reshape(height, width, classes, size, size)
    maps = maps.transpose(3, 4, 0, 1, 2).reshape(size, size, height, width * classes)
    lines = (rows[:, None] @ maps).reshape(size, size, n, width, classes)
    bins = (columns[None, :, :, None] @ lines)[..., 0, :]  # (size, size, n, classes)
    return np.ascontiguousarray(bins.transpose(2, 0, 1, 3))


def _align_into(found, places, features, boxes, size, stride, sampling_ratio):
    """Writes the regions of boxes[places] to found[places]."""
    height, width, channels = features.shape
    stride = np.float32(stride)
    x1, y1, x2, y2 = (s / stride - np.float32(0.5) for s in _sides(boxes[places]))
    rows, top, bottom = _shares(y1, y2, height, size, sampling_ratio)
    columns, left, right = _shares(x1, x2, width, size, sampling_ratio)
    for k, place in enumerate(places):
        t, b, l, r = top[k], bottom[k], left[k], right[k]  # noqa: E741
        part = features[t:b, l:r].reshape(b - t, -1)
        part = (rows[k, :, t:b] @ part).reshape(size, r - l, channels)
        np.matmul(columns[k, :, l:r], part, out=found[place])


def _shares(low, high, length, size, sampling_ratio):
    """The share of each pixel in each bin (n, size, length), and the pixels that count.

    Those are from the first of two (n,) to before the second.
    """
    count = size * sampling_ratio
    steps = (np.arange(count, dtype="float32") + np.float32(0.5)) / np.float32(count)
    places = low[:, None] + steps * (high - low)[:, None]
    inside = (places >= -1) & (places <= length)
    places = np.clip(places, 0, length - 1)
    pixels = np.arange(length, dtype="float32")
    shares = np.maximum(1 - np.abs(places[..., None] - pixels), 0)
    shares *= (inside / np.float32(sampling_ratio))[..., None].astype("float32")
    shares = shares.reshape(-1, size, sampling_ratio, length).sum(axis=2)
    first = np.floor(places.min(axis=1, initial=length)).astype(int)
    last = np.ceil(places.max(axis=1, initial=0)).astype(int) + 1
    return shares, first, np.minimum(last, length)


def _sides(boxes):
    """x1, y1, x2, y2, float32 (n,); a box that is no number is where no map is."""
    boxes = np.asarray(boxes, "float32").reshape(-1, 4)
    there = np.isnan(boxes).any(axis=1, keepdims=True)
    return np.clip(np.where(there, np.float32(-FAR), boxes), -FAR, FAR).T


def _whole_bins(low, high, size, length):
    """First pixels, and pixels after the last ones, of bins that share pixels."""
    low = low.astype(int)[:, None]
    distance = np.maximum(high.astype(int)[:, None] - low, 1)
    bins = np.arange(size)
    first = low + bins * distance // size
    last = low + ((bins + 1) * distance + size - 1) // size
    return np.clip(first, 0, length), np.clip(last, 0, length)


def _means(first, last, length):
    """The share of each pixel in each bin of whole pixels, (size, n, length)."""
    pixels = np.arange(length)
    inside = (pixels >= first[..., None]) & (pixels < last[..., None])
    shares = inside / np.maximum(last - first, 1)[..., None]
    return shares.transpose(1, 0, 2).astype("float32")


def _rounded(x):
    """To whole numbers, halves away from zero."""
    return np.where(x >= 0, np.floor(x + 0.5), np.ceil(x - 0.5))
