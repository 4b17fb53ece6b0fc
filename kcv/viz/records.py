"""Records with every label that they have, as pictures that a person can check.

Keys are those of kcv.data: boxes are x1, y1, x2, y2 in continuous pixels, flow is dx,
dy in pixels, 255 of a semantic map is unlabelled, class -1 is an empty slot. What has
none of the known keys is drawn by its shape, or written.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from kcv.viz import label_shapes, label_text, label_tiles, style, text, tiles, view

WIDTH = 1360  # of a panel, pixels
_SHEET = 2800  # a sheet is not wider, but for one wide panel
_NARROWEST = 300  # text needs room
_LARGEST = 30_000  # a side of a sheet that viewers still open, pixels


def draw_record(
    record: Mapping,
    class_names=(),
    *,
    title: str = "",
    edges=None,
    max_flow: float | None = None,
    pixel_range: tuple[float, float] = (0.0, 255.0),
    width: int = WIDTH,
):
    """Draws a record: pictures side by side, and below them what is text.

    Args:
        record: {key: array}, as of `kcv.data.structured`.
        class_names: Names of the classes; or {key: names} where keys ("labels",
            "classes", "semantic", "answer_class", "attributes") differ in them.
        title: First line.
        edges: Pairs of keypoints that are joined; by default see `skeleton.SKELETONS`.
        max_flow: Length of flow, pixels, at which colours are full; the longest of the
            record by default.
        pixel_range: Values of black and white in images that are not uint8.
        width: The panel is not wider, unless one picture is.

    Returns:
        uint8 (h, w, 3).

    Raises:
        ValueError: A label does not have the shape that its key says.
    """
    record = {key: np.asarray(value) for key, value in record.items()}
    size = label_shapes.check(record)
    image, scale = view.canvas(record, size or (1, 1), pixel_range)
    how = view.View(
        image, size, scale, class_names, edges, max_flow, pixel_range, width
    )
    found, shown = label_tiles.of_record(record, how)
    parts = [tiles.titled(tile) for tile in found]
    parts = [tiles.flowed(parts, width)] if parts else []
    room = max([_NARROWEST, *(part.shape[1] for part in parts)])
    parts += label_text.of_record(record, class_names, set(record) - shown, room)
    if not parts:
        parts = [text.block([text.Line("empty record")], room)]
    if title:
        parts.insert(0, text.block([text.Line(title, text.NORMAL, True)], room))
    return tiles.bordered(tiles.stack(parts, tiles.GAP), tiles.GAP)


def draw_gallery(
    records: Sequence[Mapping],
    path: str | Path,
    class_names=(),
    *,
    titles: Sequence[str] | None = None,
    edges=None,
    max_flow: float | None = None,
    pixel_range: tuple[float, float] = (0.0, 255.0),
) -> Path:
    """Draws records on one sheet, as a PNG.

    Args:
        records: As for `draw_record`.
        path: Where to write.
        class_names: As for `draw_record`.
        titles: A line a record; its number by default.
        edges: As for `draw_record`.
        max_flow: As for `draw_record`.
        pixel_range: As for `draw_record`.

    Returns:
        The path.

    Raises:
        ValueError: There is no record, the titles are not as many, a label has a wrong
            shape, or the sheet would be too large.
    """
    if not records:
        raise ValueError("a gallery needs at least one record")
    titles = [str(i) for i in range(len(records))] if titles is None else titles
    if len(titles) != len(records):
        raise ValueError(f"{len(records)} records but {len(titles)} titles")
    panels = [
        draw_record(
            record,
            class_names,
            title=title,
            edges=edges,
            max_flow=max_flow,
            pixel_range=pixel_range,
        )
        for record, title in zip(records, titles)
    ]
    widest = max(panel.shape[1] for panel in panels)
    height = sum(len(panel) for panel in panels) / len(panels)
    columns = math.sqrt(
        1.4 * len(panels) * height / widest
    )  # a sheet 1.4 times as wide
    columns = max(math.ceil(columns - 0.3), 1)
    columns = min(columns, max(_SHEET // widest, 1), len(panels))
    width = columns * (widest + tiles.GAP)
    sheet = tiles.flowed(panels, width)
    if len(sheet) > _LARGEST:
        raise ValueError(
            f"{len(records)} records make a sheet {len(sheet)} pixels high, more than"
            f" {_LARGEST}; draw fewer at once"
        )
    sheet = np.pad(sheet, [(tiles.GAP,) * 2] * 2 + [(0, 0)], constant_values=255)
    return style.save(Image.fromarray(sheet), path)
