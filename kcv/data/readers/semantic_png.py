"""Semantic segmentation as pairs of a picture and a PNG of class numbers."""

import pathlib

import numpy as np

from kcv.data.readers import pictures, record_keys
from kcv.data.readers.records import Records, check_bad, fingerprint

IGNORE = 255
_SPLITS = {"train": ("train",), "validation": ("val", "validation"), "test": ("test",)}


def open_split(
    path,
    split,
    *,
    class_names,
    images="images",
    masks="masks",
    ignore=(IGNORE,),
    max_bad_share=0.01,
):
    """Opens one split of a folder with images/train/NAME.jpg, masks/train/NAME.png.

    Args:
        path: The folder.
        split: "train", "validation" (val/ or validation/) or "test".
        class_names: Number i in a mask is `class_names[i]`.
        images: Folder of the pictures, relative to `path`.
        masks: Folder of the masks, likewise.
        ignore: Numbers in the masks that are not labelled.
        max_bad_share: Largest share of malformed records that is skipped.

    Returns:
        `Records`.

    Raises:
        FileNotFoundError: There is no such layout.
        ValueError: Unknown split, or too many malformed records.
    """
    if split not in _SPLITS:
        raise ValueError(f"split {split!r} is not one of {', '.join(_SPLITS)}")
    root = pathlib.Path(path)
    folders = [root / images / name for name in _SPLITS[split]]
    folder = next((folder for folder in folders if folder.is_dir()), None)
    if folder is None:
        raise FileNotFoundError(
            f"no {folders[0]}: put pictures into {images}/{split} and masks into"
            f" {masks}/{split}, or name the two folders by images= and masks="
        )
    table = np.full(256, -1)
    table[: len(class_names)] = np.arange(len(class_names))
    table[list(ignore)] = IGNORE
    pairs = [
        (
            file,
            (root / masks / folder.name / file.relative_to(folder)).with_suffix(".png"),
        )
        for file in list_pictures(folder)
    ]
    return open_pairs(folder, pairs, table, class_names, max_bad_share)


def list_pictures(folder):
    """Returns the sorted paths of all pictures in a folder and below it."""
    files = [file for file in folder.rglob("*") if not file.name.startswith(".")]
    return sorted(file for file in files if file.suffix.lower() in pictures.SUFFIXES)


def open_pairs(name, pairs, table, class_names, max_bad_share):
    """Makes records of pairs of files.

    Args:
        name: For messages.
        pairs: [(picture, mask)], paths.
        table: int (n,), the class of each number in a mask, `IGNORE`, or -1 where the
            number must not occur.
        class_names: Names of the classes.
        max_bad_share: Largest share of malformed records that is skipped.

    Returns:
        `Records`.

    Raises:
        ValueError: Too many malformed records, or none at all.
    """
    good, bad = good_pairs(pairs)
    check_bad(str(name), bad, len(pairs), max_bad_share)

    def read(index):
        picture, mask = good[index]
        image, labels = read_pair(picture, mask)
        return {
            "images": image,
            "semantic": pictures.map_labels(mask, labels, table),
            "image_id": picture.stem,
        }

    return Records(
        str(name),
        len(good),
        read,
        record_keys.select("images", "semantic", "image_id"),
        tuple(class_names),
        fingerprint([file for pair in good for file in pair], *class_names),
        tuple(bad),
        max_bad_share,
    )


def good_pairs(pairs):
    """Returns the pairs whose files are there and one line for each of the others."""
    good, bad = [], []
    for pair in pairs:
        problems = [(file, pictures.file_problem(file)) for file in pair]
        problems = [f"{file}: {problem}" for file, problem in problems if problem]
        if problems:
            bad.append(problems[0])
        else:
            good.append(pair)
    return good, bad


def read_pair(picture, mask):
    """Reads a picture and its mask of one size, uint8 (h, w, 3) and int32 (h, w).

    Raises:
        BadRecord: Damaged files or two sizes.
    """
    image = pictures.read_image(picture)
    labels = pictures.read_label_map(mask)
    if labels.shape != image.shape[:2]:
        # A picture that EXIF turns may have been annotated upright.
        labels = pictures.read_label_map(mask, image.shape[:2][::-1])
        image = pictures.read_image(picture, labels.shape)
    return image, labels
