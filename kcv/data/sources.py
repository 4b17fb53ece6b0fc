"""What a data set is: records in a reproducible order and how to decode one."""

import importlib
import inspect
import os
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

SPLITS = ("train", "validation", "test")
FORMATS = {  # prefix of a name: module and function in kcv.data.readers
    "imagenet": "imagenet.open_split",
    "voc": "voc.open_split",
    "coco": "coco.open_split",
    "coco_panoptic": "coco_panoptic.open_split",
    "yolo": "yolo.open_split",
    "cityscapes": "cityscapes.open_split",
    "ade20k": "ade20k.open_split",
    "masks": "semantic_png.open_split",
    "cub": "cub.open_split",
    "mpii": "mpii.open_split",
    "flying_chairs": "flying.open_chairs",
    "flying_things": "flying.open_things",
    "sintel": "sintel.open_split",
    "kitti_flow": "kitti.open_flow",
    "kitti_stereo": "kitti.open_stereo",
    "kitti_depth": "kitti.open_depth",
    "middlebury": "middlebury.open_split",
    "videos": "video_folder.open_folder",
    "ucf101": "video_lists.open_ucf101",
    "hmdb51": "video_lists.open_hmdb51",
    "kinetics": "video_folder.open_kinetics",
    "vqa": "vqa.open_split",
    "clevr": "clevr.open_split",
    "gqa": "gqa.open_split",
    "movieqa": "movieqa.open_split",
}


class Source(NamedTuple):
    """One split of a data set.

    Parameters:
        name: What the user asked for, `"digits"`, `"tfds:cifar10"` or a path.
        elements: `elements(seed)` gives the records as a `tf.data.Dataset`, shuffled by
            `seed`, in their natural order for `None`.
        decode: `decode(record, size=None)` gives `{"images": uint8 (h, w, c), "labels":
            int32 ()}`. With `size` (two ints or an int tensor, the pixels that will be
            used) the image may come smaller than stored, but no smaller than `size`.
        num_examples: Number of records.
        class_names: Label i is `class_names[i]`.
        fingerprint: SHA-256 (hex) of content or listing, for the results.
        records: Tensors with one row a record where the set has random access, else
            None: then the data set is a stream.
        cache: Decoded images by size, filled by `batches`; belongs to this object.
        keys: {key: (shape, dtype)} of what `decode` gives where that is more than an
            image and its label; see `kcv.data.readers.record_keys`. Then the batches
            are made by `kcv.data.structured`.
        bad: One line for each record that is malformed and left out.
    """

    name: str
    elements: Callable
    decode: Callable
    num_examples: int
    class_names: tuple[str, ...]
    fingerprint: str
    records: dict | None = None
    cache: dict | None = None
    keys: dict | None = None
    bad: tuple[str, ...] = ()


def source(name, split, seed=0, **options):
    """Opens one split of a data set.

    Args:
        name: `"digits"`; `"scenes/VIEW"`; `"motorcycle"`; `"tfds:NAME"`,
            `"tfds:NAME/CONFIG"`; `"FORMAT:PATH"` with a format of `FORMATS`; or the
            path of a folder of class folders.
        split: `"train"`, `"validation"` or `"test"`.
        seed: Which split is drawn where the set brings none of its own.
        **options: Keyword arguments of `open_split` of `kcv.data.folder`,
            `kcv.data.tfds`, `kcv.data.scenes_source` or the reader in
            `kcv.data.readers`.

    Returns:
        A `Source`.

    Raises:
        ValueError: Unknown name or split, or a data set that cannot be trained on.
        FileNotFoundError: The folder does not exist.
    """
    if split not in SPLITS:
        raise ValueError(f"split {split!r} is not one of {', '.join(SPLITS)}")
    name = os.fspath(name)
    kind, _, path = name.partition(":")
    # Imported here so that digits need neither Pillow's formats nor TFDS.
    if name == "digits":
        from kcv.data import digits

        return digits.open_split(split, **options)
    if kind == "tfds":
        from kcv.data import tfds

        return tfds.open_split(name, split, seed=seed, **options)
    if name.startswith("scenes/"):
        from kcv.data import scenes_source, structured

        records = scenes_source.open_split(name, split, seed=seed, **options)
        return structured.source_of(records)
    if kind in FORMATS and path:
        from kcv.data import structured

        return structured.source_of(_read(kind, path, split, options))
    if name == "motorcycle":
        from kcv.data import structured
        from kcv.data.readers import middlebury

        return structured.source_of(middlebury.motorcycle(**options))
    is_format = path and kind.isidentifier()  # as "cocoo:/data/coco"
    if (is_format or os.sep not in name) and not os.path.exists(name):
        formats = ", ".join(f"'{kind}:PATH'" for kind in FORMATS)
        raise ValueError(
            f"unknown data {name!r}: 'digits', 'scenes/VIEW', 'motorcycle',"
            f" 'tfds:NAME', {formats}, or the path of a folder of class folders"
        )
    from kcv.data import folder

    return folder.open_split(name, split, seed=seed, **options)


def _read(kind, path, split, options):
    """Opens a reader's split; wrong options are named with those that there are."""
    module, _, function = FORMATS[kind].partition(".")
    reader = importlib.import_module(f"kcv.data.readers.{module}")
    open_split = getattr(reader, function)
    known = list(inspect.signature(open_split).parameters)[2:]
    for option in options:
        if option not in known:
            raise ValueError(
                f"{kind}:{path} has no option {option!r}; known: {', '.join(known)}"
            )
    return open_split(path, split, **options)


def labels(source):
    """Returns the labels of all examples in natural order, int32 (num_examples,)."""
    if source.records is not None and "labels" in source.records:
        return np.asarray(source.records["labels"])
    decoded = source.elements(None).map(lambda record: source.decode(record)["labels"])
    return np.fromiter(decoded.as_numpy_iterator(), np.int32, source.num_examples)


def permutation(num_examples, seed):
    """Returns the order of an epoch, int64 (num_examples,); natural for seed None."""
    if seed is None:
        return np.arange(num_examples)
    return np.random.default_rng(seed).permutation(num_examples)


def source_in_memory(name, records, decode, class_names, fingerprint):
    """Makes a `Source` with random access from tensors with one row a record."""
    with tf.device("CPU:0"):
        records = {key: tf.convert_to_tensor(value) for key, value in records.items()}
    num_examples = len(next(iter(records.values())))

    def elements(seed):
        order = tf.data.Dataset.from_tensor_slices(permutation(num_examples, seed))
        return order.map(lambda index: record_at(records, index))

    return Source(
        name,
        elements,
        decode,
        num_examples,
        tuple(class_names),
        fingerprint,
        records=records,
        cache={},
    )


def record_at(records, index):
    """Returns row `index` of every tensor."""
    return {key: tf.gather(rows, index) for key, rows in records.items()}
