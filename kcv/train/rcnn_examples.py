"""A detection set in memory: images of their own sizes with their objects."""

from typing import NamedTuple

import numpy as np

from kcv.data import objects


class Examples(NamedTuple):
    """The images of a split, in memory, with their objects; lists are by image.

    Parameters:
        images: list of uint8 (h, w, 3).
        boxes: list of float32 (m, 4), x1, y1, x2, y2 in pixels.
        classes: list of int32 (m,).
        crowd: list of bool (m,): crowds and objects too difficult to count.
        class_names: class i is `class_names[i]`.
        fingerprint: of the data.
    """

    images: list
    boxes: list
    classes: list
    crowd: list
    class_names: tuple
    fingerprint: str


def read(name: str, split: str, seed: int = 0, **options) -> Examples:
    """Reads one split of a detection set.

    Args:
        name: as for `kcv.data.objects.open_split`.
        split: "train", "validation" or "test".
        seed: as for `objects.open_split`.
        **options: likewise.

    Raises:
        ValueError: the set has no boxes.
    """
    source = objects.open_split(name, split, seed=seed, **options)
    keys = ("images", "boxes", "classes", "crowd")
    found = {key: [] for key in keys}
    rows = source.elements(None).map(
        lambda row: {k: v for k, v in source.decode(row).items() if k in keys}
    )
    for record in rows.as_numpy_iterator():
        image = record["images"]
        found["images"].append(np.broadcast_to(image, (*image.shape[:2], 3)))
        found["boxes"].append(record["boxes"].astype("float32"))
        found["classes"].append(record["classes"].astype("int32"))
        crowd = record.get("crowd", np.zeros(len(record["classes"])))
        found["crowd"].append(crowd > 0)
    return Examples(
        *(found[key] for key in keys), source.class_names, source.fingerprint
    )


def chosen(examples: Examples, places) -> Examples:
    """Some of the images, in the order of places, int (k,)."""
    lists = [[column[place] for place in places] for column in examples[:4]]
    return Examples(*lists, *examples[4:])
