"""The tables of a COCO JSON file in compact columns, with what is wrong in them.

The format: https://cocodataset.org/#format-data. Nothing is assumed of the order of the
lists, of the category ids (they have gaps) or of the kind of ids (numbers or text).
"""

import array
import collections
from typing import NamedTuple

import numpy as np

from kcv.data.readers import box_rules, json_lists, rle

DETECTION, INSTANCES, KEYPOINTS, CAPTIONS = TASKS = (
    *("detection", "instances", "keypoints", "captions"),
)
_ID = int | float | str


class Tables(NamedTuple):
    """What a file holds, column by column.

    Parameters:
        ids: Image ids, as in the file.
        names: File names of the images.
        sizes: int64 (images, 2), height and width.
        rows: {image index: annotation indices}, those that are well-formed.
        boxes: float32 (annotations, 4), x1, y1, x2, y2, clipped to the image.
        classes: int32 (annotations,), contiguous.
        crowd: uint8 (annotations,).
        segments: `rle.Segments`, one an annotation.
        keypoints: float32 (annotations, keypoints, 3).
        captions: Text of each annotation.
        class_names: In the order of the category ids.
        problems: {image index: [what is wrong]}.
        strays: One line for each thing wrong that belongs to no image.
    """

    ids: list
    names: list
    sizes: np.ndarray
    rows: dict
    boxes: np.ndarray
    classes: np.ndarray
    crowd: np.ndarray
    segments: rle.Segments
    keypoints: np.ndarray
    captions: list
    class_names: tuple
    problems: dict
    strays: list


def read(path, task):
    """Reads and checks a file.

    The text is in memory once, and of an annotation what the task needs: in all less
    than three times the size of the file.

    Args:
        path: The JSON file.
        task: One of `TASKS`.

    Returns:
        `Tables`.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: Bad JSON, or no COCO file of this task.
    """
    reading = _Reading(task)
    handlers = {
        "images": reading.add_image,
        "annotations": reading.add_annotation,
        "categories": reading.categories.append,
    }
    found = set(json_lists.read_object(path, handlers))
    if not reading.names and not reading.strays:
        raise ValueError(
            f"{path}: no images in it, only {sorted(found) or 'nothing'}: this is no"
            " COCO annotation file"
        )
    return reading.tables(path)


