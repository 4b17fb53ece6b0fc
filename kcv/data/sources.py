"""What a data set is: records in a reproducible order and how to decode one."""

import os
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

SPLITS = ("train", "validation", "test")


class Source(NamedTuple):
    """One split of a classification data set.

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
    """

    name: str
    elements: Callable
    decode: Callable
    num_examples: int
    class_names: tuple[str, ...]
    fingerprint: str
    records: dict | None = None
    cache: dict | None = None


def source(name, split, seed=0, **options):
    """Opens one split of a data set.

    Args:
        name: `"digits"`, `"tfds:NAME"`, `"tfds:NAME/CONFIG"` or the path of a folder of
            class folders.
        split: `"train"`, `"validation"` or `"test"`.
        seed: Which split is drawn where the set brings none of its own.
        **options: Keyword arguments of `kcv.data.folder.open_split` or
            `kcv.data.tfds.open_split`.

    Returns:
        A `Source`.

    Raises:
        ValueError: Unknown name or split, or a data set that cannot be trained on.
        FileNotFoundError: The folder does not exist.
    """
    if split not in SPLITS:
        raise ValueError(f"split {split!r} is not one of {', '.join(SPLITS)}")
    name = os.fspath(name)
    is_known = name == "digits" or name.startswith("tfds:")
    if not is_known and os.sep not in name and not os.path.exists(name):
        raise ValueError(
            f"unknown data {name!r}: 'digits', 'tfds:NAME', 'tfds:NAME/CONFIG' or the"
            " path of a folder of class folders"
        )
    # Imported here so that digits need neither Pillow's formats nor TFDS.
    if name == "digits":
        from kcv.data import digits

        return digits.open_split(split, **options)
    if name.startswith("tfds:"):
        from kcv.data import tfds

        return tfds.open_split(name, split, seed=seed, **options)
    from kcv.data import folder

    return folder.open_split(name, split, seed=seed, **options)


def labels(source):
    """Returns the labels of all examples in natural order, int32 (num_examples,)."""
    if source.records is not None:
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
