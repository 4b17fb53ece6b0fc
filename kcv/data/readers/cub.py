"""CUB-200-2011: 200 birds with class, box, 15 parts and 312 attributes.

Wah, Branson, Welinder, Perona, Belongie, The Caltech-UCSD Birds-200-2011 dataset, 2011.
https://www.vision.caltech.edu/datasets/cub_200_2011

Boxes and parts are taken as they stand in the files, which do not say whether the first
pixel is 0 or 1.
"""

import pathlib

import numpy as np

from kcv.data.readers import box_rules, pictures, record_keys
from kcv.data.readers.records import BadRecord, Records, check_bad, fingerprint

_SPLITS = {"train": "1", "test": "0"}


def open_split(path, split, *, max_bad_share=0.01):
    """Opens the training or the test half.

    Args:
        path: CUB_200_2011, unpacked, or the folder that holds it.
        split: "train" or "test"; there is no validation split.
        max_bad_share: Largest share of malformed records that is skipped.

    Returns:
        `Records`: labels, boxes (1, 4), classes (1,), keypoints (1, 15, 3) with
        visibility 2 or 0, attributes (312,) of 1 and 0.

    Raises:
        FileNotFoundError: A table is missing.
        ValueError: Unknown split, a damaged table or too many malformed records.
    """
    if split not in _SPLITS:
        raise ValueError(
            f"split {split!r} is not one of train, test: CUB-200-2011 has no other"
        )
    root = _root(pathlib.Path(path))
    wanted = _SPLITS[split]
    halves = _table(root / "train_test_split.txt")
    files = {key: root / "images" / name for key, name in _table(root / "images.txt")}
    keys = [key for key, half in halves if half == wanted]
    names = [name.strip() for _, name in _table(root / "classes.txt")]
    labels = _labels(root / "image_class_labels.txt")
    boxes = dict(_table(root / "bounding_boxes.txt"))
    num_parts = len(_table(root / "parts" / "parts.txt"))
    parts = _parts(root / "parts" / "part_locs.txt", num_parts)
    attributes = _attributes(root, set(keys))
    bad, good = [], []
    for key in keys:
        problem = _problem(key, files, labels, boxes, parts, attributes, len(names))
        if problem:
            bad.append(f"{files.get(key, f'image {key}')}: {problem}")
        else:
            good.append(key)
    check_bad(f"{root} {split}", bad, len(keys), max_bad_share)

    def read(index):
        key = good[index]
        image = pictures.read_image(files[key])
        box, problems = box_rules.check_boxes(
            _corners(boxes[key]), image.shape[1], image.shape[0]
        )
        if problems:
            raise BadRecord(f"{files[key]}: {problems[0]}: mend bounding_boxes.txt")
        return {
            "images": image,
            "image_id": files[key].stem,
            "labels": np.array(labels[key], np.int32),
            "boxes": box,
            "classes": np.array([labels[key]], np.int32),
            "keypoints": parts[key][None],
            "attributes": attributes[key].astype(np.float32),
        }

    return Records(
        f"{root} {split}",
        len(good),
        read,
        record_keys.select(
            *("images", "image_id", "labels", "boxes", "classes"),
            *("keypoints", "attributes"),
            keypoints=num_parts,
            attributes=len(attribute_names(root)),
        ),
        tuple(names),
        fingerprint(
            [root / "bounding_boxes.txt", *(files[key] for key in good)], split
        ),
        tuple(bad),
        max_bad_share,
    )


def attribute_names(path):
    """Returns the names of the attributes, "has_bill_shape::curved_(up_or_down)"."""
    root = _root(pathlib.Path(path))
    # attributes.txt lies beside the folder in the archive of the authors.
    places = (root / "attributes" / "attributes.txt", root.parent / "attributes.txt")
    place = next((place for place in places if place.is_file()), places[0])
    return tuple(name for _, name in _table(place))


