"""From the records of a source to uint8 images of one size, changed at random."""

import numpy as np
import tensorflow as tf

from kcv.data import augment as augmentation
from kcv.data import preprocess, random_numbers, shares, sources


def image_rows(source, positions, cut, image_shape, augment, seed, epoch, threads):
    """Makes the images at some positions of an epoch.

    Args:
        source: `Source`.
        positions: int64 (n,), positions in the order of the epoch.
        cut: (batch_size, share, last), the same rows for a stream: `kcv.data.shares`.
        image_shape: (height, width, channels).
        augment: `Augment`; mixup and cutmix are left to `kcv.data.mixing`.
        seed: Seed of order and augmentation.
        epoch: Number of the epoch, or None: natural order, exact preprocessing.
        threads: Images made at a time.

    Returns:
        `tf.data.Dataset` of (uint8 image_shape, int32 label, int64 position).
    """
    rows = record_rows(source, positions, cut, seed, epoch)
    key = random_numbers.epoch_key(seed, epoch)
    decode = _decoder(source, image_shape, augment, key, exact=epoch is None)
    change = augmentation.image_changer(augment, image_shape)

    @tf.autograph.experimental.do_not_convert  # traced in half the time
    def prepare(position, record):
        image, label = decode(position, record)
        if change:
            image = change(image, position, tf.constant(key))
        return image, label, position

    return rows.map(prepare, num_parallel_calls=threads, deterministic=True)


def record_rows(source, positions, cut, seed, epoch):
    """Returns the dataset of (int64 position, record) at some positions of an epoch.

    Args:
        source: `Source`.
        positions: int64 (n,), positions in the order of the epoch.
        cut: (batch_size, share, last), the same rows for a stream: `kcv.data.shares`.
        seed: Seed of the order.
        epoch: Number of the epoch, or None for the natural order.
    """
    order_seed = None
    if epoch is not None:
        order_seed = int(np.random.SeedSequence([seed, epoch]).generate_state(3)[2])
    if source.records is None:
        return _streamed(source, order_seed, positions, *cut)
    return _looked_up(source, order_seed, positions)


def _looked_up(source, order_seed, positions):
    """Returns a dataset of (position, record) of a source with random access."""
    order = sources.permutation(source.num_examples, order_seed)[positions]
    rows = tf.data.Dataset.from_tensor_slices((positions, order))
    return rows.map(lambda at, index: (at, sources.record_at(source.records, index)))


def _streamed(source, order_seed, positions, batch_size, share, last):
    """Returns a dataset of (position, record) of a stream, passing over the others'."""
    steps = shares.num_steps(source.num_examples, batch_size)
    last_row = (steps - 1) * batch_size
    first = positions[0] if len(positions) else source.num_examples

    def is_ours(position, _):
        row = position % batch_size
        inside = (row >= share.start) & (row < share.stop)
        row = position - last_row
        inside_last = (row >= last.start) & (row < last.stop)
        return tf.where(row >= 0, inside_last, inside)

    rows = source.elements(order_seed).take(source.num_examples).enumerate()
    return rows.skip(first).filter(is_ours)


def _decoder(source, image_shape, augment, key, exact):
    """Returns the function (position, record) -> uint8 image of image_shape, label."""
    size = image_shape[:2]

    def decode(position, record):
        if augment.crop_scale:
            random = random_numbers.uniforms(tf.constant(key), position)
            box = augmentation.random_crop(augment, random)
            needed = tf.cast(tf.math.ceil(size / box[2:]), tf.int32)
            decoded = source.decode(record, needed)
            image = preprocess.crop(decoded["images"], box)
        else:
            decoded = source.decode(record, None if exact else size)
            image = decoded["images"]
        image = preprocess.to_channels(image, image_shape[2])
        image = (preprocess.resize if exact else preprocess.resize_fast)(image, size)
        label = tf.ensure_shape(tf.cast(decoded["labels"], tf.int32), ())
        return tf.ensure_shape(image, image_shape), label

    return decode


def in_memory(source, image_shape, augment, cache_bytes, threads):
    """Returns the source with its images decoded at image_shape, if that is allowed."""
    size = source.num_examples * int(np.prod(image_shape))
    if source.records is None or augment.crop_scale or size > cache_bytes:
        return source
    if image_shape not in source.cache:
        positions = np.arange(source.num_examples)
        none = augmentation.Augment()
        rows = image_rows(source, positions, None, image_shape, none, 0, None, threads)
        images = np.empty((len(positions), *image_shape), np.uint8)
        labels = np.empty(len(positions), np.int32)
        for image, label, at in rows.with_options(data_options()).as_numpy_iterator():
            images[at], labels[at] = image, label
        source.cache[image_shape] = sources.source_in_memory(
            source.name,
            {"images": images, "labels": labels},
            lambda record, size=None: record,
            source.class_names,
            source.fingerprint,
        )
    return source.cache[image_shape]


def served(source, data, service):
    """Lets the workers of a tf.data service make the images."""
    if source.records is None:
        raise ValueError(f"{source.name} is a stream: the data service cannot cut it")
    mode = tf.data.experimental.service.ShardingPolicy.DYNAMIC
    return data.apply(
        tf.data.experimental.service.distribute(processing_mode=mode, service=service)
    )


def data_options():
    """Returns `tf.data.Options` of everything here: fixed order, nothing tuned."""
    options = tf.data.Options()
    options.autotune.enabled = False  # it can block for seconds when an iterator ends
    options.deterministic = True
    # Each worker makes its own share: nothing is left to cut.
    options.experimental_distribute.auto_shard_policy = (
        tf.data.experimental.AutoShardPolicy.OFF
    )
    return options
