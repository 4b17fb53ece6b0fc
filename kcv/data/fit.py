"""Brings a record to one size and to fixed slots, with everything that it says.

A record is a dict of NumPy arrays, see `kcv.data.readers.record_keys`; coordinates,
flow and maps follow the image.
"""

from typing import NamedTuple

import numpy as np
from PIL import Image

MODES = ("stretch", "letterbox", "crop")
IGNORE = 255  # label of pixels without one

_STACKED = ("masks", "frames")
_SMOOTH = (
    *("images", "next_images", "right_images"),
    *("albedo", "shading", "normals"),
)
_LABELS = (
    *("semantic", "depth", "depth_valid", "disparity", "disparity_valid"),
    *("flow_valid", "occlusion"),
)  # fmt: skip
_FLOWS = ("flow", "flow_backward")
_EMPTY = {"semantic": IGNORE, "occlusion": 1}  # beyond the border; all else is 0


class Slots(NamedTuple):
    """How many of what varies; records with more lose the smallest objects.

    Parameters:
        objects: Boxes with their masks, keypoints and classes.
        captions: Captions of an image.
        frames: Frames of a clip, where the data set does not fix their number: more are
            cut off at the end, fewer repeat the last one.
    """

    objects: int = 20
    captions: int = 5
    frames: int = 16


class Placement(NamedTuple):
    """Where the old image comes to lie: old pixels * scale + offset, (x, y)."""

    scale: np.ndarray
    offset: np.ndarray


def place(old, new, mode, at=(0.5, 0.5)):
    """Returns the `Placement` of an image of one size in one of another.

    Args:
        old: (height, width) of the record.
        new: (height, width) that is wanted.
        mode: "stretch" fills the new size whatever the aspect; "letterbox" keeps the
            aspect and leaves a black border; "crop" keeps the pixels: it cuts out a
            window of the new size, from an image that is first enlarged if smaller.
        at: (y, x) within 0..1, where the window or the image lies in its slack.

    Raises:
        ValueError: Unknown mode.
    """
    old_xy, new_xy = np.array(old[::-1], float), np.array(new[::-1], float)
    ratio = new_xy / old_xy
    if mode == "stretch":
        return Placement(ratio, np.zeros(2))
    if mode == "letterbox":
        scale = np.full(2, ratio.min())
    elif mode == "crop":
        scale = np.full(2, max(ratio.max(), 1.0))
    else:
        raise ValueError(f"fit mode {mode!r} is not one of {', '.join(MODES)}")
    # Whole pixels, so that labels are cut where the image is.
    size = np.round(old_xy * scale)
    return Placement(size / old_xy, np.round((new_xy - size) * np.array(at)[::-1]))


def fit(record, size, mode="stretch", at=(0.5, 0.5)):
    """Returns a record whose image, maps and coordinates are of another size.

    Images are resampled with an antialiased bilinear filter, label maps, depth and flow
    take the nearest pixel. Flow is scaled as the image is. Boxes are cut at the border;
    what lies outside stays as an empty slot.

    Args:
        record: {key: array} with "images" or "frames".
        size: (height, width).
        mode: See `place`.
        at: See `place`.
    """
    first = record["images"] if "images" in record else record["frames"][0]
    old = first.shape[:2]
    where = place(old, size, mode, at)
    if tuple(old) == tuple(size):
        return dict(record)
    fitted = {}
    for key, value in record.items():
        if key in _STACKED:
            shape = (len(value), *size, *value.shape[3:])
            fitted[key] = np.empty(shape, value.dtype)
            for i, plane in enumerate(value):
                fitted[key][i] = _resample(plane, size, where, key == "frames")
        elif key in _SMOOTH:
            fitted[key] = _resample(value, size, where, smooth=True)
            if key == "normals":
                length = np.linalg.norm(fitted[key], axis=-1, keepdims=True)
                fitted[key] /= np.maximum(length, 1e-6)
        elif key in _LABELS:
            fill = _EMPTY.get(key, 0)
            fitted[key] = _resample(value, size, where, smooth=False, fill=fill)
            if key == "disparity":
                fitted[key] = fitted[key] * np.float32(where.scale[0])
        elif key in _FLOWS:
            moved = _resample(value, size, where, smooth=False)
            fitted[key] = (moved * where.scale).astype(np.float32)
        elif key == "keypoints":
            fitted[key] = _move_keypoints(value, size, where)
        elif key != "boxes":
            fitted[key] = value
    if "flow" in record and "flow_valid" not in record and mode == "letterbox":
        whole = np.ones((*old, 1), np.uint8)  # there is no flow in the border
        fitted["flow_valid"] = _resample(whole, size, where, smooth=False)
    if "boxes" in record:
        fitted |= _move_boxes(record["boxes"], fitted, size, where)
    return fitted


