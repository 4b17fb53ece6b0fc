"""A folder of class folders: JPEG, PNG, BMP, GIF and WebP pictures of any kind."""

import hashlib
import os
import pathlib

import numpy as np
import tensorflow as tf
from absl import logging
from PIL import Image

from kcv.data import jpeg, preprocess, sources, survey

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".webp")
_SPLIT_FOLDERS = {
    "train": ("train",),
    "validation": ("validation", "val"),
    "test": ("test",),
}
_TENTHS = {"validation": 8, "test": 9}  # the others are for training


def open_split(path, split, seed=0, max_bad_share=0.05, cache_dir=None):
    """Opens one split of a folder of class folders.

    If PATH holds train/ and nothing beside but validation/ (or val/) and test/, these
    are the splits. What is missing is cut off train/: a tenth each for validation and
    test, by a hash of the relative path, as from a folder without these.

    Args:
        path: The folder. Its visible sub-folders, sorted by name, are the classes;
            images may lie deeper.
        split: "train", "validation" or "test".
        seed: Changes which files the hash takes for validation and test.
        max_bad_share: Largest share of unreadable files that is skipped with a warning.
        cache_dir: Where findings are kept, by default ~/.cache/kcv.

    Returns:
        A `Source`.

    Raises:
        FileNotFoundError: There is no such folder.
        ValueError: The folder is no data set, or too many of its files are unreadable.
    """
    root = pathlib.Path(path)
    if not root.is_dir():
        raise FileNotFoundError(
            f"no folder {path!r}: data is a folder of class folders, 'digits' or"
            " 'tfds:NAME'"
        )
    parts = _split_folders(root)
    listing = {part: _list_images(folder) for part, folder in parts.items()}
    class_names = _class_names(root, parts, listing)
    files = {
        _relative(parts[part] / name, root): (size, time)
        for part, images in listing.items()
        for name, size, time in images
    }
    findings = survey.look_at_all(root, files, max_bad_share, cache_dir)

    part = split if split in parts else "train"
    records = {"paths": [], "labels": [], "decoders": [], "sizes": []}
    labels = {name: label for label, name in enumerate(class_names)}
    digest = hashlib.sha256(repr(class_names).encode(errors="surrogateescape"))
    for name, size, _ in listing[part]:
        file = parts[part] / name
        finding = findings[_relative(file, root)]
        if finding.error or (part == "train" and _cut(name, seed, parts) != split):
            continue
        records["paths"].append(os.fsencode(file))
        records["labels"].append(labels[_class_of(name)])
        records["decoders"].append(finding.decoder)
        records["sizes"].append((finding.height, finding.width))
        digest.update(f"{name}\0{size}\n".encode(errors="surrogateescape"))
    if not records["paths"]:
        raise ValueError(
            f"no images for {split} in {path}: it is too small to be cut by hash; make"
            f" {root / 'train'}, {root / 'validation'} and {root / 'test'}"
        )
    records["labels"] = np.array(records["labels"], np.int32)
    records["sizes"] = np.array(records["sizes"], np.int32)
    decoders, which = np.unique(records["decoders"], return_inverse=True)
    records["decoders"] = which.astype(np.int32)
    return sources.source_in_memory(
        str(path),
        records,
        lambda record, size=None: _decode(record, size, decoders.tolist()),
        class_names,
        digest.hexdigest(),
    )


def _split_folders(root):
    """Returns {split: folder} if the folder is split already, else {"train": root}."""
    names = {entry.name for entry in _folders(root)}
    known = {name: split for split, all in _SPLIT_FOLDERS.items() for name in all}
    if "train" not in names or not names <= set(known):
        return {"train": root}
    if {"validation", "val"} <= names:
        raise ValueError(f"{root} has both validation and val: keep one of them")
    return {known[name]: root / name for name in sorted(names)}


def _folders(folder):
    entries = [entry for entry in os.scandir(folder) if not entry.name.startswith(".")]
    return sorted((entry for entry in entries if entry.is_dir()), key=lambda e: e.name)


def _list_images(folder):
    """Returns [(path relative to folder, bytes, mtime in ns)] in sorted order."""
    images = []
    for class_folder in _folders(folder):
        for parent, folders, files in os.walk(class_folder.path):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(files):
                if name.startswith(".") or not name.lower().endswith(SUFFIXES):
                    continue
                file = os.path.join(parent, name)
                if os.path.isfile(file):  # no dangling link, no pipe
                    status = os.stat(file)
                    name = _relative(file, folder)
                    images.append((name, status.st_size, status.st_mtime_ns))
    return images


def _class_of(name):
    return name.split("/", 1)[0]


def _class_names(root, parts, listing):
    """Returns the sorted names of the class folders with images, or what is wrong."""
    folders = [entry.name for entry in _folders(parts["train"])]
    if not folders:
        raise ValueError(
            f"no class folders in {parts['train']}: put the images of each class into a"
            " folder of its own, PATH/CLASS/IMAGE.jpg"
        )
    names = sorted({_class_of(name) for name, _, _ in listing["train"]})
    if not names:
        raise ValueError(
            f"no images in the class folders of {parts['train']}: looked for"
            f" {', '.join(SUFFIXES)}"
        )
    if empty := sorted(set(folders) - set(names)):
        logging.warning("%s: class folders without images, ignored: %s", root, empty)
    if len(names) == 1:
        raise ValueError(
            f"only one class, {names[0]!r}, in {parts['train']}: a classifier needs"
            " images of at least two, each in a folder of its own"
        )
    for part, images in listing.items():
        if unknown := sorted({_class_of(name) for name, _, _ in images} - set(names)):
            raise ValueError(
                f"{parts[part]} has the class {unknown[0]!r} that {parts['train']}"
                " lacks: add images to train or remove the folder"
            )
    return names


def _relative(file, folder):
    return pathlib.PurePath(file).relative_to(folder).as_posix()


def _cut(name, seed, parts):
    """Returns the split that a file of the training folder goes to."""
    tenth = int.from_bytes(
        hashlib.sha256(os.fsencode(f"{seed}/{name}")).digest()[:8], "big"
    )
    for split, number in _TENTHS.items():
        if tenth % 10 == number and split not in parts:
            return split
    return "train"


def _decode(record, size, decoders):
    """Decodes one file to {"images": uint8 (h, w, 3), "labels": int32 ()}."""
    path = record["paths"]
    branches = {
        survey.PILLOW: lambda: _decode_with_pillow(path, size),
        survey.JPEG: lambda: jpeg.decode(tf.io.read_file(path), record["sizes"], size),
        survey.PNG: lambda: tf.io.decode_png(tf.io.read_file(path), channels=3),
    }
    branches = [branches[decoder] for decoder in decoders]
    image = tf.switch_case(record["decoders"], branches)
    image.set_shape((None, None, 3))
    return {"images": image, "labels": record["labels"]}


def _decode_with_pillow(path, size):
    def decode(path, size):
        path = os.fsdecode(np.asarray(path).item())  # bytes in a graph, else an array
        with Image.open(path, formats=survey.FORMATS) as image:
            if size.any() and image.format in ("JPEG", "MPO"):
                side = int(size.max())  # EXIF may turn it
                image.draft("L" if image.mode == "L" else "RGB", (side, side))
            return np.array(preprocess.pillow_upright(image).convert("RGB"))

    wanted = tf.zeros(2, tf.int32) if size is None else tf.cast(size, tf.int32)
    return tf.numpy_function(decode, [path, wanted], tf.uint8)
