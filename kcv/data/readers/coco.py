"""COCO: boxes, masks, keypoints of persons and captions from JSON files.

Lin, Maire, Belongie, Hays, Perona, Ramanan, Dollar, Zitnick, Microsoft COCO: common
objects in context, 2014. https://cocodataset.org/#format-data

An image with one malformed annotation is left out as a whole: without that annotation
its object would be taught as background. Annotations refer to the pixels as they are
stored, see kcv.data.readers.pictures. Keypoints are numbers of pixels in the file and
half a pixel more in a record; take it off again for COCO's own evaluation.
"""

import os
import pathlib

import numpy as np

from kcv.data.readers import coco_tables, pictures, record_keys
from kcv.data.readers.records import Records, check_bad, fingerprint

KEYPOINTS = (
    *("nose", "left_eye", "right_eye", "left_ear", "right_ear"),
    *("left_shoulder", "right_shoulder", "left_elbow", "right_elbow"),
    *("left_wrist", "right_wrist", "left_hip", "right_hip"),
    *("left_knee", "right_knee", "left_ankle", "right_ankle"),
)
MIRRORED_KEYPOINTS = (0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15)
_SPLITS = {"train": ("train",), "validation": ("val", "valid"), "test": ("test",)}
_FILES = {
    "detection": "instances",
    "instances": "instances",
    "keypoints": "person_keypoints",
    "captions": "captions",
}
_KEYS = {
    "detection": ("boxes", "classes", "crowd"),
    "instances": ("boxes", "classes", "crowd", "masks"),
    "keypoints": ("boxes", "classes", "crowd", "keypoints"),
    "captions": ("captions",),
}


def open_split(
    path,
    split,
    *,
    task="detection",
    annotations=None,
    images=None,
    max_bad_share=0.01,
    orientation="stored",
):
    """Opens one split of COCO or of a data set in its format.

    Args:
        path: Folder with annotations/instances_train2017.json and train2017/, or with
            train/_annotations.coco.json and the pictures beside it.
        split: "train", "validation" or "test".
        task: "detection", "instances" (with masks), "keypoints" or "captions"; the last
            two leave images without annotations out.
        annotations: The JSON file, relative to `path`, for any other layout.
        images: The folder of the pictures, relative to `path`, likewise.
        max_bad_share: Largest share of malformed records that is skipped.
        orientation: "stored" or "upright" pixels, where the sizes leave it open.

    Returns:
        `Records`; class i has the i-th smallest category id.

    Raises:
        FileNotFoundError: The annotations or the folder of pictures are missing.
        ValueError: Unknown task, bad JSON or too many malformed records.
    """
    if task not in _KEYS:
        raise ValueError(f"task {task!r} is not one of {', '.join(_KEYS)}")
    annotations, images = _locate(pathlib.Path(path), split, task, annotations, images)
    tables = coco_tables.read(annotations, task)
    files = [os.path.join(images, name) for name in tables.names]
    bad, good = [], []
    only_annotated = tables.rows and task in ("keypoints", "captions")
    for index, file in enumerate(files):
        problem = pictures.file_problem(file) or "; ".join(
            tables.problems.get(index, ())[:3]
        )
        if problem:
            bad.append(f"{tables.names[index]}: {problem}")
        elif index in tables.rows or not only_annotated:
            good.append(index)
    name = f"{annotations} with {images}"
    bad = tuple(bad + tables.strays)
    check_bad(name, bad, len(good) + len(bad), max_bad_share, "images")

    def read(index):
        return _read(tables, good[index], files[good[index]], task, orientation)

    shown = [files[index] for index in good]
    return Records(
        str(annotations),
        len(good),
        read,
        record_keys.select(
            *("images", "image_id", *_KEYS[task]), keypoints=tables.keypoints.shape[1]
        ),
        tables.class_names,
        fingerprint([annotations, *shown], task),
        bad,
        max_bad_share,
    )


def _locate(root, split, task, annotations, images):
    """Returns the annotation file and the folder of pictures of a split."""
    if split not in _SPLITS:
        raise ValueError(f"split {split!r} is not one of {', '.join(_SPLITS)}")
    places = []
    for name in _SPLITS[split]:
        for year in ("2017", "2014", ""):
            stem = "image_info" if split == "test" and year else _FILES[task]
            file = root / "annotations" / f"{stem}_{name}{year}.json"
            places.append((file, root / f"{name}{year}"))
            places.append((file, root / "images" / f"{name}{year}"))
        places.append((root / name / "_annotations.coco.json", root / name))
    if annotations is not None:
        file = root / annotations
        places = [(file, folder) for _, folder in places] + [(file, file.parent)]
    if images is not None:
        places = [(file, root / images) for file, _ in places]
    found = [(file, folder) for file, folder in places if file.is_file()]
    if not found:
        tried = [os.path.relpath(file, root) for file, _ in places]
        raise FileNotFoundError(
            f"no annotations in {root}: looked for {', '.join(dict.fromkeys(tried))};"
            " name the file by annotations="
        )
    for file, folder in found:
        if folder.is_dir():
            return file, folder
    raise FileNotFoundError(
        f"no pictures of {found[0][0]}: {found[0][1]} is no folder; name it by images="
    )


def _read(tables, index, file, task, orientation):
    """Reads the picture and gathers the truth of one image."""
    height, width = tables.sizes[index].tolist()
    rows = tables.rows.get(index, np.zeros(0, np.int64))
    record = {
        "images": pictures.read_image(file, (height, width), orientation),
        "image_id": str(tables.ids[index]),
    }
    if task == "captions":
        record["captions"] = np.array([tables.captions[row] for row in rows], np.str_)
        return record
    record["boxes"] = tables.boxes[rows]
    record["classes"] = tables.classes[rows]
    record["crowd"] = tables.crowd[rows]
    if task == "keypoints":
        record["keypoints"] = tables.keypoints[rows]
    if task == "instances":
        masks = [tables.segments.mask(row, height, width) for row in rows.tolist()]
        record["masks"] = np.array(masks, np.uint8).reshape(-1, height, width)
    return record
