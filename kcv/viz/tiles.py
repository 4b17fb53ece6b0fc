"""Pictures under titles, laid out side by side."""

import math
from typing import NamedTuple

import numpy as np
from PIL import Image

from kcv.viz import colors, style, text

SIDE = 288  # smaller pictures are enlarged, by whole numbers, up to this; pixels
LARGEST = 640  # larger ones are reduced, by whole numbers, to this
NARROWEST = 128  # of a tile; its title needs room
GAP = 12
_LIGHT, _DARK = 205, 150  # of a hatch
_SWATCH = 11  # of a legend


class Tile(NamedTuple):
    """A picture with what is written around it.

    Parameters:
        picture: uint8 (h, w, 3).
        title: What it shows, written above.
        legend: uint8 (h, w, 3) below, or None.
    """

    picture: np.ndarray
    title: str
    legend: np.ndarray | None = None


def as_uint8(image, pixel_range=(0.0, 1.0)):
    """Returns an image as uint8 (h, w, 3).

    Args:
        image: (h, w), (h, w, 1) or (h, w, 3), uint8, or any other in `pixel_range`.
        pixel_range: Values of black and white, but for uint8; beyond is clipped.

    Raises:
        ValueError: It has another shape.
    """
    image = np.asarray(image)
    if image.dtype != np.uint8:
        low, high = pixel_range
        image = np.clip((image.astype("float64") - low) / (high - low), 0, 1)
        image = np.round(np.nan_to_num(image) * 255).astype("uint8")
    if image.ndim == 2:
        image = image[..., None]
    if image.ndim != 3 or image.shape[-1] not in (1, 3) or not image.size:
        raise ValueError(
            f"an image has shape {image.shape}; 1 or 3 channels are needed"
        )
    return np.broadcast_to(image, (*image.shape[:2], 3))


def scale_for(height, width, side=SIDE):
    """Returns the whole number, or one over it, by which a picture is enlarged."""
    longest = max(height, width)
    return side // longest if longest <= side else 1 / math.ceil(longest / LARGEST)


def scaled(array, scale):
    """Enlarges or thins out the pixels of (h, w, ...) by a number of `scale_for`."""
    if scale >= 1:
        return array.repeat(int(scale), axis=0).repeat(int(scale), axis=1)
    step = round(1 / scale)
    return array[::step, ::step]


def scaled_picture(image, scale):
    """Does so with uint8 (h, w, 3), where pixels that become one give their mean."""
    if scale >= 1:
        return scaled(image, scale)
    image = Image.fromarray(np.ascontiguousarray(image))
    return np.asarray(image.reduce(round(1 / scale)))


def hatched(picture, where):
    """Returns uint8 (h, w, 3) with a grey hatch where bool (h, w) is true."""
    row, column = np.indices(where.shape)
    hatch = np.where((row + column) % 8 < 2, _DARK, _LIGHT).astype(np.uint8)
    return np.where(where[..., None], hatch[..., None], picture)


def stack(pictures, gap=4):
    """Puts pictures uint8 (h, w, 3) below each other, left aligned, on paper."""
    width = max(picture.shape[1] for picture in pictures)
    height = sum(len(picture) for picture in pictures) + gap * (len(pictures) - 1)
    sheet = _paper(height, width)
    top = 0
    for picture in pictures:
        sheet[top : top + len(picture), : picture.shape[1]] = picture
        top += len(picture) + gap
    return sheet


def flowed(pictures, width, gap=GAP):
    """Puts pictures side by side, in rows that fit into `width`, the tops aligned."""
    rows, used = [[]], 0
    for picture in pictures:
        if rows[-1] and used + gap + picture.shape[1] > width:
            rows.append([])
        used = picture.shape[1] + (used + gap if rows[-1] else 0)
        rows[-1].append(picture)
    return stack([_beside(row, gap) for row in rows], gap)


def titled(tile):
    """Returns the picture of a tile: title, frame, legend."""
    width = max(tile.picture.shape[1] + 2, NARROWEST)
    title = text.block([text.Line(tile.title, text.SMALL, bold=True)], width)
    parts = [title, bordered(tile.picture)]
    if tile.legend is not None:
        parts.append(tile.legend)
    return stack(parts)


def bordered(picture, margin=0):
    """Returns a picture with a thin line around it, and paper up to the line."""
    picture = np.pad(picture, [(margin, margin)] * 2 + [(0, 0)], constant_values=255)
    height, width, _ = picture.shape
    sheet = np.empty((height + 2, width + 2, 3), np.uint8)
    sheet[1:-1, 1:-1] = picture
    for side in (sheet[0], sheet[-1], sheet[:, 0], sheet[:, -1]):
        side[:] = colors.rgb(style.LINE)
    return sheet


def legend(entries, width):
    """Draws (color, name) pairs, each with a square of its colour, within `width`.

    A colour is what `colors.rgb` takes, or uint8 (h, w, 3) that is shown itself.
    """
    return flowed([_entry(color, name, width) for color, name in entries], width, 8)


def _entry(color, name, width):
    if not isinstance(color, np.ndarray) or color.ndim < 3:
        square = np.empty((_SWATCH - 2, _SWATCH - 2, 3), np.uint8)
        square[:] = colors.rgb(color)
        color = bordered(square)
    color = np.pad(color, [(2, 0), (0, 0), (0, 0)], constant_values=255)
    room = max(width - color.shape[1] - 5, text.SMALL)
    font = style.font(text.SMALL)
    lines = text.wrapped(name, font, room)
    needed = math.ceil(max(font.getlength(line) for line in lines)) + 1
    label = text.block([text.Line(name, text.SMALL)], min(needed, room))
    return _beside([color, label], 5)


def _beside(pictures, gap):
    height = max(len(picture) for picture in pictures)
    width = sum(picture.shape[1] for picture in pictures) + gap * (len(pictures) - 1)
    sheet = _paper(height, width)
    left = 0
    for picture in pictures:
        sheet[: len(picture), left : left + picture.shape[1]] = picture
        left += picture.shape[1] + gap
    return sheet


def _paper(height, width):
    return np.full((height, width, 3), 255, np.uint8)
