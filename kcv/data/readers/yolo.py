"""YOLO: one text file a picture, a line an object, in shares of width and height.

https://docs.ultralytics.com/datasets/detect. A line is "class cx cy w h", "class x1 y1
x2 y2 ..." (a polygon of at least three points) or, with kpt_shape in data.yaml, "class
cx cy w h" and k times "x y" or "x y visibility". A picture without a file has no
objects. Labels refer to the picture turned upright by its EXIF orientation.
"""

import math
import os
import pathlib

import numpy as np
import yaml

from kcv.data.readers import box_rules, pictures, record_keys, rle
from kcv.data.readers.records import BadRecord, Records, check_bad, fingerprint

_SPLITS = {"train": ("train",), "validation": ("val", "valid"), "test": ("test",)}
_SURELY_OUTSIDE = 1 / 32  # a pixel of the smallest pictures; exactly known when read
_KEYS = {
    "detection": ("boxes", "classes"),
    "instances": ("boxes", "classes", "masks"),
    "keypoints": ("boxes", "classes", "keypoints"),
}


def open_split(path, split, *, task="detection", class_names=None, max_bad_share=0.01):
    """Opens one split of a data set in YOLO's format.

    Args:
        path: data.yaml, or a folder with it; or with `class_names` (or classes.txt) a
            folder with images/train and labels/train, or train/images and
            train/labels.
        split: "train", "validation" or "test".
        task: "detection" (of polygons the boxes around), "instances" or "keypoints".
        class_names: In the order of their numbers, where there is no data.yaml.
        max_bad_share: Largest share of malformed records that is skipped.

    Returns:
        `Records`.

    Raises:
        FileNotFoundError: There is no such layout.
        ValueError: Unknown task or split, bad data.yaml, too many malformed records.
    """
    if task not in _KEYS:
        raise ValueError(f"task {task!r} is not one of {', '.join(_KEYS)}")
    if split not in _SPLITS:
        raise ValueError(f"split {split!r} is not one of {', '.join(_SPLITS)}")
    config, root = _config(pathlib.Path(path), class_names)
    names = _class_names(config, path)
    points = _keypoint_shape(config, path)
    if task == "keypoints" and not points:
        raise ValueError(f"{path}: no kpt_shape, as [17, 3], in data.yaml: add it")
    images = _images(config, root, split)
    bad, good, objects, texts = [], [], [], []
    for file in images:
        labels = label_file(file)
        try:
            if problem := pictures.file_problem(file):
                raise BadRecord(f"{file}: {problem}")
            lines = read_lines(labels, len(names), points)
        except BadRecord as error:
            bad.append(str(error))
            continue
        good.append(file)
        objects.append(lines)
        texts += [labels] if os.path.isfile(labels) else []
    check_bad(str(path), bad, len(images), max_bad_share)

    def read(index):
        return _read(good[index], objects[index], task, points)

    return Records(
        f"{path} {split}",
        len(good),
        read,
        record_keys.select(
            "images", "image_id", *_KEYS[task], keypoints=points[0] if points else None
        ),
        names,
        fingerprint(good + texts, task, *names),
        tuple(bad),
        max_bad_share,
    )


def _config(path, class_names):
    """Returns data.yaml, or what stands for it, and the folder of the data set."""
    if not path.exists():
        raise FileNotFoundError(f"no {path}: path is data.yaml or its folder")
    files = [path] if path.is_file() else sorted(path.glob("*.y*ml"))
    if len(files) == 1 and class_names is None:
        try:
            config = yaml.safe_load(files[0].read_text())
        except yaml.YAMLError as error:
            reason = " ".join(str(error).split())
            raise ValueError(f"{files[0]}: bad YAML: {reason}: mend it") from None
        if not isinstance(config, dict):
            raise ValueError(f"{files[0]}: no YAML of names, train and val: mend it")
        root = files[0].parent
        # Ultralytics looks below its own data folder; what is there counts here.
        stated = root / str(config.get("path") or ".")
        return config, stated if stated.is_dir() else root
    root = path.parent if path.is_file() else path
    names = class_names
    if names is None and (root / "classes.txt").is_file():
        names = (root / "classes.txt").read_text().split("\n")
        names = [name.strip() for name in names if name.strip()]
    if names is None:
        raise ValueError(
            f"{path}: {len(files)} .yaml files and no classes.txt: name data.yaml"
            " itself or give class_names"
        )
    return {"names": list(names)}, root


def _class_names(config, path):
    names = config.get("names")
    if isinstance(names, dict):
        if sorted(names) != list(range(len(names))):
            raise ValueError(f"{path}: names are not numbered 0, 1, 2, ...: mend it")
        names = [names[number] for number in range(len(names))]
    if not isinstance(names, list) or not names:
        raise ValueError(f"{path}: no list of names: add it")
    if config.get("nc", len(names)) != len(names):
        raise ValueError(f"{path}: nc is {config['nc']} of {len(names)} names: mend it")
    return tuple(map(str, names))


def _keypoint_shape(config, path):
    """Returns (keypoints, 2 or 3), or None."""
    shape = config.get("kpt_shape")
    if shape is None:
        return None
    if not isinstance(shape, list) or len(shape) != 2 or shape[1] not in (2, 3):
        raise ValueError(f"{path}: kpt_shape {shape} is not like [17, 3]: mend it")
    return tuple(shape)


