"""A grid of pictures with a line of text under each."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from kcv.viz import style, tiles

_SIDE, _FRAME, _GAP = 160, 5, 18  # pixels
_TEXT, _LINE_HEIGHT = 15, 20


def save_gallery(
    images,
    titles: Sequence[str],
    path: str | Path,
    correct: Sequence[bool | None] | None = None,
    pixel_range: tuple[float, float] = (0.0, 1.0),
    columns: int | None = None,
) -> Path:
    """Draws pictures in a grid as a PNG.

    Args:
        images: (n, height, width, 1 or 3), or a list of (height, width, 1 or 3) of any
            sizes; uint8, or float in `pixel_range`. Small ones are enlarged without
            smoothing, so that pixels stay visible.
        titles: n texts; a line break starts a second line, which is drawn paler.
        path: where to write.
        correct: n flags: a green frame for true, a vermilion one and a cross for false,
            a thin line for None.
        pixel_range: values of black and white in float images; beyond them is clipped.
        columns: pictures in a row; None for a sheet wider than high.

    Returns:
        The path.

    Raises:
        ValueError: if there is no image, or the numbers of images and texts differ.
    """
    if not len(images):
        raise ValueError("a gallery needs at least one image")
    for name, values in (("titles", titles), ("correct", correct)):
        if values is not None and len(values) != len(images):
            raise ValueError(f"{len(images)} images but {len(values)} {name}")
    if columns is None:
        rows = round(math.sqrt(0.7 * len(images)) - 0.3)
        columns = math.ceil(len(images) / max(rows, math.ceil(len(images) / 10), 1))
    rows = math.ceil(len(images) / columns)
    lines = max(title.count("\n") + 1 for title in titles)
    width, height = _SIDE + _GAP, _SIDE + _GAP + 6 + lines * _LINE_HEIGHT
    sheet = Image.new(
        "RGB", (columns * width + _GAP, rows * height + _GAP), style.PAPER
    )
    for i, image in enumerate(images):
        left, top = _GAP + i % columns * width, _GAP + i // columns * height
        sheet.paste(_fitted(tiles.as_uint8(image, pixel_range)), (left, top))
        draw = ImageDraw.Draw(sheet)
        _frame(draw, left, top, None if correct is None else correct[i])
        _caption(draw, left, top + _SIDE + 6, titles[i])
    return style.save(sheet, path)


def _fitted(pixels):
    """The whole image inside a square of _SIDE pixels, aspect kept."""
    image = Image.fromarray(np.ascontiguousarray(pixels))
    scale = _SIDE / max(image.size)
    size = tuple(max(1, round(side * scale)) for side in image.size)
    image = image.resize(size, Image.NEAREST if scale > 1 else Image.LANCZOS)
    square = Image.new("RGB", (_SIDE, _SIDE), "#F2F4F6")
    square.paste(image, ((_SIDE - size[0]) // 2, (_SIDE - size[1]) // 2))
    return square


def _frame(draw, left, top, correct):
    right, bottom = left + _SIDE - 1, top + _SIDE - 1
    if correct is None:
        draw.rectangle((left, top, right, bottom), outline=style.LINE)
        return
    color = style.GREEN if correct else style.VERMILION
    draw.rectangle((left, top, right, bottom), outline=color, width=_FRAME)
    if not correct:  # not by colour alone
        x, y, arm = right - 15, top + 15, 5
        draw.rectangle((x - 10, y - 10, right, y + 10), fill=color)
        for sign in (1, -1):
            ends = (x - arm, y - sign * arm, x + arm, y + sign * arm)
            draw.line(ends, fill=style.PAPER, width=3)


def _caption(draw, left, top, title):
    for i, line in enumerate(title.split("\n")):
        font = style.font(_TEXT if i == 0 else _TEXT - 2, bold=i == 0)
        color = style.INK if i == 0 else style.MUTED
        middle = left + _SIDE / 2
        y = top + i * _LINE_HEIGHT
        draw.text((middle, y), _shortened(line, font), color, font, anchor="ma")


def _shortened(line, font):
    if font.getlength(line) <= _SIDE:
        return line
    while line and font.getlength(line + "…") > _SIDE:
        line = line[:-1]
    return line.rstrip() + "…"
