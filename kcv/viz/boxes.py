"""Boxes with the names of their classes."""

import numpy as np
from PIL import Image, ImageDraw

from kcv.viz import colors, style, text

_DASH, _SPACE = 5, 4  # pixels


def draw_boxes(image, boxes, names, fills=None, dashed=(), scale=1, numbers=None):
    """Draws boxes and writes a name at each.

    Args:
        image: uint8 (h, w, 3).
        boxes: (n, 4), x1, y1, x2, y2 in continuous pixels.
        names: n texts; "" for a box without a tag.
        fills: n colours; `colors.palette` by default.
        dashed: n flags: a dashed outline, as for crowds.
        scale: What `image` has been enlarged by since the boxes were true.
        numbers: n numbers of the boxes; from 1 on by default.

    Returns:
        uint8 (h, w, 3), and [(color, text)] for a legend: the names that found no free
        place, by number.
    """
    picture = Image.fromarray(np.array(image))
    draw = ImageDraw.Draw(picture)
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4) * scale
    fills = colors.palette(len(boxes)) if fills is None else fills
    numbers = range(1, len(boxes) + 1) if numbers is None else numbers
    dashed = dashed if len(dashed) else [False] * len(boxes)
    for box, fill, is_dashed in zip(boxes, fills, dashed):
        _outline(draw, box, colors.rgb(fill), is_dashed)
    named = [i for i, name in enumerate(names) if name]
    left_over = text.tags(
        draw,
        picture.size,
        boxes[named],
        [names[i] for i in named],
        [fills[i] for i in named],
        [numbers[i] for i in named],
    )
    return np.asarray(picture), left_over


def _outline(draw, box, fill, is_dashed):
    """Two pixels in the colour within the box, between thin dark lines."""
    x1, y1, x2, y2 = np.round(box).astype(int).tolist()
    x2, y2 = max(x2 - 1, x1), max(y2 - 1, y1)  # the last pixel inside
    if is_dashed:
        _dashed(draw, (x1, y1, x2, y2), fill)
        return
    dark = colors.rgb(style.INK)
    draw.rectangle((x1 - 1, y1 - 1, x2 + 1, y2 + 1), outline=dark)
    if min(x2 - x1, y2 - y1) > 5:
        draw.rectangle((x1 + 2, y1 + 2, x2 - 2, y2 - 2), outline=dark)
    draw.rectangle((x1, y1, x2, y2), outline=fill, width=2)


def _dashed(draw, box, fill):
    x1, y1, x2, y2 = box
    for left in range(x1, x2 + 1, _DASH + _SPACE):
        right = min(left + _DASH, x2)
        for y in (y1, y2 - 1):
            draw.rectangle((left, y, right, y + 1), fill=fill)
    for top in range(y1, y2 + 1, _DASH + _SPACE):
        bottom = min(top + _DASH, y2)
        for x in (x1, x2 - 1):
            draw.rectangle((x, top, x + 1, bottom), fill=fill)