def _images(config, root, split):
    """Returns the pictures of a split: of a folder, a list of files, or of several."""
    names = _SPLITS[split]
    stated = next((config[name] for name in names if config.get(name)), None)
    if stated is None:
        stated = [p for n in names for p in (f"images/{n}", f"{n}/images")]
        stated = [place for place in stated if (root / place).is_dir()][:1]
    files = []
    for place in stated if isinstance(stated, list) else [stated]:
        # Roboflow writes ../train/images for what lies beside data.yaml.
        places = [root / place, root / str(place).removeprefix("../")]
        found = next((place for place in places if place.exists()), None)
        if found is None:
            raise FileNotFoundError(f"no {places[0]} for {split}: mend data.yaml")
        if found.is_dir():
            inside = (
                file for file in found.rglob("*") if not file.name.startswith(".")
            )
            files += [f for f in inside if f.suffix.lower() in pictures.SUFFIXES]
        else:
            lines = filter(None, map(str.strip, found.read_text().splitlines()))
            files += [found.parent / line for line in lines]
    if not files:
        raise FileNotFoundError(
            f"no pictures for {split} in {root}: put them into images/{names[0]} and"
            f" their .txt files into labels/{names[0]}"
        )
    return sorted(map(str, files))


def label_file(image):
    """Returns the path of the labels of a picture: the last /images/ is /labels/."""
    head, images, tail = str(image).rpartition(f"{os.sep}images{os.sep}")
    stem = f"{head}{os.sep}labels{os.sep}{tail}" if images else tail
    return os.path.splitext(stem)[0] + ".txt"


def read_lines(path, num_classes, points=None):
    """Reads and checks the objects of a picture.

    Args:
        path: The text file; none is a picture without objects.
        num_classes: Number of classes.
        points: (keypoints, 2 or 3) of a pose data set.

    Returns:
        [(class, x1, y1, x2, y2 in shares, polygon or keypoints (n, 2 or 3) or None)].

    Raises:
        BadRecord: A malformed line.
    """
    try:
        with open(path, encoding="utf-8") as file:
            lines = file.read().splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return []
    except UnicodeDecodeError:
        raise BadRecord(f"{path}: not a text file: export it again") from None
    objects, numbers = [], []
    for number, line in enumerate(lines, 1):
        if words := line.split():
            try:
                objects.append(_object(words, num_classes, points))
            except ValueError as error:
                raise BadRecord(f"{path}, line {number}: {error}") from None
            numbers.append(number)
    boxes = [box for _, box, _ in objects]
    _, problems = box_rules.check_boxes(boxes, 1, 1, _SURELY_OUTSIDE)
    for index, problem in problems.items():
        hint = ", as if in pixels" if max(boxes[index]) > 2 else ""
        raise BadRecord(
            f"{path}, line {numbers[index]}: {problem}{hint}: give shares of width and"
            " height"
        )
    return objects


def _object(words, num_classes, points):
    values = [_number(word) for word in words]
    if not (values[0] == int(values[0]) and 0 <= values[0] < num_classes):
        raise ValueError(f"class {values[0]:g} of {num_classes}: mend it or the names")
    with_points = 5 + points[0] * points[1] if points else 5
    is_polygon = not points and len(values) >= 7 and len(values) % 2
    if len(values) not in (5, with_points) and not is_polygon:
        raise ValueError(
            f"{len(values)} numbers: expected class cx cy w h, or class and at least 3"
            " points of a polygon, or as kpt_shape says"
        )
    if is_polygon:
        x, y = values[1::2], values[2::2]
        box = (min(x), min(y), max(x), max(y))
        return int(values[0]), box, np.reshape(values[1:], (-1, 2))
    x, y, width, height = values[1:5]
    box = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    extra = np.reshape(values[5:], points) if len(values) > 5 else None
    return int(values[0]), box, extra


def _number(word):
    try:
        value = float(word)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"{word[:40]!r} is no number: mend it")
    return value


def _read(file, objects, task, points):
    """Reads the picture and puts its objects into pixels."""
    image = pictures.read_image(file, orientation="upright")
    height, width = image.shape[:2]
    boxes = [box for _, box, _ in objects]
    boxes = np.reshape(boxes, (-1, 4)) * (width, height, width, height)
    boxes, problems = box_rules.check_boxes(boxes, width, height)
    if problems:
        raise BadRecord(f"{label_file(file)}: {problems[min(problems)]}: draw it again")
    record = {
        "images": image,
        "image_id": os.path.basename(file),
        "boxes": boxes,
        "classes": np.array([number for number, _, _ in objects], np.int32),
    }
    if task == "instances":
        record["masks"] = np.zeros((len(objects), height, width), np.uint8)
        for mask, (_, _, polygon) in zip(record["masks"], objects):
            if polygon is None:
                raise BadRecord(
                    f"{label_file(file)}: a box where a polygon belongs: draw it, or"
                    " read with task='detection'"
                )
            outline = polygon * (width, height)
            mask[:] = rle.decode([outline.ravel().tolist()], height, width)
    if task == "keypoints":
        record["keypoints"] = _keypoints(objects, points, width, height)
    return record


def _keypoints(objects, points, width, height):
    keypoints = np.zeros((len(objects), points[0], 3), np.float32)
    for row, (_, _, extra) in zip(keypoints, objects):
        if extra is not None:
            row[:, :2] = extra[:, :2] * (width, height)
            # Without a visibility of its own a point at (0, 0) is not labelled.
            known = extra[:, 2] if points[1] == 3 else 2 * extra[:, :2].any(1)
            row[:, 2] = known
            row[known == 0] = 0
    return keypoints
