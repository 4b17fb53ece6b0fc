"""What a drawn scene knows beside its picture: boxes, masks, keypoints, maps.

All list the things of a scene in its order.

    boxes       float32 (n, 4), of what is visible; 0 where all is hidden
    full_boxes  float32 (n, 4), of the whole thing, also beyond the image
    classes     int32 (n,), indices into `scene.CLASSES`
    visibility  float32 (n,), visible share of the whole thing's area
    masks       uint8 (n, h, w), 1 where visible
    instance    int32 (h, w), index of the thing, -1 for the background
    semantic    int32 (h, w), 1 + class, 0 for the background
    keypoints   float32 (people, 14, 3), with parts int32 (h, w), 1 + index into
                `figures.PARTS`, 0 for none
    depth       float32 (h, w, 1)
    normals     float32 (h, w, 3), x right, y down, z towards the camera
    albedo      float32 (h, w, 3), with shading, specular and linear
"""

import numpy as np

from kcv.data.scenes import figures, surfaces
from kcv.data.scenes.scene import JOINTS, PERSON, to_image

_NEAR = 1.0  # pixels; see `visible_box`


def collect(scene, want, canvas, extents):
    """Returns the wanted truths from the buffers of a drawn scene.

    Args:
        scene: `scene.Scene`.
        want: Names.
        canvas: Buffers of `render`.
        extents: {index of a thing: its whole extent (x1, y1, x2, y2)}.
    """
    instance = canvas["instance"]
    record = {}
    if "instance" in want:
        record["instance"] = instance
    if "boxes" in want:
        record |= _boxes(scene, instance, extents)
    if "masks" in want:
        numbers = np.arange(len(scene.things), dtype=np.int32)[:, None, None]
        record["masks"] = (instance == numbers).view(np.uint8)
    if "semantic" in want:
        labels = np.array([thing.category + 1 for thing in scene.things] + [0])
        record["semantic"] = labels.astype(np.int32)[instance]  # -1 is the last
    if "keypoints" in want:
        record["keypoints"] = _keypoints(scene, instance, canvas["parts"])
        record["parts"] = canvas["parts"]
    if "depth" in want:
        record["depth"] = canvas["depth"][..., None]
    if "normals" in want:
        record["normals"] = canvas["normals"]
    if "albedo" in want:
        record |= _intrinsic(canvas)
    return record


def _boxes(scene, instance, extents):
    count = len(scene.things)
    boxes = np.zeros((count, 4), np.float32)
    visibility = np.zeros(count, np.float32)
    for i, thing in enumerate(scene.things):
        boxes[i], pixels = visible_box(instance, i, extents[i])
        visibility[i] = min(pixels / surfaces.area(thing), 1) if pixels else 0
    full = np.array([extents[i] for i in range(count)], np.float32).reshape(count, 4)
    classes = np.array([thing.category for thing in scene.things], np.int32)
    return {
        "boxes": boxes,
        "full_boxes": full,
        "classes": classes,
        "visibility": visibility,
    }


def visible_box(instance, i, extent):
    """Returns the box of what is visible of a thing and its number of pixels.

    A side where the thing itself ends is that of its outline; a side where another
    thing or the border of the image cuts it off is that of the last visible pixel.

    Args:
        instance: int (h, w).
        i: Number of the thing.
        extent: (x1, y1, x2, y2) of the whole thing.
    """
    height, width = instance.shape
    x1, y1, x2, y2 = extent
    left, top = max(int(x1), 0), max(int(y1), 0)
    right, bottom = max(int(x2) + 1, 0), max(int(y2) + 1, 0)
    mask = instance[top:bottom, left:right] == i
    columns = np.logical_or.reduce(mask, axis=0).nonzero()[0]
    if not len(columns):
        return (0.0, 0.0, 0.0, 0.0), 0
    rows = np.logical_or.reduce(mask, axis=1).nonzero()[0]
    seen = (
        left + int(columns[0]),
        top + int(rows[0]),
        left + int(columns[-1]) + 1,
        top + int(rows[-1]) + 1,
    )
    limits = (width, height, width, height)
    box = [
        min(max(whole, 0.0), limit) if abs(whole - side) <= _NEAR else float(side)
        for side, whole, limit in zip(seen, extent, limits)
    ]
    return box, int(np.count_nonzero(mask))


def _keypoints(scene, instance, parts):
    people = [i for i, t in enumerate(scene.things) if t.category == PERSON]
    keypoints = np.zeros((len(people), len(JOINTS), 3), np.float32)
    for row, i in enumerate(people):
        thing = scene.things[i]
        order = [
            {capsule.part + 1 for capsule in layer} for layer in surfaces.layers(thing)
        ]
        for j, (x, y) in enumerate(to_image(thing, thing.joints)):
            if 0 <= x < scene.width and 0 <= y < scene.height:
                seen = int(instance[int(y), int(x)]), int(parts[int(y), int(x)])
                hidden = _hides(scene, i, j, order, *seen)
                keypoints[row, j] = x, y, 1 if hidden else 2
    return keypoints


def _hides(scene, i, joint, order, other, part):
    """Whether what is seen at the place of a joint of person i is in front of it."""
    if other == i:
        layer = max(k for k, labels in enumerate(order) if part in labels)
        own = [k for k, labels in enumerate(order) if labels & figures.PARTS_OF[joint]]
        return layer > max(own)
    if other < 0:
        return False
    mine, its = scene.things[i].depth, scene.things[other].depth
    return its < mine or (its == mine and other > i)


def _intrinsic(canvas):
    shading, specular, linear = (
        np.moveaxis(canvas[name], 0, -1) for name in ("shading", "specular", "linear")
    )
    specular = np.repeat(specular, 3, axis=-1)
    # What an edge pixel reflects of the light that it receives.
    albedo = (linear - specular) / shading
    return {
        "albedo": albedo,
        "shading": shading,
        "specular": specular,
        "linear": np.ascontiguousarray(linear),
    }
