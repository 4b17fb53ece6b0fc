"""Any classification set of TensorFlow Datasets, `tfds:NAME` or `tfds:NAME/CONFIG`."""

import hashlib
import itertools

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from kcv.data import jpeg, preprocess, sources

MEMORY_BYTES = 2**28  # data sets up to this size are read once and shuffled as a whole
_ENCODED = tfds.decode.PartialDecoding(
    {"image": True, "label": True}, decoders={"image": tfds.decode.SkipDecoding()}
)
_SHUFFLE_BUFFER = 16384  # records; encoded images of larger sets


def open_split(name, split, seed=0, data_dir=None, download=True):
    """Opens one split of a TFDS set with the features "image" and "label".

    A set without validation gives up the last tenth of its training images for it.
    Where only train and validation have labels, the official validation images are the
    test and validation is cut from train as before; a set with train alone is cut
    80 : 10 : 10.

    A split of up to `MEMORY_BYTES` on disk is held in memory, encoded, and shuffled as
    a whole; of a larger one the files are shuffled, and records in a shuffle buffer.

    Args:
        name: "tfds:NAME" or "tfds:NAME/CONFIG".
        split: "train", "validation" or "test".
        seed: Not used: cuts are the same for everybody.
        data_dir: TFDS's folder; by default ~/tensorflow_datasets.
        download: Whether a set that is not there is downloaded.

    Returns:
        A `Source`.

    Raises:
        ValueError: Unknown set, no classification set, or it is not there.
    """
    del seed
    builder = _builder(name, data_dir)
    _prepare(name, builder, download)
    features = builder.info.features
    keys = dict(features or {})
    if not (
        isinstance(keys.get("image"), tfds.features.Image)
        and isinstance(keys.get("label"), tfds.features.ClassLabel)
    ):
        raise ValueError(
            f"{name} is not a classification set: it has the features"
            f" {', '.join(sorted(keys)) or 'none'}, but 'image' and a class 'label' are"
            " needed"
        )
    instruction = _instruction(name, builder, split)
    num_examples, num_bytes = 0, 0
    if builder.info.splits:
        info = builder.info.splits[instruction]
        num_examples, num_bytes = info.num_examples, info.num_bytes
    content = (builder.info.full_name, instruction, num_examples, num_bytes)

    def elements(seed):
        config = tfds.ReadConfig(try_autocache=False, shuffle_seed=seed)
        config.options.autotune.enabled = False
        data = builder.as_dataset(
            split=instruction,
            shuffle_files=seed is not None,
            decoders=_ENCODED,
            read_config=config,
        )
        data = data.map(lambda row: {"image": row["image"], "labels": row["label"]})
        if seed is None:
            return data
        return data.shuffle(_SHUFFLE_BUFFER, seed, reshuffle_each_iteration=False)

    source = sources.Source(
        name,
        elements,
        lambda record, size=None: _decode(features["image"], record, size),
        num_examples,
        tuple(features["label"].names),
        hashlib.sha256(repr(content).encode()).hexdigest(),
    )
    if num_bytes > MEMORY_BYTES:
        return source
    rows = list(elements(None).as_numpy_iterator())
    records = {key: np.array([row[key] for row in rows]) for key in ("image", "labels")}
    return sources.source_in_memory(
        name, records, source.decode, source.class_names, source.fingerprint
    )


def _builder(name, data_dir):
    try:
        return tfds.builder(name.removeprefix("tfds:"), data_dir=data_dir)
    except tfds.core.DatasetNotFoundError as error:
        raise ValueError(
            f"unknown TFDS data set {name!r}: see"
            " https://www.tensorflow.org/datasets/catalog/overview, and write"
            " tfds:NAME or tfds:NAME/CONFIG"
        ) from error
    except ValueError as error:
        reason = str(error).split("\n")[0]
        raise ValueError(f"{name!r} cannot be opened: {reason}") from error


def _prepare(name, builder, download):
    """Downloads the set if it is not there, or says how to get it."""
    if builder.is_prepared():
        return
    remedy = (
        f"prepare it where there is a network, python -m tensorflow_datasets build"
        f" {builder.name}, and give its folder as data_dir"
    )
    if not download:
        raise ValueError(f"{name} is not in {builder.data_path.parent}: {remedy}")
    try:
        builder.download_and_prepare()
    # Servers, proxies, checksums, manual downloads and disks each have their own class.
    except Exception as error:
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"
        raise ValueError(
            f"{name} is not in {builder.data_path.parent} and cannot be made"
            f" ({reason}): {remedy}"
        ) from error


def _instruction(name, builder, split):
    """Returns the TFDS split that serves as "train", "validation" or "test"."""
    splits = builder.info.splits
    if not splits:  # no metadata: tfds.testing.mock_data
        return split
    have = [part for part in sources.SPLITS if part in splits]
    if "train" not in have:
        raise ValueError(f"{name} has no split 'train', only {', '.join(splits)}")
    if "test" in have and not _has_labels(builder, "test"):
        have.remove("test")  # as in ImageNet
    if len(have) == 3:
        return split
    if have == ["train"]:
        tails = {"train": "[:80%]", "validation": "[80%:90%]", "test": "[90%:]"}
        return "train" + tails[split]
    if split == "test":
        return have[1]
    return "train" + {"train": "[:90%]", "validation": "[90%:]"}[split]


def _has_labels(builder, split):
    data = builder.as_dataset(split=split, decoders=_ENCODED)
    rows = itertools.islice(data.as_numpy_iterator(), 1)
    return all(row["label"] >= 0 for row in rows)


def _decode(feature, record, size):
    """Decodes one image to {"images": uint8 (h, w, 1 or 3), "labels": int32 ()}."""
    contents = record["image"]

    def decode():
        return preprocess.to_uint8(feature.decode_example(contents))

    def decode_jpeg():
        stored_size = tf.io.extract_jpeg_shape(contents)[:2]
        return jpeg.decode(contents, stored_size, size)

    if size is None or feature.encoding_format == "png" or feature.shape[-1] != 3:
        image = decode()
    else:  # features may hold files as they came
        image = tf.cond(tf.io.is_jpeg(contents), decode_jpeg, decode)
        image.set_shape((None, None, 3))
    return {"images": image, "labels": tf.cast(record["labels"], tf.int32)}