def class_attributes(path):
    """Returns the share of annotators who saw each attribute, float32 (200, 312)."""
    root = _root(pathlib.Path(path))
    file = root / "attributes" / "class_attribute_labels_continuous.txt"
    if not file.is_file():
        raise FileNotFoundError(f"no {file}: unpack CUB_200_2011.tgz again")
    return np.loadtxt(file, np.float32, ndmin=2) / 100


def _root(path):
    for folder in (path, path / "CUB_200_2011"):
        if (folder / "images.txt").is_file():
            return folder
    raise FileNotFoundError(f"no images.txt in {path}: path is CUB_200_2011, unpacked")


def _table(file):
    """Returns [(first word, the rest of the line)]."""
    if not file.is_file():
        raise FileNotFoundError(f"no {file}: unpack CUB_200_2011.tgz again")
    lines = file.read_text().splitlines()
    rows = [tuple(line.split(" ", 1)) for line in lines if line.strip()]
    wrong = next((n for n, row in enumerate(rows, 1) if len(row) < 2), None)
    if wrong:
        raise ValueError(f"{file}: line {wrong} has one word: unpack it again")
    return rows


def _labels(file):
    """Returns {image: class} of lines "image class", classes from 1."""
    rows = _table(file)
    if wrong := next((row for row in rows if not row[1].strip().isdecimal()), None):
        raise ValueError(f"{file}: {' '.join(wrong)!r} is no image and class: mend it")
    return {key: int(number) - 1 for key, number in rows}


def _parts(file, num_parts):
    """Returns {image: float32 (parts, 3)} of lines "image part x y visible"."""
    parts = {}
    for key, rest in _table(file):
        try:
            part, x, y, visible = map(float, rest.split())
            points = parts.setdefault(key, np.zeros((num_parts, 3), np.float32))
            points[int(part) - 1] = (x, y, 2) if visible else (0, 0, 0)
        except (ValueError, IndexError):
            raise ValueError(f"{file}: {key} {rest!r} is no part: mend it") from None
    return parts


def _attributes(root, keys):
    """Returns {image: uint8 (312,)} of lines "image attribute present certainty time".

    A few lines of the real file have further columns; the first three are what counts.
    """
    file = root / "attributes" / "image_attribute_labels.txt"
    if not file.is_file():
        raise FileNotFoundError(f"no {file}: unpack CUB_200_2011.tgz again")
    number = len(attribute_names(root))
    present = {key: np.zeros(number, np.uint8) for key in keys}
    seen = set()
    with open(file) as lines:
        for line in lines:
            try:
                key, attribute, value = line.split(None, 3)[:3]
                if key in present:
                    present[key][int(attribute) - 1] = value == "1"
                    seen.add(key)
            except (ValueError, IndexError):
                raise ValueError(
                    f"{file}: {line.strip()[:40]!r} is no attribute: mend it"
                ) from None
    return {key: present[key] for key in seen}


def _corners(text):
    x, y, width, height = map(float, text.split())
    return [x, y, x + width, y + height]


def _problem(key, files, labels, boxes, parts, attributes, num_classes):
    """Says what is wrong with an image by the tables, "" if nothing."""
    tables = {"images.txt": files, "image_class_labels.txt": labels}
    tables |= {"bounding_boxes.txt": boxes, "part_locs.txt": parts}
    tables["image_attribute_labels.txt"] = attributes
    if missing := [name for name, table in tables.items() if key not in table]:
        return f"image {key} is not in {missing[0]}: add it"
    if problem := pictures.file_problem(files[key]):
        return problem
    if not 0 <= labels[key] < num_classes:
        return f"class {labels[key] + 1} of {num_classes}: mend image_class_labels.txt"
    try:
        corners = _corners(boxes[key])
    except ValueError:
        return f"box {boxes[key]!r} is not x, y, width, height: mend bounding_boxes.txt"
    _, problems = box_rules.check_boxes(corners, np.inf, np.inf)
    return f"{problems[0]}: mend bounding_boxes.txt" if problems else ""
