"""From a source to batches that are the same on any number of replicas.

Batch k of an epoch is rows k*B..(k+1)*B of the epoch's order; what is left at the end
is a smaller batch, or joins the one before if it is less than a quarter of B (a batch
of two or three rows has useless batch-norm statistics). Each replica gets its part of
these rows as np.array_split cuts them. Pixels depend on (seed, epoch, position) alone:
a run may stop at any step and go on elsewhere.
"""

import functools
import os

import numpy as np
import tensorflow as tf

from kcv.data import augment as augmentation
from kcv.data import images, mixing, preprocess, random_numbers, shares

CACHE_BYTES = 2**28  # images of one source that are kept decoded


def batches(
    source,
    batch_size,
    image_shape,
    pixel_range,
    *,
    augment=None,
    seed=0,
    epoch=None,
    start_step=0,
    replicas=(0, 1, 1),
    cache_bytes=CACHE_BYTES,
    threads=None,
    service=None,
):
    """Makes the batches of one epoch.

    Args:
        source: `Source`.
        batch_size: Images in a global batch, over all replicas.
        image_shape: (height, width, channels) of the model, channels 1 or 3.
        pixel_range: (low, high) that the model wants for black and white.
        augment: `Augment`, or None.
        seed: Seed of order and augmentation.
        epoch: Number of the epoch from 0. None: natural order, no augmentation and the
            exact evaluation preprocessing of `kcv.data.preprocess`.
        start_step: First batch; the ones before are not decoded.
        replicas: (first, count, total): this worker feeds replicas first to first +
            count - 1 of `total`.
        cache_bytes: The source's images are decoded once and kept in memory if they
            need no more than this at `image_shape`.
        threads: Parallel decoders, by default one a CPU core.
        service: Address "grpc://host:port" of a tf.data service that is to decode and
            augment. Every image still comes once and with the same pixels, but with
            several service workers in the order of arrival. Needs random access and
            formats that TensorFlow decodes (JPEG upright and not CMYK, 8-bit PNG).

    Returns:
        `tf.data.Dataset` of {"images": float32 (b, h, w, c), "labels": int32 (b,)}: for
        every step one element for each of the worker's replicas in turn. In the last,
        uneven step they may be smaller or larger. With mixup or cutmix also "labels_b"
        and "mix", see `Augment`.

    Raises:
        ValueError: An argument out of its range.
    """
    image_shape, pixel_range = tuple(image_shape), tuple(pixel_range)
    check(batch_size, image_shape, pixel_range, replicas)
    if source.keys:
        raise ValueError(
            f"{source.name} is no classification set: its records have"
            f" {', '.join(source.keys)}"
        )
    steps = num_steps(source, batch_size)
    if not 0 <= start_step <= steps:
        raise ValueError(f"start_step {start_step} is not within 0..{steps}")
    if augment is None or epoch is None:
        augment = augmentation.Augment()
    augmentation.check(augment)
    threads = threads or os.cpu_count()
    count = replicas[1]
    group = 2 if augment.mixes else 1
    share = shares.share_of(batch_size, replicas, group)
    last_size = source.num_examples - (steps - 1) * batch_size
    if min(batch_size, last_size) < replicas[2]:  # convolutions need a row
        raise ValueError(
            f"batches of {batch_size} from {source.num_examples} images leave one of "
            f"{replicas[2]} replicas without an image: give a larger batch size"
        )
    last = shares.share_of(last_size, replicas, group)
    finish = _finisher(augment, image_shape, pixel_range)

    data = _no_rows(image_shape, finish)
    if start_step < steps:
        keep = 0 if service else cache_bytes
        source = images.in_memory(source, image_shape, augment, keep, threads)
        data = images.image_rows(
            source,
            shares.positions(start_step, steps, batch_size, share, last),
            (batch_size, share, last),
            image_shape,
            augment,
            seed,
            epoch,
            threads,
        )
        if service:
            data = images.served(source, data, service)
        data = grouped(data, steps, batch_size, share, last)
        key = tf.constant(random_numbers.epoch_key(seed, epoch))
        data = data.map(lambda image, label, at: finish(image, label, at, key))
        data = split(data, steps - 1 - start_step, share, last)
    cardinality = tf.data.experimental.assert_cardinality((steps - start_step) * count)
    return data.apply(cardinality).prefetch(2).with_options(images.data_options())


def num_steps(source, batch_size):
    """Returns the number of batches in an epoch; the last may be of another size."""
    return shares.num_steps(source.num_examples, batch_size)


def check(batch_size, image_shape, pixel_range, replicas):
    """Raises ValueError for an argument of `batches` out of its range."""
    if batch_size < 1:
        raise ValueError(f"batch_size {batch_size} is not at least 1")
    if len(image_shape) != 3 or min(image_shape) < 1 or image_shape[2] not in (1, 3):
        raise ValueError(f"image_shape {image_shape} is not (height, width, 1 or 3)")
    if len(pixel_range) != 2 or pixel_range[0] >= pixel_range[1]:
        raise ValueError(f"pixel_range {pixel_range} is not (low, high)")
    first, count, total = replicas
    if first < 0 or count < 1 or first + count > total:
        raise ValueError(
            f"replicas {tuple(replicas)} is not (first, count, total) with first +"
            " count up to total"
        )


def grouped(rows, steps, batch_size, share, last):
    """Batches rows, tuples that end in the position; the last may be fewer or more."""
    size, last_size = share.stop - share.start, last.stop - last.start
    if last_size <= size:
        return rows.batch(size)
    return rows.group_by_window(
        key_func=lambda *row: tf.minimum(row[-1] // batch_size, steps - 1),
        reduce_func=lambda step, window: window.batch(2 * batch_size),
        window_size_func=lambda step: tf.where(
            step == steps - 1, np.int64(last_size), np.int64(size)
        ),
    )


@functools.cache
def _finisher(augment, image_shape, pixel_range):
    """Returns the function from uint8 images of a step to what the model gets.

    Kept between epochs: tracing takes longer than a batch of small images.
    """

    @tf.function(
        input_signature=(
            tf.TensorSpec((None, *image_shape), tf.uint8),
            tf.TensorSpec((None,), tf.int32),
            tf.TensorSpec((None,), tf.int64),
            tf.TensorSpec((2,), tf.uint32),
        )
    )
    def finish(images, labels, positions, key):
        images = preprocess.normalize(images, pixel_range)
        batch = {"images": images, "labels": labels}
        if augment.mixes:
            random = random_numbers.uniforms(key, positions)
            batch = mixing.mix_batch(augment, batch, random)
        return batch

    return finish


def split(data, last_step, share, last):
    """Cuts every worker batch into those of its replicas, in turn."""
    if all(part.cuts == (0, part.stop - part.start) for part in (share, last)):
        return data  # one replica, and no row read for its neighbour alone
    count = len(share.cuts) - 1
    all_cuts = tf.constant([share.cuts, last.cuts], tf.int64)

    def cut(step, batch):
        cuts = all_cuts[tf.cast(step == last_step, tf.int32)]
        parts = tf.data.Dataset.range(count)
        return parts.map(
            lambda part: {
                name: rows[cuts[part] : cuts[part + 1]] for name, rows in batch.items()
            }
        )

    return data.enumerate().flat_map(cut)


def _no_rows(image_shape, finish):
    """Returns a dataset without a batch."""
    images = tf.zeros((0, *image_shape), tf.uint8)
    none = tf.zeros((0,), tf.int64)
    key = tf.zeros((2,), tf.uint32)
    nothing = finish(images, tf.cast(none, tf.int32), none, key)
    return tf.data.Dataset.from_tensors(nothing).take(0)
