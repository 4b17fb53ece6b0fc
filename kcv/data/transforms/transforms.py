"""Random changes of samples that keep every label true.

A batch is {key: (b, ...)} with some of

    images, next_images  uint8 or float32 (h, w, 1 or 3), levels 0..255
    frames               uint8 or float32 (t, h, w, 1 or 3), of a clip; all move alike
    boxes, classes, crowd, masks, keypoints
                         float32 (n, 4), int32 (n,), uint8 (n,), uint8 (n, h, w),
                         float32 (n, k, 3): n slots, empty: class -1 and zeros
    semantic             int32 (h, w); what is outside of the picture becomes 255
    depth                float32 (h, w, 1); what is outside becomes 0, unknown
    flow, flow_backward  float32 (h, w, 2), of the pixels of images and of next_images
    flow_valid, occlusion
                         uint8 (h, w, 1); a transformed flow always has flow_valid

Whole-picture labels, texts and ids pass as they are: whether a caption is still true of
a mirrored picture is for the caller to know. An image's random numbers are a hash of
(seed, epoch, position), see `kcv.data.random_numbers`. One sample is changed by one
function that XLA compiles once for the shapes of the batch, whatever its size.
"""

import functools

import tensorflow as tf

from kcv.data import random_numbers
from kcv.data.transforms import (
    boxes,
    colour,
    geometry,
    mosaic,
    moving,
    occlude,
    rand_augment,
)
from kcv.data.transforms.knobs import CHANGED, check, check_batch, size_of


def apply(transforms, batch, key, positions):
    """Changes a batch; for `tf.data.Dataset.map`.

    Args:
        transforms: `Transforms`.
        batch: {key: (b, ...)}, see above; shapes but b are static.
        key: uint32 (2,), from `random_numbers.epoch_key`.
        positions: int64 (b,), places in the order of the epoch.

    Returns:
        A dict of the same keys, shapes and dtypes, but for `crop_size`, flow_valid and,
        with mixup or cutmix, "mix", "labels_b" and "semantic_b".

    Raises:
        ValueError: Transforms out of their range, or not possible with this batch.
    """
    check(transforms)
    check_batch(transforms, {name: value.shape[1:] for name, value in batch.items()})
    result, key = dict(batch), tf.convert_to_tensor(key)
    rows = tf.shape(positions)[0]
    if transforms.changes:
        sample = {name: batch[name] for name in CHANGED if name in batch}
        who, possible = mosaic.partners(rows)
        if transforms.mosaic:
            sample = {name: tf.gather(value, who) for name, value in sample.items()}
        else:
            sample = {name: value[:, None] for name, value in sample.items()}
        change = _changer(transforms, _spec(sample))
        result |= _each_row(change, sample, positions, possible, key)
    if transforms.mixes:
        names = [name for name in (*CHANGED, "labels") if name in result]
        other = tf.minimum(tf.bitwise.bitwise_xor(tf.range(rows), 1), rows - 1)
        pair = {
            name: tf.stack([result[name], tf.gather(result[name], other)], axis=1)
            for name in names
        }
        mix = _mixer(transforms, _spec(pair))
        result |= _each_row(mix, pair, positions, other == tf.range(rows), key)
    return result


def change_sample(transforms, sample, random, possible):
    """Changes one sample as its random numbers say.

    Args:
        transforms: `Transforms`.
        sample: {key: (s, ...)}, one picture or the four of a mosaic.
        random: From `random_numbers.uniforms`, scalars.
        possible: bool (), whether the four are there.

    Returns:
        {key: (...)}; images have their dtype.
    """
    dtypes = {name: value.dtype for name, value in sample.items()}
    size = size_of({name: value.shape[1:] for name, value in sample.items()})
    if transforms.moves:
        canvas = None
        if transforms.mosaic:
            canvas = mosaic.random_canvas(transforms, random, size, possible)
        to_out = geometry.random_homography(transforms, random, size)
        out_size = transforms.crop_size or size
        if transforms.rand_augment:
            moves = rand_augment.random_moves(transforms, random, out_size)
            to_out = moves @ to_out
        slots = {key: sample[key].shape[1] for key in boxes.KEYS if key in sample}
        sample = moving.move_sample(transforms, sample, to_out, out_size, canvas)
        if canvas is not None and slots:
            objects = {key: sample[key] for key in slots}
            sample |= boxes.largest(objects, min(slots.values()))
    else:
        sample = {name: value[0] for name, value in sample.items()}
    if transforms.repaints:
        sample |= _repainted(transforms, sample, random)
    if transforms.cutout:
        sample = occlude.cutout(transforms, sample, random)
    for name in moving.IMAGES:
        if name in sample and dtypes[name] == tf.uint8:
            image = tf.clip_by_value(tf.cast(sample[name], tf.float32), 0, 255)
            sample[name] = tf.cast(tf.round(image), tf.uint8)
    return sample


def _repainted(transforms, sample, random):
    """Changes the colours of all pictures of a sample in one go."""
    names = [name for name in moving.IMAGES if name in sample]
    parts = [sample[name] for name in names]
    parts = [part if len(part.shape) == 4 else part[None] for part in parts]
    images = tf.concat([tf.cast(part, tf.float32) for part in parts], axis=0)
    images = colour.recolour(transforms, images, random)
    if transforms.rand_augment:
        images = rand_augment.random_colours(transforms, images, random)
    parts = tf.split(images, [part.shape[0] for part in parts])
    return {
        name: tf.reshape(part, sample[name].shape) for name, part in zip(names, parts)
    }


def _each_row(function, sample, positions, flags, key):
    """Calls a compiled function for every row of a batch, several at a time."""
    names = sorted(sample)
    example = function.output_spec
    return tf.map_fn(
        lambda row: function(dict(zip(names, row[0])), row[1], row[2], key),
        ([sample[name] for name in names], positions, flags),
        fn_output_signature=example,
        parallel_iterations=16,
    )


def _spec(sample):
    return tuple((k, tuple(v.shape[1:]), v.dtype) for k, v in sorted(sample.items()))


@functools.cache
def _changer(transforms, spec):
    """Returns the compiled `change_sample`; kept, since compiling takes seconds."""
    return _compiled(functools.partial(change_sample, transforms), spec)


@functools.cache
def _mixer(transforms, spec):
    return _compiled(functools.partial(occlude.mix, transforms), spec)


def _compiled(function, spec):
    """Compiles function (sample, random, flag); it also has an `output_spec`."""
    sample_spec = {name: tf.TensorSpec(shape, dtype) for name, shape, dtype in spec}

    @tf.autograph.experimental.do_not_convert
    def change(sample, position, flag, key):
        return function(sample, random_numbers.uniforms(key, position), flag)

    with tf.init_scope():
        change = tf.function(
            change,
            jit_compile=True,
            input_signature=(
                sample_spec,
                tf.TensorSpec((), tf.int64),
                tf.TensorSpec((), tf.bool),
                tf.TensorSpec((2,), tf.uint32),
            ),
        )
        outputs = change.get_concrete_function().structured_outputs
    change.output_spec = {
        name: tf.TensorSpec(value.shape, value.dtype) for name, value in outputs.items()
    }
    return change
