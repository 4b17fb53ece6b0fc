import numpy as np
import pytest
import tensorflow as tf
from transform_samples import H, W, change, objects

from kcv.data import random_numbers
from kcv.data.transforms import Transforms, apply, check, knobs
from kcv.data.transforms import transforms as transforming

KEY = random_numbers.epoch_key(5, 2)
MOST = Transforms(
    flip=True,
    rotate=20,
    zoom=0.2,
    brightness=0.3,
    cutout=0.2,
    keypoint_pairs=((0, 1),),
    min_visible=0.1,
)


def batch_of(seeds, **more):
    samples = [objects(seed) | more for seed in seeds]
    names = tf.constant([f"picture {seed}" for seed in seeds])
    batch = {
        key: tf.constant(np.stack([s[key] for s in samples])) for key in samples[0]
    }
    return batch | {"image_id": names, "labels": tf.constant(seeds, tf.int32)}


def other_keys():
    rng = np.random.default_rng(0)
    return {
        "crowd": np.zeros(4, np.uint8),
        "depth": rng.uniform(1, 9, (H, W, 1)).astype(np.float32),
        "flow": rng.normal(0, 3, (H, W, 2)).astype(np.float32),
        "flow_backward": rng.normal(0, 3, (H, W, 2)).astype(np.float32),
        "occlusion": rng.integers(0, 2, (H, W, 1)).astype(np.uint8),
        "next_images": rng.integers(0, 255, (H, W, 3)).astype(np.uint8),
        "frames": rng.integers(0, 255, (2, H, W, 3)).astype(np.uint8),
    }


def positions(first, count):
    return tf.range(first, first + count, dtype=tf.int64)


def assert_equal(one, other):
    assert one.keys() == other.keys()
    for key in one:
        np.testing.assert_array_equal(one[key], other[key], err_msg=key)


@pytest.fixture(scope="module")
def changed():
    """A batch of five, once in one piece."""
    return apply(MOST, batch_of(range(5)), KEY, positions(40, 5))


def test_what_changes_depends_on_seed_epoch_and_position_alone(changed):
    """In batches of one and four, in a graph of tf.data, the result is the same."""
    data = tf.data.Dataset.from_tensor_slices((batch_of(range(5)), positions(40, 5)))
    data = data.skip(1).batch(4).map(lambda batch, at: apply(MOST, batch, KEY, at))
    (last,) = data
    assert_equal(last, {key: value[1:] for key, value in changed.items()})
    first = apply(MOST, batch_of([0]), KEY, positions(40, 1))
    assert_equal(first, {key: value[:1] for key, value in changed.items()})
    for key, at in ((KEY, positions(41, 5)), (random_numbers.epoch_key(5, 3), None)):
        at = positions(40, 5) if at is None else at
        other = apply(MOST, batch_of(range(5)), key, at)
        assert not np.array_equal(other["images"], changed["images"])


def test_compiled_equals_the_plain_function(changed):
    random = random_numbers.uniforms(tf.constant(KEY), tf.constant(42, tf.int64))
    values = {name: float(value) for name, value in random.items()}
    plain = change(MOST, objects(2), **values)
    for key, value in plain.items():
        np.testing.assert_allclose(changed[key][2], value, atol=1, err_msg=key)
    assert np.mean(changed["images"][2] != plain["images"]) < 0.01


def test_shapes_and_dtypes_stay(changed):
    batch = batch_of(range(5))
    for key, value in batch.items():
        assert (changed[key].shape, changed[key].dtype) == (value.shape, value.dtype)
    np.testing.assert_array_equal(changed["labels"], batch["labels"])
    np.testing.assert_array_equal(changed["image_id"], batch["image_id"])


def test_nothing_on_changes_nothing():
    batch = batch_of(range(3), albedo=np.ones((H, W, 3), np.float32))
    assert_equal(apply(Transforms(), batch, KEY, positions(0, 3)), batch)


@pytest.mark.parametrize("slots", [0, 3])
def test_no_objects(slots):
    """Pictures of nothing, and data without any slot."""
    sample = objects(0, slots=slots, count=0)
    out = change(MOST._replace(cutout=0.5, mosaic=1.0), *[sample] * 4, seed=1)
    assert out["boxes"].shape == (slots, 4) and out["masks"].shape == (slots, H, W)
    assert not out["boxes"].any() and not out["masks"].any()
    assert (out["classes"] == -1).all() and not out["keypoints"].any()


@pytest.mark.parametrize("key", ["boxes", "masks", "keypoints", "semantic"])
def test_each_label_alone(key):
    """As it is beside the others."""
    sample = objects(3)
    both = change(MOST._replace(min_visible=0.0), sample, seed=9)
    alone = {name: sample[name] for name in ("images", key)}
    out = change(MOST._replace(min_visible=0.0), alone, seed=9)
    np.testing.assert_array_equal(out["images"], both["images"])
    if key != "boxes":  # without masks around the turned corners
        np.testing.assert_array_equal(out[key], both[key])
    else:
        assert (out[key][..., :2] <= both[key][..., :2] + 1)[:3].all()
        assert (out[key][..., 2:] >= both[key][..., 2:] - 1)[:3].all()