def _resample(array, size, where, smooth, fill=0):
    """Resamples one map (h, w) or (h, w, c)."""
    planes = array[..., None] if array.ndim == 2 else array
    height, width = planes.shape[:2]
    new_width, new_height = np.round(where.scale * (width, height)).astype(int)
    if smooth:
        moved = _smooth(planes, (new_width, new_height))
    else:
        rows = ((np.arange(new_height) + 0.5) * height / new_height).astype(int)
        columns = ((np.arange(new_width) + 0.5) * width / new_width).astype(int)
        moved = planes[rows[:, None], columns]
    x, y = where.offset.astype(int)
    cut = moved[max(-y, 0) : size[0] - y, max(-x, 0) : size[1] - x]
    top, left = max(y, 0), max(x, 0)
    out = np.full((*size, planes.shape[2]), fill, array.dtype)
    out[top : top + cut.shape[0], left : left + cut.shape[1]] = cut
    return out[..., 0] if array.ndim == 2 else out


def _smooth(planes, size):
    """Pillow's antialiased bilinear filter for (h, w, c), uint8 or float32."""
    filter = Image.Resampling.BILINEAR
    if planes.dtype == np.uint8 and planes.shape[2] == 3:
        return np.asarray(Image.fromarray(planes).resize(size, filter))
    resized = [
        np.asarray(Image.fromarray(np.ascontiguousarray(plane)).resize(size, filter))
        for plane in np.moveaxis(planes, -1, 0)
    ]
    return np.stack(resized, axis=-1)


def _move_boxes(boxes, fitted, size, where):
    """The boxes and, where one has left the image, the class of an empty slot."""
    moved = boxes.reshape(-1, 2, 2) * where.scale + where.offset
    moved = np.clip(moved, 0, size[::-1]).reshape(-1, 4)
    gone = ~np.all(moved[:, 2:] > moved[:, :2], axis=1)
    moved[gone] = 0
    result = {"boxes": moved.astype(np.float32)}
    if "classes" in fitted:
        result["classes"] = np.where(gone, -1, fitted["classes"]).astype(np.int32)
    return result


def _move_keypoints(keypoints, size, where):
    """Keypoints that have left the image become unlabelled."""
    moved = keypoints.copy()
    moved[..., :2] = keypoints[..., :2] * where.scale + where.offset
    inside = np.all((moved[..., :2] >= 0) & (moved[..., :2] < size[::-1]), axis=-1)
    return np.where((inside & (moved[..., 2] > 0))[..., None], moved, 0)


def fill_slots(record, slots):
    """Returns a record whose objects and captions fill a fixed number of slots.

    Empty slots come last. Of too many objects the largest boxes stay, in their order,
    crowds after all others.
    """
    filled = dict(record)
    if "classes" in record:
        kept = np.flatnonzero(record["classes"] >= 0)
        if len(kept) > slots.objects:
            sizes = np.prod(record["boxes"][kept, 2:] - record["boxes"][kept, :2], 1)
            crowd = record.get("crowd", np.zeros(len(record["classes"])))[kept]
            order = np.lexsort((-sizes, crowd))[: slots.objects]
            kept = np.sort(kept[order])
        for key in ("boxes", "classes", "crowd", "masks", "keypoints"):
            if key in record:
                filled[key] = _pad(
                    record[key][kept], slots.objects, -(key == "classes")
                )
    if "captions" in record:
        texts = list(record["captions"])[: slots.captions]
        texts += [""] * (slots.captions - len(texts))
        filled["captions"] = np.array(texts, object)
    return filled


def fill_frames(frames, count):
    """Returns (count, h, w, 3) of the frames of a clip, see `Slots`."""
    return frames[np.minimum(np.arange(count), len(frames) - 1)]


def _pad(rows, count, value):
    padded = np.full((count, *rows.shape[1:]), value, rows.dtype)
    padded[: len(rows)] = rows
    return padded


def fitted_shape(key, shape, size, slots):
    """Returns the shape of a key after `fit` and `fill_slots`.

    Args:
        key: Name of the key.
        shape: Its shape in the data set, None for what varies.
        size: (height, width).
        slots: `Slots`.
    """
    if key in ("boxes", "classes", "crowd", "keypoints"):
        return (slots.objects, *shape[1:])
    if key == "masks":
        return (slots.objects, *size)
    if key == "captions":
        return (slots.captions,)
    if key == "frames":
        return (shape[0] or slots.frames, *size, 3)
    if key in (*_SMOOTH, *_LABELS, *_FLOWS):
        return (*size, *shape[2:])
    return shape
