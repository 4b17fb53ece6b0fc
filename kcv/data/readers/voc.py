"""Pascal VOC: boxes from XML files, classes and objects from palette PNGs.

Everingham, Van Gool, Williams, Winn, Zisserman, The Pascal visual object classes
challenge, 2010. http://host.robots.ox.ac.uk/pascal/VOC/voc2012/htmldoc/devkit_doc.html

Boxes in the files are 1-based and include the last pixel: x1 - 1, y1 - 1, x2, y2 are
the continuous ones. Difficult objects get crowd 1: they count neither for nor against.
"""

import math
import pathlib
import xml.etree.ElementTree

import numpy as np

from kcv.data.readers import box_rules, pictures, record_keys
from kcv.data.readers.records import BadRecord, Records, check_bad, fingerprint

CLASSES = (
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair"),
    *("cow", "diningtable", "dog", "horse", "motorbike", "person", "pottedplant"),
    *("sheep", "sofa", "train", "tvmonitor"),
)
VOID = 255  # contours, and objects that nobody could name
_SPLITS = {"train": "train", "validation": "val", "test": "test"}
_SIDES = ("xmin", "ymin", "xmax", "ymax")
_KEYS = {
    "detection": ("boxes", "classes", "crowd"),
    "segmentation": ("semantic",),
    "instances": ("boxes", "classes", "crowd", "masks"),
}


def open_split(
    path,
    split,
    *,
    task="detection",
    year="2012",
    class_names=CLASSES,
    list_name=None,
    max_bad_share=0.01,
):
    """Opens one split of Pascal VOC or of a data set in its layout.

    Args:
        path: VOCdevkit, VOCdevkit/VOC2012, or any folder with Annotations/ and
            JPEGImages/; without ImageSets/Main/train.txt all files are one split.
        split: "train", "validation" or "test".
        task: "detection", "segmentation" (class 0 is the background) or "instances".
        year: Of the folder in VOCdevkit.
        class_names: Names in the XML files, in the order of the numbers in the PNGs.
        list_name: Another list than that of `split`: "trainval", "train_aug".
        max_bad_share: Largest share of malformed records that is skipped.

    Returns:
        `Records`.

    Raises:
        FileNotFoundError: There is no such layout.
        ValueError: Unknown task or split, or too many malformed records.
    """
    if task not in _KEYS:
        raise ValueError(f"task {task!r} is not one of {', '.join(_KEYS)}")
    if split not in _SPLITS:
        raise ValueError(f"split {split!r} is not one of {', '.join(_SPLITS)}")
    root = _root(pathlib.Path(path), year)
    names = _names(root, task, list_name or _SPLITS[split])
    class_of = {name: number for number, name in enumerate(class_names)}
    pictures_of = {file.stem: file for file in (root / "JPEGImages").iterdir()}
    good, bad, truths, files = [], [], [], []
    for name in names:
        try:
            picture = pictures_of.get(name, root / "JPEGImages" / f"{name}.jpg")
            if problem := pictures.file_problem(picture):
                raise BadRecord(f"{picture}: {problem}")
            if task == "detection":
                truth = read_xml(root / "Annotations" / f"{name}.xml", class_of)
                files.append(root / "Annotations" / f"{name}.xml")
            else:
                truth = _masks_of(root, name, task)
                files += truth
        except BadRecord as error:
            bad.append(str(error))
            continue
        good.append(name)
        truths.append(truth)
    check_bad(str(root), bad, len(names), max_bad_share)

    def read(index):
        file = pictures_of[good[index]]
        read_truth = {
            "detection": _read_detection,
            "segmentation": _read_segmentation,
            "instances": _read_instances,
        }[task]
        record = read_truth(file, truths[index], len(class_names))
        return {**record, "image_id": good[index]}

    return Records(
        f"{root} {list_name or split}",
        len(good),
        read,
        record_keys.select("images", "image_id", *_KEYS[task]),
        (*(("background",) if task == "segmentation" else ()), *class_names),
        fingerprint([pictures_of[name] for name in good] + files, task),
        tuple(bad),
        max_bad_share,
    )


def _root(path, year):
    """Returns the folder that holds JPEGImages."""
    candidates = (path, path / f"VOC{year}", path / "VOCdevkit" / f"VOC{year}")
    for folder in candidates:
        if (folder / "JPEGImages").is_dir():
            return folder
    raise FileNotFoundError(
        f"no JPEGImages in {', '.join(map(str, candidates))}: path is VOCdevkit or the"
        " folder of a year in it"
    )


def _names(root, task, list_name):
    """Returns the names of the records of a split, without suffix."""
    kind = "Main" if task == "detection" else "Segmentation"
    file = root / "ImageSets" / kind / f"{list_name}.txt"
    if not (root / "ImageSets").is_dir() and list_name == "train":
        return sorted(file.stem for file in (root / "Annotations").glob("*.xml"))
    if not file.is_file():
        raise FileNotFoundError(f"no list {file}: write one name a line, no suffix")
    # Lists of one class have a second column, 1 or -1.
    return [line.split()[0] for line in file.read_text().splitlines() if line.strip()]


