"""Pictures with what a detector has found in them, and with what it is to learn."""

import numpy as np
from PIL import Image

from kcv.viz import boxes, colors, masks, skeleton, style, tiles

_WIDTH = 1400  # of a sheet, pixels


def save_detected(images, found, truths, class_names, path, pixel_range, least=0.5):
    """Draws detections in the colours of their classes; what was missed is dashed.

    Args:
        images: (n, height, width, 1 or 3), uint8 or float in `pixel_range`.
        found: {"boxes": (n, k, 4), "classes": (n, k), "scores": (n, k)}, x1, y1, x2, y2
            in pixels of the images; class -1 is an empty slot. With "masks" (n, k,
            height, width) they are laid over the images, with "keypoints" (n, k, j, 3)
            skeletons are.
        truths: {"boxes": (n, m, 4), "classes": (n, m)}, likewise, or None.
        class_names: class i is `class_names[i]`.
        path: where to write.
        pixel_range: values of black and white in float images.
        least: lower scores are not drawn.

    Returns:
        The path.
    """
    fills = colors.palette(len(class_names))
    sheet = []
    for i, image in enumerate(images):
        one = {key: np.asarray(value[i]) for key, value in found.items()}
        image = tiles.as_uint8(image, pixel_range)
        shown = np.flatnonzero((one["classes"] >= 0) & (one["scores"] >= least))
        named = [
            f"{class_names[kind]} {score:.2f}"
            for kind, score in zip(one["classes"][shown], one["scores"][shown])
        ]
        drawn = [one["boxes"][k] for k in shown]
        paint = [fills[one["classes"][k]] for k in shown]
        dashed, title = [False] * len(shown), f"{len(shown)} found"
        if truths is not None:
            classes = np.asarray(truths["classes"][i])
            there = np.flatnonzero(classes >= 0)
            missed = [k for k in there if not _is_found(truths, i, k, one, shown)]
            drawn += [truths["boxes"][i][k] for k in missed]
            named += [class_names[classes[k]] for k in missed]
            paint += [style.PAPER] * len(missed)
            dashed += [True] * len(missed)
            title += f", {len(missed)} of {len(there)} missed"
        more = {key: one[key][shown] for key in ("masks", "keypoints") if key in one}
        sheet.append(_tile(image, drawn, named, paint, dashed, title, **more))
    return style.save(Image.fromarray(tiles.flowed(sheet, _WIDTH)), path)


def save_targets(images, truths, classes, anchors, class_names, path, pixel_range):
    """Draws which anchors are to answer for which class.

    Args:
        images: as for `save_detected`.
        truths: likewise; objects are dashed.
        classes: int (n, a), of each anchor: its object's class, -1 for background, -2
            for anchors that are ignored.
        anchors: float (a, 4), pixels.
        class_names: class i is `class_names[i]`.
        path: where to write.
        pixel_range: values of black and white in float images.

    Returns:
        The path.
    """
    fills = colors.palette(len(class_names))
    sheet = []
    for i, image in enumerate(images):
        own, there = np.asarray(classes[i]), np.asarray(truths["classes"][i])
        ignored, positive = np.flatnonzero(own == -2), np.flatnonzero(own >= 0)
        objects = np.flatnonzero(there >= 0)
        drawn = [*anchors[positive], *truths["boxes"][i][objects]]
        names = [""] * len(positive) + [class_names[k] for k in there[objects]]
        paint = [fills[k] for k in own[positive]] + [style.PAPER] * len(objects)
        dashed = [False] * len(positive) + [True] * len(objects)
        title = (
            f"{len(positive)} positive, {len(ignored)} ignored of {len(anchors)} "
            f"anchors; {len(objects)} objects"
        )
        image = tiles.as_uint8(image, pixel_range)
        sheet.append(_tile(image, drawn, names, paint, dashed, title))
    return style.save(Image.fromarray(tiles.flowed(sheet, _WIDTH)), path)


def _tile(image, drawn, names, paint, dashed, title, **more):
    """A picture with boxes; "masks" and "keypoints" are of the first of these."""
    scale = tiles.scale_for(*image.shape[:2])
    picture = tiles.scaled_picture(image, scale)
    if len(more.get("masks", ())):
        enlarged = [tiles.scaled(mask, scale) for mask in more["masks"]]
        picture = masks.draw_masks(picture, enlarged, paint[: len(enlarged)])
    picture, left_over = boxes.draw_boxes(picture, drawn, names, paint, dashed, scale)
    if len(more.get("keypoints", ())):
        picture = skeleton.draw_skeletons(picture, more["keypoints"], scale=scale)
    legend = tiles.legend(left_over, picture.shape[1]) if left_over else None
    return tiles.titled(tiles.Tile(picture, title, legend))


def _is_found(truths, i, k, found, shown):
    """Whether a detection of the class overlaps an object by an IoU of 0.5."""
    x1, y1, x2, y2 = truths["boxes"][i][k]
    for j in shown:
        if found["classes"][j] != truths["classes"][i][k]:
            continue
        a1, b1, a2, b2 = found["boxes"][j]
        width = max(min(x2, a2) - max(x1, a1), 0)
        height = max(min(y2, b2) - max(y1, b1), 0)
        both = (x2 - x1) * (y2 - y1) + (a2 - a1) * (b2 - b1)
        if width * height >= 0.5 * (both - width * height):
            return True
    return False
