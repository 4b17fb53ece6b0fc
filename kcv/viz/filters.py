"""Kernels and maps of a layer as pictures, in a grid.

Paper: A. Krizhevsky, I. Sutskever, G. Hinton, "ImageNet Classification with Deep
Convolutional Neural Networks", 2012, figure 3.
"""

import math
from pathlib import Path

import numpy as np
from PIL import Image

from kcv.viz import style, tiles

MOST = 256  # pictures in a grid
_SIDE, _GAP, _LARGEST = 48, 4, 96  # pixels


def save_filters(kernel, path: str | Path) -> Path:
    """Writes the picture of `draw_filters`; returns the path."""
    return style.save(Image.fromarray(draw_filters(kernel)), path)


def save_maps(maps, path: str | Path) -> Path:
    """Writes the picture of `draw_maps`; returns the path."""
    return style.save(Image.fromarray(draw_maps(maps)), path)


def draw_filters(kernel, most=MOST):
    """Draws the kernels of a convolution, each in its own range: zero is grey.

    Args:
        kernel: float (k, k, in, out), as Keras has it. With 3 inputs they are colours;
            else each pair of input and output is a grey picture, a row an output.
        most: pictures that are drawn.

    Returns:
        uint8 (h, w, 3).

    Raises:
        ValueError: if the kernel has other axes.
    """
    kernel = np.asarray(kernel, "float64")
    if kernel.ndim != 4:
        raise ValueError(f"a kernel (k, k, in, out) is needed, got {kernel.shape}")
    _, _, channels, filters = kernel.shape
    if channels in (1, 3):
        pictures = list(np.moveaxis(kernel, -1, 0))
        columns = None
    else:
        pictures = [
            kernel[..., i, [o]] for o in range(filters) for i in range(channels)
        ]
        columns = channels if filters > 1 and channels <= 32 else None
    return _grid([_signed(p) for p in pictures[:most]], columns)


def draw_maps(maps, most=MOST):
    """Draws the maps of one picture, each from its own lowest to its highest value.

    Args:
        maps: float (h, w, c), what a layer gives for it.
        most: maps that are drawn.

    Returns:
        uint8 (h, w, 3).

    Raises:
        ValueError: if the maps have other axes.
    """
    maps = np.asarray(maps, "float64")
    if maps.ndim != 3:
        raise ValueError(f"maps (height, width, channels) are needed, got {maps.shape}")
    pictures = []
    for one in np.moveaxis(maps, -1, 0)[:most]:
        span = one.max() - one.min()
        pictures.append((one - one.min()) / span if span > 0 else one * 0)
    return _grid(pictures)


def _signed(kernel):
    largest = np.abs(kernel).max()
    return kernel / (2 * largest) + 0.5 if largest > 0 else kernel * 0 + 0.5


def _grid(pictures, columns=None):
    """Pictures in [0, 1], enlarged or reduced by a whole number, in rows."""
    columns = columns or math.ceil(math.sqrt(len(pictures)))
    longest = max(pictures[0].shape[:2])
    scale = -(-_SIDE // longest) if longest <= _LARGEST else 1 / -(-longest // _LARGEST)
    cells = [tiles.scaled_picture(tiles.as_uint8(p), scale) for p in pictures]
    height, width = cells[0].shape[:2]
    high, wide = height + _GAP, width + _GAP
    rows = math.ceil(len(cells) / columns)
    sheet = np.full((rows * high + _GAP, columns * wide + _GAP, 3), 255, "uint8")
    for i, cell in enumerate(cells):
        top, left = _GAP + i // columns * high, _GAP + i % columns * wide
        sheet[top : top + height, left : left + width] = cell
    return sheet