def test_mixing_and_mosaic_of_a_batch():
    """Rows 2i and 2i+1, 4i to 4i+3; what is left over stays as it is."""
    batch = batch_of(range(5))
    batch["images"] = tf.cast(
        tf.ones_like(batch["images"], tf.int32)
        * 50
        * tf.reshape(tf.range(5), (5, 1, 1, 1)),
        tf.uint8,
    )
    out = apply(Transforms(cutmix=1.0), batch, KEY, positions(0, 5))
    assert out["labels_b"].numpy().tolist() == [1, 0, 3, 2, 4]
    assert float(out["mix"][4]) == 1
    for row, other in enumerate((1, 0, 3, 2, 4)):
        own = (out["images"][row].numpy() == 50 * row).mean()
        assert own == pytest.approx(float(out["mix"][row]), abs=1e-6)
        assert set(np.unique(out["images"][row])) <= {50 * row, 50 * other}
    out = apply(Transforms(mosaic=1.0), batch, KEY, positions(0, 5))
    for row in range(4):
        corners = out["images"][row].numpy()[[0, 0, -1, -1], [0, -1, 0, -1], 0]
        assert corners.tolist() == [50 * ((row + i) % 4) for i in range(4)]
    for key in batch:
        np.testing.assert_array_equal(out[key][4], batch[key][4])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rotate": 200}, "rotate=200 is not within 0..180"),
        ({"rand_augment": 5}, "rand_augment=5 is not within 0..4"),
        ({"expand": 0.5}, "expand=0.5 is not 0 or at least 1"),
        ({"fill": "wrap"}, "fill='wrap' is not one of"),
        ({"crop_size": (3,)}, r"crop_size=\(3,\) is not \(height, width\)"),
        ({"pca": 0.1}, "needs pca_axes: estimate them"),
    ],
)
def test_bad_knobs(options, message):
    with pytest.raises(ValueError, match=message):
        check(Transforms(**options))


@pytest.mark.parametrize(
    ("options", "shapes", "message"),
    [
        ({"flip": True}, {"images": (H, W, 3), "normals": ()}, "becomes of 'normals'"),
        ({"flip": True}, {"boxes": (3, 4)}, r"the batch has \['boxes'\]"),
        (
            {"zoom": 0.1, "fill": "reflect"},
            {"images": (H, W, 3), "boxes": (3, 4)},
            "that 'boxes' does not know",
        ),
        (
            {"mixup": 1.0},
            {"images": (H, W, 3), "flow": (H, W, 2)},
            "no true 'flow' for two blended",
        ),
        ({"crop_size": (H, W + 1)}, {"images": (H, W, 3)}, "is larger than"),
        ({"pca": 0.1}, {"images": (H, W, 1)}, "3 channels"),
    ],
)
def test_batches_that_cannot_be_changed(options, shapes, message):
    with pytest.raises(ValueError, match=message):
        knobs.check_batch(Transforms(**options), shapes)


def test_apply_checks():
    with pytest.raises(ValueError, match="zoom=2 is not"):
        apply(Transforms(zoom=2), batch_of([0]), KEY, positions(0, 1))
    with pytest.raises(ValueError, match="'depths'"):
        batch = batch_of([0], depths=np.zeros((H, W)))
        apply(Transforms(zoom=0.2), batch, KEY, positions(0, 1))


def test_compiled_functions_are_kept(changed):
    before = transforming._changer.cache_info().misses
    apply(MOST, batch_of(range(5, 10)), KEY, positions(7, 5))
    assert transforming._changer.cache_info().misses == before


@pytest.mark.slow
def test_everything_at_once_compiles():
    """XLA lacks some operations: each knob and key, as the plain functions.

    But for cutmix, which they do not know; that compiles alone.
    """
    every = Transforms(
        *(True, True, 20, 5, 0.2, 0.1, 0.1, 0.1, 2, 0.5, (32, 48), "constant", 9.0),
        *(0.3, 0.3, 0.3, 0.1, 0.1, 0.3, 0.1, ((0.1, 0.1, 0.1),) * 3, 1.0, 4.0, 0.3),
        *(0.0, 0.0, 0.5, 2, 9.0, 0.25, ((0, 1),), True),
    )
    more = other_keys()
    out = apply(every, batch_of(range(4), **more), KEY, positions(0, 4))
    assert out["images"].shape == (4, 32, 48, 3)
    samples = [objects((3 + i) % 4) | more for i in range(4)]
    random = random_numbers.uniforms(tf.constant(KEY), tf.constant(3, tf.int64))
    values = {name: float(value) for name, value in random.items()}
    plain = change(every, *samples, **values)
    for key, value in plain.items():
        differs = np.abs(out[key][3].numpy().astype(float) - value) > 1
        assert differs.mean() < 0.02, key
    batch = batch_of(range(4), **more)
    mixed = apply(Transforms(cutmix=1.0), batch, KEY, positions(0, 4))
    for key, value in batch.items():
        assert mixed[key].shape == value.shape, key
