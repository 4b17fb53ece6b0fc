"""Text in pictures: wrapped lines, tags that keep out of each other's way."""

from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from kcv.viz import colors, style

SMALL, NORMAL, LARGE = 12, 14, 17  # pixels
_PAD = 2  # around the text of a tag


class Line(NamedTuple):
    """A paragraph of one look."""

    text: str
    size: int = NORMAL
    bold: bool = False
    color: str = style.INK
    indent: int = 0


def wrapped(text, font, width):
    """Breaks a text into lines of at most `width` pixels.

    Lines break at spaces; a word that is too long itself breaks anywhere.

    Args:
        text: Any text; its own line breaks are spaces.
        font: From `style.font`.
        width: Pixels; one character stays even where it needs more.

    Returns:
        A list of texts, at least one.
    """
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= width:
            lines[-1] = longer
            continue
        if lines[-1]:
            lines.append("")
        for letter in word:
            if lines[-1] and font.getlength(lines[-1] + letter) > width:
                lines.append("")
            lines[-1] += letter
    return lines


def block(paragraphs, width):
    """Draws `Line`s below each other, wrapped, as uint8 (h, width, 3)."""
    rows = []
    for line in paragraphs:
        font = style.font(line.size, line.bold)
        for row in wrapped(line.text, font, width - line.indent):
            rows.append((row, font, line))
    heights = [round(1.35 * line.size) for _, _, line in rows]
    sheet = Image.new("RGB", (width, max(sum(heights), 1)), style.PAPER)
    draw, top = ImageDraw.Draw(sheet), 0
    for (row, font, line), height in zip(rows, heights):
        draw.text((line.indent, top), row, line.color, font)
        top += height
    return np.asarray(sheet)


def tags(draw, size, boxes, names, fills, numbers):
    """Writes a name at each box so that names do not cover each other.

    A name for which there is no free place is replaced by a number.

    Args:
        draw: `ImageDraw.Draw` of the picture.
        size: (width, height) of the picture.
        boxes: (n, 4), x1, y1, x2, y2 in its pixels.
        names: n texts.
        fills: n colours of the tags.
        numbers: n numbers.

    Returns:
        [(color, "number: name")] of those that became numbers, for a legend.
    """
    font, taken, left_over = style.font(SMALL), [], []
    for box, name, color, number in zip(boxes, names, fills, numbers):
        covered, spot = _best(font, name, box, taken, size)
        if covered or spot[2] > size[0]:
            left_over.append((color, f"{number}: {name}"))
            name = str(number)
            _, spot = _best(font, name, box, taken, size)
        taken.append(spot)
        draw.rectangle(spot, fill=colors.rgb(color))
        light = np.dot(colors.rgb(color), (0.299, 0.587, 0.114)) > 140
        ink = style.INK if light else style.PAPER
        draw.text((spot[0] + _PAD, spot[1] - 1 + _PAD), name, ink, font)
    return left_over


def _best(font, name, box, taken, size):
    """Covered area and the place (x1, y1, x2, y2) of a tag that covers least."""
    width = round(font.getlength(name)) + 2 * _PAD
    height = SMALL + 2 * _PAD
    x1, y1, x2, y2 = box
    middle = (y1 + y2 - height) / 2
    spots = [
        *((x1, y1 - height), (x2 - width, y1 - height), (x1, y2), (x2 - width, y2)),
        *((x1, y1), (x2 - width, y1), (x1, y2 - height), (x2 - width, y2 - height)),
        *((x2, middle), (x1 - width, middle), ((x1 + x2 - width) / 2, middle)),
    ]
    best = None
    for left, top in spots:
        left = round(min(max(left, 0), max(size[0] - width, 0)))
        top = round(min(max(top, 0), max(size[1] - height, 0)))
        spot = (left, top, left + width, top + height)
        covered = sum(_overlap(spot, other) for other in taken)
        if best is None or covered < best[0]:
            best = covered, spot
    return best


def _overlap(a, b):
    across = min(a[2], b[2]) - max(a[0], b[0]) + 1
    down = min(a[3], b[3]) - max(a[1], b[1]) + 1
    return max(across, 0) * max(down, 0)
