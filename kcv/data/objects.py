"""Detection sets: pictures with the boxes and classes of everything in them.

Masks and keypoints take time to read and to move; who needs them asks for them.
"""

import numpy as np
import tensorflow as tf

from kcv.data import fit, sources, structured

ALWAYS = ("images", "boxes", "classes")
WHERE_KNOWN = ("crowd",)
SLOTS = 20
_WITH = {
    "boxes": "a set of detection, such as 'scenes/detection', 'coco:PATH', 'voc:PATH' "
    "or 'yolo:PATH'",
    "masks": "a set that has them, such as 'scenes/detection', or 'coco:PATH' with "
    "--options=task=instances",
    "keypoints": "a set that has them, such as 'scenes/pose', or 'coco:PATH' with "
    "--options=task=keypoints",
}


def open_split(name, split, seed=0, keys=(), **options):
    """Opens one split of a detection set.

    Args:
        name: "scenes/detection" or another setting of that view, "FORMAT:PATH" or
            "tfds:NAME" of `kcv.data.source`.
        split: "train", "validation" or "test".
        seed: As for `kcv.data.source`.
        keys: What is needed beyond ALWAYS: "masks", "keypoints".
        **options: Of `kcv.data.source`. `count` of scenes is that of the training
            split.

    Returns:
        `Source` whose records have ALWAYS, `keys` and, where the set knows it, "crowd".

    Raises:
        ValueError: The set has not all of these.
    """
    if name.startswith("scenes/") and split != "train":
        options.pop("count", None)
    source = sources.source(name, split, seed=seed, **options)
    return with_keys(source, keys)


def with_keys(source, keys=()):
    """Returns a `Source` of which no more is read than is needed.

    Args:
        source: `Source`.
        keys: What is needed beyond ALWAYS.

    Raises:
        ValueError: It has not all of these.
    """
    needed = (*ALWAYS, *keys)
    missing = [key for key in needed if key not in (source.keys or {})]
    if missing:
        given = _WITH.get(missing[0], _WITH["boxes"])
        raise ValueError(f"{source.name} has no {missing[0]}: give {given}")
    kept = {k: v for k, v in source.keys.items() if k in (*needed, *WHERE_KNOWN)}
    return source._replace(keys=kept)


def batches(source, batch_size, image_shape, pixel_range, slots=SLOTS, **options):
    """Makes the batches of one epoch.

    Args:
        source: From `open_split`.
        batch_size: As for `structured_batches`.
        image_shape: Likewise.
        pixel_range: Likewise.
        slots: Objects in a picture; of more, the smallest are left out.
        **options: Of `structured_batches`.

    Returns:
        `tf.data.Dataset` of {"images": float32 (b, h, w, c), "boxes": float32 (b,
        slots, 4), x1, y1, x2, y2 in pixels of these images, "classes": int32 (b,
        slots), -1 where a slot is empty, "crowd": uint8 (b, slots), ...}.

    Raises:
        ValueError: A class is none of the set's: once it is read.
    """
    data = structured.structured_batches(
        source,
        batch_size,
        image_shape,
        pixel_range,
        slots=fit.Slots(objects=slots),
        **options,
    )
    count = len(source.class_names)
    return data.map(lambda batch: _complete(batch, count, source.name))


def sizes(source, image_size):
    """Widths and heights of all boxes of a split, once stretched to a size.

    Args:
        source: From `open_split`.
        image_size: (height, width) of the model's images, pixels.

    Returns:
        float64 (n, 2), pixels; crowds and boxes without area are left out.
    """
    found = []
    for row in source.elements(None).map(source.decode).as_numpy_iterator():
        height, width = row["images"].shape[:2]
        counts = (row["classes"] >= 0) & (row.get("crowd", 0) == 0)
        sides = row["boxes"][counts][:, 2:] - row["boxes"][counts][:, :2]
        found.append(sides * (image_size[1] / width, image_size[0] / height))
    found = np.concatenate(found) if found else np.zeros((0, 2))
    return found[(found > 0).all(axis=1)]


def _complete(batch, count, name):
    highest = tf.reduce_max(batch["classes"])
    known = tf.debugging.assert_less(
        highest, count, f"{name} has a class that is none of its {count} names"
    )
    with tf.control_dependencies([known]):
        classes = tf.identity(batch["classes"])
    return {"crowd": tf.zeros_like(classes, tf.uint8), **batch, "classes": classes}
