"""What of a record is a picture: a tile a label, all at one scale.

Every drawer takes the record, a `View` and the key, and gives a list of tiles.
"""

import numpy as np
from PIL import Image, ImageDraw

from kcv.viz import boxes, colors, map_tiles, maps, masks, skeleton, text, tiles
from kcv.viz.tiles import Tile
from kcv.viz.view import with_legend

_FRAME = 144  # side of a clip's frame, pixels


def of_record(record, view):
    """Returns the tiles of a record and the names of the keys that they show."""
    found, shown = [], set()
    for key, draw in _DRAWERS.items():
        if key in record:
            found += draw(record, view, key)
            shown |= {key, *_WITH.get(key, ())} & set(record)
    for key in record:
        if key not in shown:
            more = _by_shape(key, record[key], view)
            found += more
            shown |= {key} if more else set()
    return found, shown


def _images(record, view, key):
    height, width = record["images"].shape[:2]
    return [Tile(view.image, f"images, {width} x {height}")]


def _next_images(record, view, key):
    image = tiles.as_uint8(record["next_images"], view.pixel_range)
    return [Tile(tiles.scaled_picture(image, view.scale), "next_images")]


def _frames(record, view, key):
    frames = record["frames"]
    if not len(frames):
        return []
    scale = tiles.scale_for(*frames.shape[1:3], _FRAME)
    strip = [
        tiles.scaled_picture(tiles.as_uint8(frame, view.pixel_range), scale)
        for frame in frames
    ]
    title = f"frames: {len(strip)}, {frames.shape[2]} x {frames.shape[1]}"
    return [Tile(tiles.flowed(strip, view.width - 2, 3), title)]


def _boxes(record, view, key):
    found = record["boxes"].astype(np.float64)
    classes = record.get("classes", np.zeros(len(found), int))
    real = np.flatnonzero(classes >= 0)  # the others are empty slots
    fills = colors.palette(len(found))
    sides = np.minimum(found[:, 2] - found[:, 0], found[:, 3] - found[:, 1])
    drawn = [i for i in real if sides[i] > 0]
    crowd = np.asarray(record.get("crowd", np.zeros(len(found)))) > 0
    picture = view.image
    if "full_boxes" in record:
        wider = np.abs(record["full_boxes"] - found).max(axis=1, initial=0) > 1
        wider = [i for i in drawn if wider[i]]
        picture, _ = boxes.draw_boxes(
            picture,
            record["full_boxes"][wider],
            [""] * len(wider),
            fills[wider],
            [True] * len(wider),
            view.scale,
        )
    picture, legend = boxes.draw_boxes(
        picture,
        found[drawn],
        [_box_name(record, view, i) for i in drawn],
        fills[drawn],
        crowd[drawn],
        view.scale,
        [i + 1 for i in drawn],
    )
    legend += [
        (fills[i], f"no area: {_box_name(record, view, i)}")
        for i in real
        if i not in drawn
    ]
    title = f"boxes: {len(real)}"
    title += f" in {len(found)} slots" if len(found) > len(real) else ""
    title += ", dashed: whole extent" if "full_boxes" in record else ""
    title += ", dashed: crowd or difficult" if crowd[real].any() else ""
    return [with_legend(picture, title, legend)]


def _box_name(record, view, i):
    words = [str(i + 1)] if "relations" in record else []  # they name it by number
    if "classes" in record:
        words.append(view.name("classes", record["classes"][i]))
    if "visibility" in record and record["visibility"][i] < 0.995:
        words.append(f"{100 * record['visibility'][i]:.0f} %")
    return " ".join(words)


def _masks(record, view, key):
    large = np.array([view.at_scale(mask) for mask in record[key]])
    large = large.reshape(-1, *view.image.shape[:2])
    fills = colors.palette(len(large))
    picture = masks.draw_masks(view.image, large, fills)
    drawn = [i for i, mask in enumerate(large) if mask.any()]
    title = f"{key}: {len(drawn)}"
    if len(drawn) < len(large):
        title += f", {len(large) - len(drawn)} empty"
    legend = []
    if "classes" in record and "boxes" not in record and drawn:
        picture = Image.fromarray(picture)
        names = [_box_name(record, view, i) for i in drawn]
        spots, numbers = masks.extents(large[drawn]), [i + 1 for i in drawn]
        draw = ImageDraw.Draw(picture)
        legend = text.tags(draw, picture.size, spots, names, fills[drawn], numbers)
    return [with_legend(np.asarray(picture), title, legend)]


def _semantic(record, view, key):
    labels = np.asarray(record[key])
    ignore = maps.IGNORE if key == "semantic" else None
    large = view.at_scale(labels)
    found = np.unique(labels[labels != ignore]).tolist()
    names = [view.name(key, label) for label in found]
    if key not in ("semantic", *view.named):  # its labels are no classes
        names = [str(label) for label in found]
    legend = list(zip(maps.label_colors(found), names))
    if (labels == ignore).any():
        square = np.full((11, 11, 3), 255, np.uint8)
        square = tiles.hatched(square, np.ones((11, 11), bool))
        legend.append((square, "unlabelled"))
    return [with_legend(maps.draw_labels(large, ignore), key, legend)]


def _keypoints(record, view, key):
    found = record["keypoints"]
    picture = skeleton.draw_skeletons(view.image, found, view.edges, view.scale)
    labelled = (found[..., 2] > 0).any(axis=1).sum() if len(found) else 0
    title = f"keypoints: {labelled}"
    if len(found) > labelled:
        title += f", {len(found) - labelled} not labelled"
    if (found[..., 2] == 1).any():
        title += ", ring: hidden"
    sides = skeleton.side_legend() if found.shape[1] in skeleton.SKELETONS else []
    return [with_legend(picture, title, sides)]


def _by_shape(key, value, view):
    """Draws a label that this file has no name for, where it is a map."""
    if view.size is None or value.dtype.kind not in "biuf":
        return []
    whole, size = value.dtype.kind in "biu", view.size
    if value.shape == size or value.shape == (*size, 1):
        record = {key: value.reshape(size)}
        return (_semantic if whole else map_tiles.draw_values)(record, view, key)
    if value.shape == (*size, 3):
        if value.dtype == np.uint8:
            return [Tile(tiles.scaled_picture(value, view.scale), key)]
        return map_tiles.draw_light({key: value}, view, key)
    if value.ndim == 3 and value.shape[1:] == size and whole:
        return _masks({key: value}, view, key)
    return []


_DRAWERS = {  # in the order of the tiles
    "images": _images,
    "next_images": _next_images,
    "boxes": _boxes,
    "masks": _masks,
    "semantic": _semantic,
    "keypoints": _keypoints,
    "depth": map_tiles.draw_values,
    "disparity": map_tiles.draw_values,
    "normals": map_tiles.draw_normals,
    "albedo": map_tiles.draw_light,
    "shading": map_tiles.draw_light,
    "flow": map_tiles.draw_flow,
    "flow_backward": map_tiles.draw_flow_backward,
    "occlusion": map_tiles.draw_occlusion,
    "frames": _frames,
}
_WITH = {  # keys that these show too
    "boxes": ("classes", "crowd", "visibility", "full_boxes"),
    "masks": ("classes",),
    "flow": ("flow_valid",),
    "disparity": ("disparity_valid",),
}
