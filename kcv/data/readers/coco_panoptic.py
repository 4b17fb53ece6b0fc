"""COCO panoptic segmentation: every pixel one segment, of a thing or of stuff.

Kirillov, He, Girshick, Rother, Dollar, Panoptic segmentation, 2019. Segment numbers are
red + 256 green + 256^2 blue of a PNG; the JSON says the class of each.
"""

import os
import pathlib

import numpy as np

from kcv.data.readers import box_rules, json_lists, pictures, record_keys
from kcv.data.readers.records import BadRecord, Records, check_bad, fingerprint

IGNORE = 255
_SPLITS = {"train": "train2017", "validation": "val2017"}


def open_split(path, split, *, annotations=None, images=None, max_bad_share=0.01):
    """Opens one split of COCO panoptic.

    Args:
        path: Folder with annotations/panoptic_train2017.json, the PNGs in
            annotations/panoptic_train2017/ and the pictures in train2017/.
        split: "train" or "validation".
        annotations: The JSON file, relative to `path`, for any other layout; the PNGs
            lie in the folder of its name.
        images: The folder of the pictures, relative to `path`, likewise.
        max_bad_share: Largest share of malformed records that is skipped.

    Returns:
        `Records`: semantic has a class for every pixel, 255 where there is no segment;
        boxes, classes, crowd and masks are those of the things. Classes are numbered by
        all category ids in order, things and stuff.

    Raises:
        FileNotFoundError: The annotations or one of the folders are missing.
        ValueError: Unknown split, bad JSON or too many malformed records.
    """
    if split not in _SPLITS:
        raise ValueError(f"split {split!r} is not one of {', '.join(_SPLITS)}")
    root = pathlib.Path(path)
    name = annotations or f"annotations/panoptic_{_SPLITS[split]}.json"
    file = root / name
    folders = (root / (images or _SPLITS[split]), file.with_suffix(""))
    names, rows, categories = {}, [], []

    def add_image(item):
        names.setdefault(item.get("id"), []).append(item.get("file_name"))

    handlers = {"images": add_image, "annotations": rows.append}
    try:
        json_lists.read_object(file, {**handlers, "categories": categories.append})
        categories = sorted(
            (c["id"], c["name"], bool(c["isthing"])) for c in categories
        )
    except (KeyError, TypeError, AttributeError):
        raise ValueError(
            f"{file}: no panoptic file: its images need id, its categories id, name and"
            " isthing"
        ) from None
    for folder in folders:
        if not folder.is_dir():
            raise FileNotFoundError(f"no folder {folder}: unpack the archive there")
    class_of = {key: (n, is_thing) for n, (key, _, is_thing) in enumerate(categories)}
    good, bad = [], []
    for row in rows:
        try:
            good.append(_checked(row, names, class_of, folders))
        except BadRecord as error:
            bad.append(str(error))
    check_bad(str(file), bad, len(rows), max_bad_share, "images")
    return Records(
        str(file),
        len(good),
        lambda index: _read(*good[index]),
        record_keys.select(
            *("images", "image_id", "semantic"), *("boxes", "classes", "crowd", "masks")
        ),
        tuple(str(name) for _, name, _ in categories),
        fingerprint([file, *(place for row in good for place in row[1:3])]),
        tuple(bad),
        max_bad_share,
    )


def _checked(row, names, class_of, folders):
    """Returns (image id, picture, PNG, {segment: (class, is thing, crowd)})."""
    try:
        key, png = row["image_id"], os.path.join(folders[1], row["file_name"])
        crowds = [
            (s["id"], s["category_id"], s["iscrowd"]) for s in row["segments_info"]
        ]
        segments = {int(n): (*class_of[c], int(bool(crowd))) for n, c, crowd in crowds}
        pictures_of_key = names.get(key, [])
    except KeyError as error:
        raise BadRecord(
            f"{str(row)[:60]}: {error} is missing or no category: mend"
        ) from None
    except (TypeError, ValueError, OverflowError):
        raise BadRecord(f"{str(row)[:60]}: no panoptic annotation: mend") from None
    if len(pictures_of_key) != 1 or len(segments) != len(crowds):
        raise BadRecord(
            f"{row['file_name']}: image id {key!r} is {len(pictures_of_key)} times in"
            f" images, {len(crowds)} segments have {len(segments)} numbers: mend"
        )
    picture = os.path.join(folders[0], str(pictures_of_key[0]))
    for file in (picture, png):
        if problem := pictures.file_problem(file):
            raise BadRecord(f"{file}: {problem}")
    return str(key), picture, png, segments


def _read(key, picture, png, segments):
    colours = pictures.read_colours(png).astype(np.int32)
    numbers = colours @ np.array([1, 256, 256**2], np.int32)
    image = pictures.read_image(picture, numbers.shape)
    found, where = np.unique(numbers, return_inverse=True)
    if unknown := set(found.tolist()) - {0} - set(segments):
        raise BadRecord(f"{png}: segment {min(unknown)} is not in the JSON: mend")
    classes = [segments[n][0] if n else IGNORE for n in found.tolist()]
    semantic = np.array(classes, np.int32)[where].reshape(numbers.shape)
    things = [n for n in segments if segments[n][1] and n in found]
    masks = np.array([numbers == n for n in things], np.uint8)
    masks = masks.reshape(-1, *numbers.shape)
    return {
        "images": image,
        "image_id": key,
        "semantic": semantic,
        "boxes": box_rules.boxes_of_masks(masks),
        "classes": np.array([segments[n][0] for n in things], np.int32),
        "crowd": np.array([segments[n][2] for n in things], np.uint8),
        "masks": masks,
    }