class _Reading:
    """Takes the items of the lists one by one, in any order of the lists."""

    def __init__(self, task):
        self.task = task
        self.ids, self.names, self.sizes = [], [], array.array("q")
        self.owners, self.category_ids = [], []
        self.boxes, self.crowd = array.array("d"), bytearray()
        self.segments, self.keypoints, self.captions = rle.Segments(), [], []
        self.labels, self.wrong = [], {}
        self.categories, self.strays = [], []

    def add_image(self, item):
        item = item if isinstance(item, dict) else {}
        name, key = item.get("file_name"), item.get("id")
        if not isinstance(name, str) or not name or not isinstance(key, _ID):
            number = len(self.names) + len(self.strays)
            self.strays.append(f"images[{number}] without file_name or id")
            return
        self.ids.append(key)
        self.names.append(name)
        for length in (item.get("height"), item.get("width")):
            whole = rle.are_numbers([length]) and length == int(length)
            self.sizes.append(int(length) if whole and 0 < length < 1e6 else 0)

    def add_annotation(self, item):
        number = len(self.owners)
        item = item if isinstance(item, dict) else {}
        owner, category = item.get("image_id"), item.get("category_id")
        self.owners.append(owner if isinstance(owner, _ID) else None)
        self.labels.append(item.get("id", f"number {number}"))
        self.category_ids.append(category if isinstance(category, _ID) else None)
        self.crowd.append(1 if item.get("iscrowd") else 0)
        if self.task == CAPTIONS:
            caption = item.get("caption")
            self.captions.append(caption)
            wrong = not isinstance(caption, str) or not caption.strip()
            problem = "no caption" if wrong else ""
        else:
            problem = self._add_box(item.get("bbox"))
        if self.task == INSTANCES:
            problem = self.segments.add(item.get("segmentation")) or problem
        if self.task == KEYPOINTS:
            self.keypoints.append(array.array("f"))
            problem = self._add_keypoints(item.get("keypoints", [])) or problem
        if problem:
            self.wrong[number] = problem

    def _add_box(self, box):
        good = isinstance(box, list) and len(box) == 4 and rle.are_numbers(box)
        x, y, width, height = box if good else (0, 0, 1, 1)
        self.boxes.extend((x, y, x + width, y + height))
        return "" if good else f"bbox {str(box)[:40]} is not [x, y, width, height]"

    def _add_keypoints(self, values):
        if not isinstance(values, list) or not rle.are_numbers(values):
            return "keypoints that are not numbers"
        if not set(values[2::3]) <= {0, 1, 2}:
            return "keypoints with a visibility other than 0, 1 and 2"
        self.keypoints[-1].extend(values)
        return ""

    def tables(self, path):
        names, class_of, count = _categories(path, self.categories, self.task)
        index_of, problems = self._image_problems()
        sizes = np.array(self.sizes, np.int64).reshape(-1, 2)
        owners = np.array([index_of.get(key, -1) for key in self.owners], np.int64)
        classes = np.array([class_of.get(c, -1) for c in self.category_ids], np.int32)
        boxes = np.zeros((len(owners), 4), np.float32)
        if self.task != CAPTIONS:
            heights, widths = sizes[owners].T if len(sizes) else (1, 1)
            boxes, wrong = box_rules.check_boxes(self.boxes, widths, heights)
            self.wrong = {**wrong, **self.wrong}
            for row in np.flatnonzero(classes < 0).tolist():
                self.wrong[row] = (
                    f"category {self.category_ids[row]} is not in the file"
                )
        for row, runs in self.segments.sizes().items():
            if owners[row] >= 0 and runs != sizes[owners[row]].tolist():
                self.wrong[row] = (
                    f"run lengths of size {runs} for an image of"
                    f" {sizes[owners[row]].tolist()} (height, width)"
                )
        keypoints = self._keypoints_array(count)
        strays = self.strays + self._strays(owners)
        for row, problem in sorted(self.wrong.items()):
            if owners[row] >= 0:
                line = f"annotation {self.labels[row]}: {problem}"
                problems[int(owners[row])].append(line)
        return Tables(
            self.ids,
            self.names,
            sizes,
            _rows(owners),
            boxes,
            classes,
            np.frombuffer(self.crowd, np.uint8),
            self.segments,
            keypoints,
            self.captions,
            names,
            problems,
            strays,
        )

    def _image_problems(self):
        """Returns {image id: index} and {index: [what is wrong with the image]}."""
        problems = collections.defaultdict(list)
        index_of = {}
        for index, key in enumerate(self.ids):
            first = index_of.setdefault(key, index)
            if first != index:
                for one, other in ((first, index), (index, first)):
                    problems[one].append(f"shares id {key!r} with {self.names[other]}")
            if 0 in self.sizes[2 * index : 2 * index + 2]:
                problems[index].append("no width and height in whole pixels")
        return index_of, problems

    def _strays(self, owners):
        """Returns a line for each image id that has annotations but no image."""
        unknown = collections.Counter(
            self.owners[row] for row in np.flatnonzero(owners < 0).tolist()
        )
        return [
            f"image id {key!r} of {number} annotations is not in images"
            if key is not None
            else f"{number} annotations without image_id"
            for key, number in unknown.items()
        ]

    def _keypoints_array(self, count):
        keypoints = np.zeros((len(self.keypoints), count, 3), np.float32)
        for row, values in enumerate(self.keypoints):
            if len(values) == 3 * count:
                keypoints[row] = np.reshape(values, (count, 3))
            elif len(values):
                points = f"{len(values) / 3:g} keypoints, but its category has {count}"
                self.wrong.setdefault(row, points)
        # Numbers of pixels, whose middles are half a pixel further.
        keypoints[..., :2] += 0.5
        return np.where(keypoints[..., 2:] > 0, keypoints, 0)


def _rows(owners):
    """Returns {image index: annotation indices in the order of the file}."""
    order = np.argsort(owners, kind="stable")
    indices, starts = np.unique(owners[order], return_index=True)
    parts = np.split(order, starts[1:])
    return {i: rows for i, rows in zip(indices.tolist(), parts) if i >= 0}


def _categories(path, categories, task):
    """Returns the names in order of ids, {id: class} and the number of keypoints."""
    if task == CAPTIONS:
        return (), {}, 0
    try:
        named = sorted((item["id"], str(item["name"])) for item in categories)
        class_of = {key: number for number, (key, _) in enumerate(named)}
    except (KeyError, TypeError):
        raise ValueError(
            f"{path}: a category without id or name: add both to 'categories'"
        ) from None
    if not named:
        raise ValueError(f"{path}: no categories: add the list 'categories'")
    if len(class_of) < len(named):
        raise ValueError(f"{path}: two categories have one id: give each its own")
    points = [item.get("keypoints") for item in categories]
    counts = {len(names) for names in points if isinstance(names, list) and names}
    if task == KEYPOINTS and len(counts) != 1:
        raise ValueError(
            f"{path}: keypoint names of {sorted(counts)} points in its categories:"
            " all must have the same number; or read it with task='detection'"
        )
    return tuple(name for _, name in named), class_of, max(counts, default=0)
