"""Pictures beside what a network makes of them, one row a picture."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from kcv.viz import style, tiles
from kcv.viz.tiles import Tile

WIDTH = 1360  # short rows stand side by side up to this, pixels
SIDE = 256  # of a picture


def shown(image, pixel_range=(0.0, 1.0)):
    """Returns a picture to look at: uint8 (h, w, 3), about `SIDE` pixels long.

    Small ones are enlarged by a whole number, so that pixels stay visible.

    Args:
        image: (h, w, 1 or 3), uint8, or float in `pixel_range`.
        pixel_range: values of black and white in a float image.
    """
    pixels = tiles.as_uint8(image, pixel_range)
    height, width = pixels.shape[:2]
    longest = max(height, width)
    if longest <= SIDE:
        return tiles.scaled(pixels, SIDE // longest)
    size = [max(round(side * SIDE / longest), 1) for side in (width, height)]
    return np.asarray(Image.fromarray(pixels).resize(size, Image.LANCZOS))


def save_rows(rows: Sequence[Sequence[Tile]], path: str | Path) -> Path:
    """Writes rows of tiles as a PNG.

    Args:
        rows: tiles that belong together, mostly a picture and its map.
        path: where to write.

    Returns:
        The path.

    Raises:
        ValueError: if there is no tile.
    """
    if not rows or not all(rows):
        raise ValueError("a sheet needs a tile in every row")
    drawn = [
        tiles.flowed([tiles.titled(tile) for tile in row], 100_000) for row in rows
    ]
    widest = max(row.shape[1] for row in drawn)
    gap = 2 * tiles.GAP
    drawn = [
        np.pad(row, [(0, 0), (0, widest - row.shape[1]), (0, 0)], constant_values=255)
        for row in drawn
    ]
    sheet = tiles.flowed(drawn, max(WIDTH, widest), gap)
    sheet = np.pad(sheet, [(tiles.GAP,) * 2] * 2 + [(0, 0)], constant_values=255)
    return style.save(Image.fromarray(sheet), path)
