"""Any set of images or videos of TensorFlow Datasets, `tfds:NAME[/CONFIG]`."""

import hashlib
import itertools

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from kcv.data import jpeg, preprocess, sources, tfds_features

MEMORY_BYTES = 2**28  # data sets up to this size are read once and shuffled as a whole
_ENCODED = tfds.decode.PartialDecoding(
    {"image": True, "label": True}, decoders={"image": tfds.decode.SkipDecoding()}
)
_SHUFFLE_BUFFER = 16384  # records; encoded images of larger sets
_SHUFFLE_BUFFER_DECODED = 256  # records with everything that they say


def open_split(name, split, seed=0, data_dir=None, download=True):
    """Opens one split of a TFDS set.

    With the features "image" and "label" and no boxes it is a classification set; of
    others, `kcv.data.tfds_features` says what becomes a key of their records.

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
        ValueError: Unknown set, one without images, or it is not there.
    """
    del seed
    builder = _builder(name, data_dir)
    _prepare(name, builder, download)
    features = builder.info.features
    keys = dict(features or {})
    if not (
        isinstance(keys.get("image"), tfds.features.Image)
        and isinstance(keys.get("label"), tfds.features.ClassLabel)
        and "objects" not in keys
    ):
        return _structured(name, builder, split)
    instruction = _instruction(name, builder, split, _has_labels)
    num_examples, num_bytes, fingerprint = _facts(builder, instruction)

    def elements(seed):
        data = _read(builder, instruction, seed, _ENCODED)
        data = data.map(lambda row: {"image": row["image"], "labels": row["label"]})
        return _shuffled(data, seed, _SHUFFLE_BUFFER)

    source = sources.Source(
        name,
        elements,
        lambda record, size=None: _decode(features["image"], record, size),
        num_examples,
        tuple(features["label"].names),
        fingerprint,
    )
    if num_bytes > MEMORY_BYTES:
        return source
    rows = list(elements(None).as_numpy_iterator())
    records = {key: np.array([row[key] for row in rows]) for key in ("image", "labels")}
    return sources.source_in_memory(
        name, records, source.decode, source.class_names, source.fingerprint
    )


def _structured(name, builder, split):
    """The `Source` of a set that says other things than a label."""
    features = builder.info.features
    found = tfds_features.mapping(features or {})
    if found is None:
        raise ValueError(
            f"{name} has neither images nor videos: its features are"
            f" {', '.join(sorted(dict(features or {}))) or 'none'}"
        )
    instruction = _instruction(name, builder, split, _has_objects)
    num_examples, _, fingerprint = _facts(builder, instruction)
    return sources.Source(
        name,
        lambda seed: _shuffled(
            _read(builder, instruction, seed), seed, _SHUFFLE_BUFFER_DECODED
        ),
        lambda record, size=None: found.to_record(record),
        num_examples,
        found.class_names,
        fingerprint,
        keys=found.keys,
    )


def _facts(builder, instruction):
    """Number of examples, bytes on disk and fingerprint of a split."""
    num_examples, num_bytes = 0, 0
    if builder.info.splits:
        info = builder.info.splits[instruction]
        num_examples, num_bytes = info.num_examples, info.num_bytes
    content = (builder.info.full_name, instruction, num_examples, num_bytes)
    fingerprint = hashlib.sha256(repr(content).encode()).hexdigest()
    return num_examples, num_bytes, fingerprint


def _read(builder, instruction, seed, decoders=None):
    """The examples of a split, its files shuffled by `seed`."""
    config = tfds.ReadConfig(try_autocache=False, shuffle_seed=seed)
    config.options.autotune.enabled = False
    return builder.as_dataset(
        split=instruction,
        shuffle_files=seed is not None,
        decoders=decoders,
        read_config=config,
    )


def _shuffled(data, seed, size):
    if seed is None:
        return data
    return data.shuffle(size, seed, reshuffle_each_iteration=False)


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


def _instruction(name, builder, split, has_truth):
    """Returns the TFDS split that serves as "train", "validation" or "test"."""
    splits = builder.info.splits
    if not splits:  # no metadata: tfds.testing.mock_data
        return split
    have = [part for part in sources.SPLITS if part in splits]
    if "train" not in have:
        raise ValueError(f"{name} has no split 'train', only {', '.join(splits)}")
    if "test" in have and not has_truth(builder, "test"):
        have.remove("test")  # as in ImageNet and COCO
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


def _has_objects(builder, split):
    """Whether one of the first examples has an object, if the set has objects."""
    if "objects" not in builder.info.features:
        return True
    rows = itertools.islice(builder.as_dataset(split=split).as_numpy_iterator(), 8)
    return any(len(row["objects"]["bbox"]) for row in rows)


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
