"""Pictures for scripts that look at some of them: by number, or without labels."""

import hashlib
import os
import pathlib

import numpy as np
import tensorflow as tf
from PIL import Image

from kcv.data import folder, sources, survey
from kcv.edge import preprocess

UNLABELLED = -1


def is_flat(path):
    """Whether a folder holds pictures and no folders: there are no classes in it."""
    root = pathlib.Path(path)
    if not root.is_dir():
        return False
    visible = [entry for entry in root.iterdir() if not entry.name.startswith(".")]
    return bool(_pictures(root)) and not any(entry.is_dir() for entry in visible)


def open_folder(path, max_bad_share=0.05):
    """Opens a folder of pictures, without classes, as a `kcv.data.Source`.

    Args:
        path: The folder.
        max_bad_share: Largest share of unreadable files that is skipped with a warning.

    Raises:
        ValueError: Too many of its files are unreadable.
    """
    root = pathlib.Path(path)
    files = {}
    for file in _pictures(root):
        status = file.stat()
        files[file.name] = (status.st_size, status.st_mtime_ns)
    findings = survey.look_at_all(root, files, max_bad_share)
    good = [name for name in files if not findings[name].error]
    if not good:
        raise ValueError(f"not one picture in {path} can be read")
    told = repr([(name, files[name][0]) for name in good])
    records = {
        "paths": [os.fsencode(root / name) for name in good],
        "labels": np.full(len(good), UNLABELLED, np.int32),
    }
    fingerprint = hashlib.sha256(told.encode(errors="surrogateescape")).hexdigest()
    return sources.source_in_memory(str(path), records, _decode, (), fingerprint)


def some(source, rows):
    """Returns decoded records of rows in natural order: "images" uint8, "labels".

    Raises:
        ValueError: The records have no image.
    """
    if source.keys and "images" not in source.keys:
        raise ValueError(
            f"{source.name} has no images: its records have {', '.join(source.keys)}"
        )
    if source.records is not None:
        records = [sources.record_at(source.records, int(row)) for row in rows]
    else:  # a stream is passed through up to the last of them
        wanted = dict.fromkeys(int(row) for row in rows)
        for at, record in enumerate(source.elements(None).take(max(wanted) + 1)):
            if at in wanted:
                wanted[at] = record
        records = [wanted[int(row)] for row in rows]
    return [source.decode(record) for record in records]


def with_labels(source, rows):
    """Returns [Pillow image], [class name or None] of rows, and all class names."""
    decoded = some(source, rows)
    images = [_to_pillow(np.asarray(record["images"])) for record in decoded]
    labels = [int(record.get("labels", UNLABELLED)) for record in decoded]
    names = [None if at == UNLABELLED else source.class_names[at] for at in labels]
    return images, names, list(source.class_names)


def files_at(path, max_bad_share=0.05):
    """Returns the paths of the pictures in a folder, or the path of a file itself.

    Raises:
        ValueError: The folder has none, or too many are unreadable.
    """
    root = pathlib.Path(path)
    if not root.is_dir():
        return [path]
    if not _pictures(root):
        raise ValueError(
            f"--images={path} has no pictures: looked for {', '.join(folder.SUFFIXES)}"
        )
    return paths_of(open_folder(root, max_bad_share))


def read(path):
    """Returns a file as a Pillow image, upright, in colour; ValueError names it."""
    return preprocess.open_image(path)


def paths_of(source):
    """Returns the paths of the files in natural order; [] where there are no files."""
    if source.records is None or "paths" not in source.records:
        return []
    return [os.fsdecode(path) for path in source.records["paths"].numpy()]


def _pictures(root):
    return sorted(
        path
        for path in root.iterdir()
        if path.suffix.lower() in folder.SUFFIXES
        and path.is_file()
        and not path.name.startswith(".")
    )


def _to_pillow(pixels):
    return Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)


def _decode(record, size=None):
    def decode(path):
        path = os.fsdecode(np.asarray(path).item())  # bytes in a graph, else an array
        return np.asarray(preprocess.open_image(path))

    image = tf.numpy_function(decode, [record["paths"]], tf.uint8)
    image.set_shape((None, None, 3))
    return {"images": image, "labels": record["labels"]}
