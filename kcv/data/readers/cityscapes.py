"""Cityscapes: 19 classes and the instances of 8 of them, from gtFine's PNGs.

Cordts, Omran, Ramos, Rehfeld, Enzweiler, Benenson, Franke, Roth, Schiele, The
Cityscapes dataset for semantic urban scene understanding, 2016. The table is that of
cityscapesscripts/helpers/labels.py.
"""

import pathlib

import numpy as np

from kcv.data.readers import box_rules, record_keys, semantic_png
from kcv.data.readers.records import BadRecord, Records, check_bad, fingerprint

IGNORE = semantic_png.IGNORE
LABELS = (  # (name, trainId, has instances) of labelId 0, 1, 2, ...
    *(("unlabeled", 255, False), ("ego vehicle", 255, False)),
    *(("rectification border", 255, False), ("out of roi", 255, False)),
    *(("static", 255, False), ("dynamic", 255, False), ("ground", 255, False)),
    *(("road", 0, False), ("sidewalk", 1, False), ("parking", 255, False)),
    *(("rail track", 255, False), ("building", 2, False), ("wall", 3, False)),
    *(("fence", 4, False), ("guard rail", 255, False), ("bridge", 255, False)),
    *(("tunnel", 255, False), ("pole", 5, False), ("polegroup", 255, False)),
    *(("traffic light", 6, False), ("traffic sign", 7, False)),
    *(("vegetation", 8, False), ("terrain", 9, False), ("sky", 10, False)),
    *(("person", 11, True), ("rider", 12, True), ("car", 13, True)),
    *(("truck", 14, True), ("bus", 15, True), ("caravan", 255, True)),
    *(("trailer", 255, True), ("train", 16, True), ("motorcycle", 17, True)),
    ("bicycle", 18, True),
)
TRAIN_IDS = np.array([train_id for _, train_id, _ in LABELS])
CLASSES = tuple(name for name, train_id, _ in LABELS if train_id != IGNORE)
THINGS = tuple(name for name, train_id, many in LABELS if many and train_id != IGNORE)
_SPLITS = {"train": "train", "validation": "val", "test": "test"}


def open_split(path, split, *, task="segmentation", max_bad_share=0.01):
    """Opens one split of Cityscapes as it is unpacked.

    Args:
        path: Folder with leftImg8bit/ and gtFine/.
        split: "train", "validation" or "test" (its truth is all unlabelled).
        task: "segmentation" (19 classes, 255 is not counted) or "instances" (8
            classes; a group whose members are not told apart has crowd 1).
        max_bad_share: Largest share of malformed records that is skipped.

    Returns:
        `Records`.

    Raises:
        FileNotFoundError: There is no such layout.
        ValueError: Unknown task or split, or too many malformed records.
    """
    if task not in ("segmentation", "instances"):
        raise ValueError(f"task {task!r} is not one of segmentation, instances")
    if split not in _SPLITS:
        raise ValueError(f"split {split!r} is not one of {', '.join(_SPLITS)}")
    root = pathlib.Path(path)
    folder = root / "leftImg8bit" / _SPLITS[split]
    if not folder.is_dir():
        raise FileNotFoundError(
            f"no {folder}: path is the folder in which leftImg8bit_trainvaltest.zip and"
            " gtFine_trainvaltest.zip were unpacked"
        )
    kind = "labelIds" if task == "segmentation" else "instanceIds"
    pairs = [
        (file, _truth(root, file, kind))
        for file in semantic_png.list_pictures(folder)
        if file.stem.endswith("_leftImg8bit")
    ]
    if task == "segmentation":
        return semantic_png.open_pairs(folder, pairs, TRAIN_IDS, CLASSES, max_bad_share)
    good, bad = semantic_png.good_pairs(pairs)
    check_bad(str(folder), bad, len(pairs), max_bad_share)
    return Records(
        str(folder),
        len(good),
        lambda index: _read_instances(*good[index]),
        record_keys.select("images", "image_id", "boxes", "classes", "crowd", "masks"),
        THINGS,
        fingerprint([file for pair in good for file in pair], task),
        tuple(bad),
        max_bad_share,
    )


def _truth(root, file, kind):
    """Returns the path of the mask of a picture, in the folder of its city."""
    stem = file.stem.removesuffix("_leftImg8bit")
    split, city = file.parts[-3:-1]
    return root / "gtFine" / split / city / f"{stem}_gtFine_{kind}.png"


def _read_instances(picture, mask):
    """Instance 1000 * labelId + n is one thing; a bare labelId is a group of things."""
    image, numbers = semantic_png.read_pair(picture, mask)
    masks, classes, crowd = [], [], []
    for number in np.unique(numbers).tolist():
        label = number // 1000 if number >= 1000 else number
        if not 0 <= label < len(LABELS):
            raise BadRecord(f"{mask}: number {number} is no instance of Cityscapes")
        if LABELS[label][0] in THINGS:
            masks.append(numbers == number)
            classes.append(THINGS.index(LABELS[label][0]))
            crowd.append(number < 1000)
    masks = np.array(masks, np.uint8).reshape(-1, *numbers.shape)
    return {
        "images": image,
        "image_id": picture.stem.removesuffix("_leftImg8bit"),
        "boxes": box_rules.boxes_of_masks(masks),
        "classes": np.array(classes, np.int32),
        "crowd": np.array(crowd, np.uint8),
        "masks": masks,
    }
