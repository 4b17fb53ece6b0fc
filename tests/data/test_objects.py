import numpy as np
import pytest
import tensorflow as tf

from kcv.data import objects, sources
from kcv.data.scenes import scene


def opened(split="train", **options):
    options = {"draw": True, "count": 6, **options}
    return objects.open_split("scenes/detection_64", split, **options)


def first_batch(source, **options):
    batches = objects.batches(source, 4, (64, 64, 3), (-1.0, 1.0), **options)
    return {key: value.numpy() for key, value in next(iter(batches)).items()}


def test_batches_have_every_object_and_no_masks():
    source = opened()
    assert source.class_names == scene.CLASSES
    assert source.num_examples == 6
    batch = first_batch(source)
    assert set(batch) == {"images", "boxes", "classes", "crowd"}
    assert batch["images"].shape == (4, 64, 64, 3)
    assert batch["boxes"].shape == (4, objects.SLOTS, 4)
    filled = batch["classes"] >= 0
    assert filled.sum() >= 4 and filled.any(axis=1).all()
    sides = batch["boxes"][..., 2:] - batch["boxes"][..., :2]
    assert (sides[filled] > 0).all() and (sides[~filled] == 0).all()


def test_masks_are_there_for_who_asks():
    assert first_batch(opened(keys=("masks",)), slots=3)["masks"].shape[:2] == (4, 3)


def test_count_is_of_the_training_split():
    assert opened("test").num_examples == 500


def in_memory(classes, names=("a", "b"), **more):
    records = {
        "images": np.zeros((len(classes), 8, 16, 3), "uint8"),
        "boxes": np.float32([[[0, 0, 8, 4], [2, 2, 2, 2]]] * len(classes)),
        "classes": np.int32(classes),
        **more,
    }
    keys = {key: (value.shape[1:], value.dtype.name) for key, value in records.items()}

    def decode(row, size=None):
        return row

    source = sources.source_in_memory("mine", records, decode, names, "hash")
    return source._replace(keys=keys)


def test_sizes_are_those_of_the_stretched_image():
    """8 x 4 in an image of 16 x 8 that becomes 32 x 32."""
    source = objects.with_keys(in_memory([[0, 1], [1, -1]]))
    np.testing.assert_array_equal(objects.sizes(source, (32, 32)), [[16, 16]] * 2)
    crowd = objects.with_keys(
        in_memory([[0, 1], [1, -1]], crowd=np.uint8([[1, 0], [0, 0]]))
    )
    np.testing.assert_array_equal(objects.sizes(crowd, (8, 16)), [[8, 4]])


def test_no_crowds_where_the_set_knows_none():
    batch = first_batch(in_memory([[0, 1]] * 4), slots=2)
    assert batch["crowd"].dtype == np.uint8 and not batch["crowd"].any()


def test_a_class_beyond_the_names_is_an_error():
    with pytest.raises(tf.errors.InvalidArgumentError, match="none of its 2 names"):
        first_batch(in_memory([[2, 0]] * 4))


def test_a_set_without_boxes_is_named():
    with pytest.raises(ValueError, match="digits has no images: give a set of detect"):
        objects.open_split("digits", "train")
    with pytest.raises(ValueError, match="mine has no masks: .*--options=task=instanc"):
        objects.with_keys(in_memory([[0, 1]]), ("masks",))
    with pytest.raises(ValueError, match="mine has no keypoints: .*'scenes/pose', or"):
        objects.with_keys(in_memory([[0, 1]]), ("keypoints",))
