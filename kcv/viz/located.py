"""Pictures of one thing each, with the box that was found and the true one."""

import numpy as np
from PIL import Image

from kcv.viz import boxes, style, tiles
from kcv.viz.gallery import save_gallery

_SIDE = 160  # pixels, as large as a gallery shows them


def save_located(
    images, found, truth, titles, path, correct=None, pixel_range=(0.0, 1.0)
):
    """Draws pictures in a grid: the found box solid, the true one dashed and paler.

    Args:
        images: (n, height, width, 1 or 3), uint8 or float in `pixel_range`.
        found: (n, 4), x1, y1, x2, y2 in pixels of the images.
        truth: (n, 4), likewise; a box without area is not drawn.
        titles: as for `save_gallery`.
        path: where to write.
        correct: as for `save_gallery`; the box of a wrong answer is vermilion.
        pixel_range: values of black and white in float images.

    Returns:
        The path.
    """
    correct = [True] * len(images) if correct is None else correct
    drawn = [
        _with_boxes(tiles.as_uint8(image, pixel_range), box, true, ok)
        for image, box, true, ok in zip(images, found, truth, correct)
    ]
    return save_gallery(drawn, titles, path, correct)


def _with_boxes(image, found, truth, correct):
    scale = _SIDE / max(image.shape[:2])
    size = tuple(max(1, round(side * scale)) for side in image.shape[1::-1])
    image = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.NEAREST))
    both, fills, dashed = [truth, found], [style.PAPER, style.ORANGE], [True, False]
    if not correct:
        fills[1] = style.VERMILION
    if not (truth[2] > truth[0] and truth[3] > truth[1]):
        both, fills, dashed = both[1:], fills[1:], dashed[1:]
    both = np.clip(both, 0, np.tile(np.array(size) / scale, 2))
    return boxes.draw_boxes(image, both, [""] * len(both), fills, dashed, scale)[0]
