"""Batches of records that say more than a label: boxes, masks, flow, captions, ...

Order, shares of replicas and restarts are those of `kcv.data.pipeline`: what a row
holds depends on (seed, epoch, position) alone, so (epoch, step) is the whole state of a
run's input, and `start_step` restores it.
"""

import os

import numpy as np
import tensorflow as tf

from kcv.data import fit, images, pipeline, preprocess, random_numbers, shares, sources
from kcv.data.readers.records import skipping

_PIXELS = ("images", "next_images", "right_images", "frames")


def source_of(records):
    """Returns the `Source` of the `Records` of a reader.

    The place of a record that turns out malformed is taken by the next one. Records of
    images and labels alone are a classification set, which has no `keys`.
    """
    read = skipping(records)
    names = [key for key in records.keys if key != "image_id"]
    is_classification = set(names) == {"images", "labels"}
    names = names if is_classification else list(records.keys)

    def read_or_next(index):
        for step in range(records.count):
            record = read((int(index) + step) % records.count)
            if record is not None:
                return tuple(_to_numpy(record[key], records.keys[key]) for key in names)
        raise ValueError(f"{records.name}: not one record can be read")

    types = [_tf_type(records.keys[name][1]) for name in names]

    def decode(row, size=None):
        values = tf.numpy_function(read_or_next, [row["index"]], types)
        for name, value in zip(names, values):
            value.set_shape(records.keys[name][0])
        return dict(zip(names, values))

    index = {"index": np.arange(records.count)}
    source = sources.source_in_memory(
        records.name, index, decode, records.class_names, records.fingerprint
    )
    keys = None if is_classification else dict(records.keys)
    return source._replace(keys=keys, bad=tuple(records.bad))


def structured_batches(
    source,
    batch_size,
    image_shape,
    pixel_range,
    *,
    slots=None,
    mode="stretch",
    transforms=None,
    seed=0,
    epoch=None,
    start_step=0,
    replicas=(0, 1, 1),
    threads=None,
):
    """Makes the batches of one epoch.

    Args:
        source: `Source` with `keys`.
        batch_size: Records in a global batch, over all replicas.
        image_shape: (height, width, 1 or 3) of the model.
        pixel_range: (low, high) that the model wants for black and white.
        slots: `fit.Slots`: how many objects and captions; None for the usual.
        mode: "stretch", "letterbox" or "crop", see `fit.place`; crops are at random in
            training and in the middle otherwise.
        transforms: `kcv.data.transforms.Transforms`, or None.
        seed: Seed of order, crops and transformations.
        epoch: Number of the epoch from 0. None: natural order, nothing random.
        start_step: First batch; the ones before are not read.
        replicas: (first, count, total), see `pipeline.batches`.
        threads: Records read at a time, by default one a CPU core.

    Returns:
        `tf.data.Dataset` of {key: (b, ...)} with the keys of `source.keys`, every shape
        but b's fixed (keys that vary and have no slots, such as programs, are left
        out); pictures and frames are float32 in `pixel_range`. For every step there is
        one element for each of the worker's replicas.

    Raises:
        ValueError: An argument out of its range.
    """
    image_shape, slots = tuple(image_shape), slots or fit.Slots()
    pipeline.check(batch_size, image_shape, pixel_range, replicas)
    fit.place((1, 1), (1, 1), mode)
    steps = shares.num_steps(source.num_examples, batch_size)
    if not 0 <= start_step <= steps:
        raise ValueError(f"start_step {start_step} is not within 0..{steps}")
    if epoch is None:
        transforms = None
    group = 1
    if transforms is not None:
        group = 4 if transforms.mosaic else 2 if transforms.mixes else 1
    share = shares.share_of(batch_size, replicas, group)
    last_size = source.num_examples - (steps - 1) * batch_size
    last = shares.share_of(last_size, replicas, group)
    at = shares.positions(start_step, steps, batch_size, share, last)
    fitted = _fitter(source, image_shape, slots, mode, seed, epoch)
    key = tf.constant(random_numbers.epoch_key(seed, epoch))

    def finish(batch, positions):
        if transforms is not None:
            from kcv.data.transforms import apply

            batch = apply(transforms, batch, key, positions)
        for name in _PIXELS:
            if name in batch:
                pixels = preprocess.to_channels(batch[name], image_shape[2])
                batch[name] = preprocess.normalize(pixels, pixel_range)
        return batch

    rows = images.record_rows(source, at, (batch_size, share, last), seed, epoch)
    rows = rows.take(-1 if start_step < steps else 0)
    rows = rows.map(
        fitted, num_parallel_calls=threads or os.cpu_count(), deterministic=True
    )
    data = pipeline.grouped(rows, steps, batch_size, share, last).map(finish)
    data = pipeline.split(data, steps - 1 - start_step, share, last)
    count = (steps - start_step) * replicas[1]
    cardinality = tf.data.experimental.assert_cardinality(count)
    return data.apply(cardinality).prefetch(2).with_options(images.data_options())


def examples(name, split, count, seed=0, /, **options):
    """Returns the first records of a data set in a shuffled order, as they are stored.

    Args:
        name: As for `kcv.data.source`.
        split: "train", "validation" or "test".
        count: How many; None for all.
        seed: Of the order; None for the natural one.
        **options: Of `kcv.data.source`.

    Returns:
        (list of {key: NumPy array}, `Source`).
    """
    source = sources.source(name, split, **options)
    rows = source.elements(seed).take(-1 if count is None else count)
    decoded = rows.map(lambda row: source.decode(row))
    return list(decoded.as_numpy_iterator()), source


def _fitter(source, image_shape, slots, mode, seed, epoch):
    """Returns the function (position, row) -> ({key: tensor}, position)."""
    size = image_shape[:2]
    shapes = {
        name: fit.fitted_shape(name, shape, size, slots)
        for name, (shape, _) in source.keys.items()
    }
    names = [name for name, shape in shapes.items() if None not in shape]
    types = [_tf_type(source.keys[name][1]) for name in names]
    varies = "frames" in source.keys and source.keys["frames"][0][0] is None

    def fit_values(position, *values):
        at = (0.5, 0.5)
        if epoch is not None and mode == "crop":
            at = np.random.default_rng([seed, epoch, int(position)]).random(2)
        record = fit.fit(dict(zip(names, values)), size, mode, at)
        record = fit.fill_slots(record, slots)
        if varies:
            record["frames"] = fit.fill_frames(record["frames"], slots.frames)
        return tuple(record[name] for name in names)

    def fitted(position, row):
        decoded = source.decode(row)
        values = [decoded[name] for name in names]
        values = tf.numpy_function(fit_values, [position, *values], types)
        for name, value in zip(names, values):
            value.set_shape(shapes[name])
        return dict(zip(names, values)), position

    return fitted


def _to_numpy(value, key):
    """An array as TensorFlow takes it; text as bytes."""
    if not _is_text(key[1]):
        return np.asarray(value, key[1])
    texts = np.asarray(value, object)
    return np.array([_bytes(text) for text in texts.ravel()], object).reshape(
        texts.shape
    )


def _bytes(text):
    return text if isinstance(text, bytes) else str(text).encode()


def _tf_type(dtype):
    return tf.string if _is_text(dtype) else tf.as_dtype(dtype)


def _is_text(dtype):
    return np.dtype(dtype).kind in "UO"
