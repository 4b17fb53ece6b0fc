"""How the tiles of a record are drawn: on what, how large, with which names."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from kcv.viz import tiles
from kcv.viz.tiles import Tile

_GREY = 128  # what is drawn on where there is no image


class View(NamedTuple):
    """How a record is drawn.

    Parameters:
        image: uint8 (h, w, 3) at scale.
        size: (h, w) of the record's maps; None without any.
        scale: What the record is enlarged by.
        names: See `name_of`.
        edges: Of skeletons, or None.
        max_flow: Pixels, or None.
        pixel_range: Of images that are not uint8.
        width: Of the panel, pixels.
    """

    image: np.ndarray
    size: tuple[int, int] | None
    scale: float
    names: object
    edges: object
    max_flow: float | None
    pixel_range: tuple[float, float]
    width: int

    def at_scale(self, array):
        """The record's (h, w, ...) as large as `image`."""
        return tiles.scaled(np.asarray(array), self.scale)

    @property
    def named(self):
        """Keys that have names of their own."""
        return tuple(self.names) if isinstance(self.names, Mapping) else ()

    def name(self, key, index):
        """Name of class `index` of a key."""
        return name_of(self.names, key, index)


def name_of(names, key, index):
    """Returns the name of a class.

    Args:
        names: Names of the classes, or {key: names}.
        key: Whose class it is.
        index: Number of the class.
    """
    names = names.get(key, ()) if isinstance(names, Mapping) else names
    index = int(index)
    return str(names[index]) if 0 <= index < len(names) else f"class {index}"


def canvas(record, size, pixel_range):
    """Returns the image of a record, or grey of its size (h, w), and their scale."""
    scale = tiles.scale_for(*size)
    if "images" not in record:
        grey = np.full((*size, 3), _GREY, np.uint8)
        return tiles.scaled_picture(grey, scale), scale
    image = tiles.as_uint8(record["images"], pixel_range)
    return tiles.scaled_picture(image, scale), scale


def with_legend(picture, title, entries):
    """Returns a tile with (color, name) pairs below, or without any."""
    width = max(picture.shape[1], tiles.NARROWEST)
    return Tile(picture, title, tiles.legend(entries, width) if entries else None)
