"""Maps with a value a pixel as pictures: labels, depth, normals, reflectance, shares.

Each function takes and gives one pixel for one pixel; a hatch says that there is no
value. `tiles.scaled` comes first, so that hatches and outlines are drawn finely.
"""

import numpy as np

from kcv.viz import colors, masks, style, text, tiles

IGNORE = 255  # of a semantic map: unlabelled


def draw_labels(labels, ignore=IGNORE):
    """Colours a map of labels.

    Args:
        labels: int (h, w); see `label_colors`.
        ignore: The label that is hatched.

    Returns:
        uint8 (h, w, 3).
    """
    labels = np.asarray(labels).astype(np.int64)
    found, where = np.unique(labels, return_inverse=True)
    picture = label_colors(found)[where.reshape(labels.shape)]
    return tiles.hatched(picture, labels == ignore)


def label_colors(labels):
    """Returns uint8 (n, 3), the colours of labels (n,).

    Label 0 is neutral, as it mostly is the background; where labels are below 0, these
    are, and 0 has a colour.
    """
    labels = np.asarray(labels, np.int64).reshape(-1)
    labels = np.maximum(labels + 1, 0) if (labels < 0).any() else labels
    known = colors.palette(int(labels.max(initial=0)))
    known = np.concatenate([np.array([colors.NEUTRAL], np.uint8), known])
    return known[labels]


def draw_values(values, limits=None, valid=None):
    """Colours numbers from dark (least) to bright (largest).

    Args:
        values: (h, w) or (h, w, 1).
        limits: Least and largest; `limits_of` by default.
        valid: (h, w) or (h, w, 1), 0 where there is no value.

    Returns:
        uint8 (h, w, 3), hatched where a value is not valid or not finite.
    """
    values = np.asarray(values, np.float64)
    values = values.reshape(values.shape[:2])
    least, largest = limits_of(values, valid) if limits is None else limits
    share = (values - least) / ((largest - least) or 1.0)
    return tiles.hatched(colors.heat(share), ~_known(values, valid))


def limits_of(values, valid=None):
    """Returns the least and the largest number that is known; 0, 0 without any."""
    values = np.asarray(values, np.float64)
    values = values.reshape(values.shape[:2])
    known = values[_known(values, valid)]
    return (float(known.min()), float(known.max())) if len(known) else (0.0, 0.0)


def draw_scale(limits, width, unit=""):
    """Returns the colours of `draw_values` as a bar with numbers, uint8."""
    bar = colors.heat(np.tile(np.linspace(0, 1, width), (8, 1)))
    least, largest = (f"{limit:.4g}{unit}" for limit in limits)
    font = style.font(text.SMALL)
    room = width - round(font.getlength(largest)) - 1
    row = [text.block([text.Line(least, text.SMALL)], max(room, 1))]
    row.append(text.block([text.Line(largest, text.SMALL)], width - max(room, 1)))
    return tiles.stack([bar, np.concatenate(_same_height(row), axis=1)], 2)


def draw_normals(normals):
    """Colours unit vectors (h, w, 3), x right, y down, z to the camera.

    Red, green and blue are x, -y and z from -1 to 1: what faces the camera is light
    blue, what faces up green, what faces right red; hatched where there is none.
    """
    normals = np.asarray(normals, np.float64)
    known = np.isfinite(normals).all(-1) & (np.abs(normals).sum(-1) > 0)
    share = (np.where(known[..., None], normals, 0) * (1, -1, 1) + 1) / 2
    picture = np.round(np.clip(share, 0, 1) * 255).astype(np.uint8)
    return tiles.hatched(picture, ~known)


def draw_light(light, largest=1.0):
    """Shows linear light (h, w, 1 or 3), as albedo or shading; `largest` is white."""
    light = np.asarray(light, np.float64) / (largest or 1.0)
    light = np.broadcast_to(light, (*light.shape[:2], 3))
    return colors.from_linear(light)


def draw_marked(image, marked, fill=style.VERMILION):
    """Marks pixels (h, w) or (h, w, 1) of an image in a colour over grey."""
    marked = np.asarray(marked).reshape(image.shape[:2])
    return masks.draw_masks(image, [marked], [fill])


def moved_back(image, flow):
    """Samples an image where flow leads: what was there before it moved.

    Args:
        image: uint8 (h, w, 3), the later one.
        flow: (h, w, 2) from the earlier image, pixels.

    Returns:
        uint8 (h, w, 3), bilinear, and bool (h, w), where flow leads out of the image or
        is not finite.
    """
    height, width = image.shape[:2]
    row, column = np.indices((height, width), np.float64)
    x, y = column + flow[..., 0], row + flow[..., 1]
    with np.errstate(invalid="ignore"):
        outside = ~(
            (abs(x * 2 - width + 1) <= width) & (abs(y * 2 - height + 1) <= height)
        )
    x = np.clip(np.where(outside, 0, x), 0, width - 1)
    y = np.clip(np.where(outside, 0, y), 0, height - 1)
    left, top = x.astype(int), y.astype(int)
    right, bottom = np.minimum(left + 1, width - 1), np.minimum(top + 1, height - 1)
    x, y = (x - left)[..., None], (y - top)[..., None]
    upper = image[top, left] * (1 - x) + image[top, right] * x
    lower = image[bottom, left] * (1 - x) + image[bottom, right] * x
    return np.round(upper * (1 - y) + lower * y).astype(np.uint8), outside


def draw_cells(values, width, side=9):
    """Shows a vector of numbers 0..1 as cells, white to blue, in rows of `width`."""
    columns = max(width // (side + 1), 1)
    values = np.nan_to_num(np.asarray(values, np.float64))
    rows = -(-len(values) // columns)
    sheet = np.full((max(rows, 1) * (side + 1), width, 3), 255, np.uint8)
    paper, ink = (np.array(colors.rgb(c)) for c in ("#E8ECF0", style.BLUE))
    for i, value in enumerate(np.clip(values, 0, 1)):
        top, left = (side + 1) * (i // columns), (side + 1) * (i % columns)
        color = np.round(paper + value * (ink - paper))
        sheet[top : top + side, left : left + side] = color
    return sheet


def _known(values, valid):
    known = np.isfinite(values)
    if valid is not None:
        known &= np.asarray(valid).reshape(values.shape) != 0
    return known


def _same_height(pictures):
    height = max(len(picture) for picture in pictures)
    return [
        np.pad(p, [(0, height - len(p)), (0, 0), (0, 0)], constant_values=255)
        for p in pictures
    ]