def read_xml(path, class_of):
    """Reads and checks one annotation.

    Args:
        path: The XML file.
        class_of: {name: class}.

    Returns:
        boxes, float32 (n, 4); classes, int32 (n,); difficult, uint8 (n,); (height,
        width), or None where the file says none.

    Raises:
        BadRecord: Missing, damaged or malformed.
    """
    try:
        root = xml.etree.ElementTree.parse(path).getroot()
    except FileNotFoundError:
        raise BadRecord(f"{path}: no such file: copy it, or mend the list") from None
    except (xml.etree.ElementTree.ParseError, ValueError) as error:
        raise BadRecord(f"{path}: bad XML ({error}): export it again") from None
    size = tuple(_number(path, root, f"size/{side}", 0) for side in ("height", "width"))
    size = tuple(map(int, size)) if all(size) else None
    boxes, classes, difficult = [], [], []
    for thing in root.iterfind("object"):  # not of its parts: head, hand, foot
        name = (thing.findtext("name") or "").strip()
        if name not in class_of:
            raise BadRecord(
                f"{path}: unknown class {name!r}: mend it or state class_names"
            )
        box = thing.find("bndbox")
        if box is None:
            raise BadRecord(f"{path}: {name!r} without bndbox: draw it again")
        x1, y1, x2, y2 = (_number(path, box, side) for side in _SIDES)
        boxes.append((x1 - 1, y1 - 1, x2, y2))
        classes.append(class_of[name])
        difficult.append(_number(path, thing, "difficult", 0) != 0)
    limits = size or (np.inf, np.inf)
    boxes, problems = box_rules.check_boxes(boxes, limits[1], limits[0])
    if problems:
        raise BadRecord(f"{path}: {problems[min(problems)]}: draw it again")
    classes, difficult = np.array(classes, np.int32), np.array(difficult, np.uint8)
    return boxes, classes, difficult, size


def _number(path, element, tag, default=None):
    text = element.findtext(tag)
    if text is None and default is not None:
        return default
    try:
        value = float(text)
    except (TypeError, ValueError):
        value = math.nan
    if not math.isfinite(value):
        raise BadRecord(
            f"{path}: {tag} is {text!r}, not a number: mend it or export it again"
        )
    return value


def _masks_of(root, name, task):
    """Returns the files of the masks of a record: class, and object for instances."""
    folders = ("SegmentationClass", "SegmentationObject")
    masks = [root / folder / f"{name}.png" for folder in folders]
    masks = masks[: 1 if task == "segmentation" else 2]
    for file in masks:
        if not file.is_file():
            raise BadRecord(f"{file}: no such file: copy it, or mend the list")
    return masks


def _read_detection(file, truth, num_classes):
    boxes, classes, difficult, size = truth
    image = pictures.read_image(file, size)
    if size is None:
        boxes, problems = box_rules.check_boxes(boxes, image.shape[1], image.shape[0])
        if problems:
            raise BadRecord(f"{file}: {problems[min(problems)]}: draw it again")
    return {"images": image, "boxes": boxes, "classes": classes, "crowd": difficult}


def _label_maps(file, masks, num_classes):
    """Reads picture, class map with void checked against the table, object map."""
    first = pictures.read_label_map(masks[0])
    image = pictures.read_image(file, first.shape)
    table = np.full(256, -1)
    table[: num_classes + 1] = np.arange(num_classes + 1)
    table[VOID] = VOID
    maps = [pictures.map_labels(masks[0], first, table)]
    maps += [pictures.read_label_map(mask, first.shape) for mask in masks[1:]]
    return image, *maps


def _read_segmentation(file, masks, num_classes):
    image, semantic = _label_maps(file, masks, num_classes)
    return {"images": image, "semantic": semantic}


def _read_instances(file, masks, num_classes):
    """Objects are numbered from 1; the class of each is that of most of its pixels."""
    image, semantic, objects = _label_maps(file, masks, num_classes)
    numbers = np.setdiff1d(objects, (0, VOID))
    shapes = (objects == numbers[:, None, None]).astype(np.uint8)
    named = np.where(semantic == VOID, 0, semantic)
    classes = [np.bincount(named[shape > 0]).argmax() - 1 for shape in shapes]
    if -1 in classes:
        number = numbers[classes.index(-1)]
        raise BadRecord(f"{masks[1]}: object {number} has no class in {masks[0]}: mend")
    return {
        "images": image,
        "boxes": box_rules.boxes_of_masks(shapes),
        "classes": np.array(classes, np.int32),
        "crowd": np.zeros(len(shapes), np.uint8),
        "masks": shapes,
    }
