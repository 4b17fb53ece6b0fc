"""Batches of records: fixed shapes, the same order and pixels however they are cut."""

import logging

import numpy as np
import pytest

from kcv import data
from kcv.data import structured
from kcv.data.readers.records import BadRecord, Records
from kcv.data.transforms import Transforms

KEYS = {
    "images": ((None, None, 3), "uint8"),
    "boxes": ((None, 4), "float32"),
    "classes": ((None,), "int32"),
    "captions": ((None,), "str"),
    "image_id": ((), "str"),
}
SHAPE, RANGE = (16, 24, 3), (-1.0, 1.0)


def make_source(count=23, bad=(), max_bad_share=0.2):
    def read(index):
        if index in bad:
            raise BadRecord(f"{index}.jpg: broken")
        rng = np.random.default_rng(index)
        size = rng.integers(10, 40, 2)
        objects = index % 4
        return {
            "images": rng.integers(0, 255, (*size, 3), np.uint8),
            "boxes": np.tile(np.float32([1, 2, 8, 9]), (objects, 1)),
            "classes": np.full(objects, index, np.int32),
            "captions": ["é", "b"],
            "image_id": str(index),
        }

    records = Records(
        "test", count, read, KEYS, ("a",), "f", max_bad_share=max_bad_share
    )
    return structured.source_of(records)


def run(source, **options):
    options = {"epoch": 0, **options}
    batches = data.structured_batches(source, 5, SHAPE, RANGE, **options)
    return list(batches.as_numpy_iterator())


def ids(batches):
    return [int(i) for batch in batches for i in batch["image_id"]]


def test_shapes_types_and_contents():
    slots = data.Slots(objects=3, captions=4)
    batches = data.structured_batches(make_source(), 5, SHAPE, RANGE, slots=slots)
    spec = batches.element_spec
    assert {key: tuple(value.shape) for key, value in spec.items()} == {
        "images": (None, 16, 24, 3),
        "boxes": (None, 3, 4),
        "classes": (None, 3),
        "captions": (None, 4),
        "image_id": (None,),
    }
    rows = list(batches.as_numpy_iterator())
    assert ids(rows) == list(range(23))  # natural order without an epoch
    batch = rows[0]
    assert batch["images"].dtype == np.float32
    assert -1 <= batch["images"].min() < -0.5 < 0.5 < batch["images"].max() <= 1
    np.testing.assert_array_equal(batch["classes"][3], [3, 3, 3])
    np.testing.assert_array_equal(batch["classes"][1], [1, -1, -1])
    assert [text.decode() for text in batch["captions"][2]] == ["é", "b", "", ""]


def test_epochs_are_shuffled_and_repeatable():
    first, again = run(make_source()), run(make_source())
    assert sorted(ids(first)) == list(range(23))
    assert ids(first) == ids(again) != ids(run(make_source(), epoch=1))
    assert ids(first) != ids(run(make_source(), seed=1))


@pytest.mark.parametrize("start", [0, 2, 5])
def test_a_restart_sees_the_rest(start):
    options = {"mode": "crop", "seed": 3}
    whole = run(make_source(), **options)
    rest = run(make_source(), start_step=start, **options)
    assert len(rest) == len(whole) - start
    for batch, expected in zip(rest, whole[start:]):
        for key, value in expected.items():
            np.testing.assert_array_equal(batch[key], value)


def test_workers_share_a_batch():
    whole = run(make_source())
    parts = [run(make_source(), replicas=(i, 1, 3)) for i in range(3)]
    for step, batch in enumerate(whole):
        joined = np.concatenate([part[step]["images"] for part in parts])
        np.testing.assert_array_equal(joined, batch["images"])
    both = run(make_source(), replicas=(0, 2, 2))  # one worker with two devices
    assert len(both) == 2 * len(whole)
    assert ids(both) == ids(whole)


def test_a_malformed_record_gives_its_place_to_the_next(caplog):
    with caplog.at_level(logging.WARNING):
        batches = data.structured_batches(make_source(bad=(7, 8)), 5, SHAPE, RANGE)
        seen = ids(list(batches.as_numpy_iterator()))
    assert seen == [*range(7), 9, 9, *range(9, 23)]
    assert "7.jpg: broken" in caplog.text


def test_too_many_malformed_records_stop_the_run():
    source = make_source(bad=(3, 4, 5, 6), max_bad_share=0.1)
    with pytest.raises(Exception, match="more than max_bad_share=10.0%"):
        run(source)


def test_wrong_arguments():
    with pytest.raises(ValueError, match="letterbox"):
        run(make_source(), mode="squeeze")
    with pytest.raises(ValueError, match="start_step 9"):
        run(make_source(), start_step=9)
    with pytest.raises(ValueError, match="image_shape"):
        data.structured_batches(make_source(), 5, (16, 24, 2), RANGE)


def test_unknown_names_and_options(tmp_path):
    with pytest.raises(ValueError, match="'coco:PATH'"):
        data.source("cocoo:x", "train")
    with pytest.raises(ValueError, match="unknown data 'cocoo:/x': .*'coco:PATH'"):
        data.source("cocoo:/x", "train")
    with pytest.raises(ValueError, match="no option 'colour'; known: .*max_bad_share"):
        data.source(f"voc:{tmp_path}", "train", colour=3)
    with pytest.raises(FileNotFoundError):
        data.source(f"coco:{tmp_path / 'none'}", "train")


def test_examples_of_digits_and_of_the_stereo_pair():
    records, source = data.examples("digits", "test", 3)
    assert len(records) == 3
    assert records[0]["images"].shape == (64, 64, 1)
    assert source.class_names[0] == "0"
    (pair,), source = data.examples("motorcycle", "test", 1)
    assert pair["disparity"].shape[:2] == pair["images"].shape[:2]


def test_images_with_labels_are_a_classification_set():
    def read(index):
        image = np.full((9, 7, 3), index, np.uint8)
        return {"images": image, "labels": index % 3, "image_id": "x"}

    keys = {
        "images": ((None, None, 3), "uint8"),
        "labels": ((), "int32"),
        "image_id": ((), "str"),
    }
    source = structured.source_of(Records("test", 8, read, keys, ("a",) * 3, "f"))
    np.testing.assert_array_equal(data.labels(source), np.arange(8) % 3)
    (batch,) = data.batches(source, 8, (4, 4, 3), (0.0, 255.0), epoch=0)
    np.testing.assert_array_equal(batch["images"][:, 0, 0, 0] % 3, batch["labels"])
    with pytest.raises(ValueError, match="no classification set: .*boxes"):
        data.batches(make_source(), 8, (4, 4, 3), (0.0, 1.0))


@pytest.mark.parametrize(
    "knobs", [{"mosaic": 1.0}, {"mixup": 0.4}, {"rotate": 20, "flip": True}]
)
def test_transformed_rows_are_the_same_for_any_number_of_workers(knobs):
    options = {"transforms": Transforms(**knobs)}
    whole = run(make_source(), **options)
    parts = [run(make_source(), replicas=(i, 1, 2), **options) for i in range(2)]
    for step, batch in enumerate(whole):
        for key in ("images", "boxes", "classes"):
            joined = np.concatenate([part[step][key] for part in parts])
            np.testing.assert_array_equal(joined, batch[key])
    plain = run(make_source())
    assert not np.array_equal(plain[0]["images"], whole[0]["images"])


def test_keys_that_vary_without_slots_are_left_out():
    keys = {
        "frames": ((None, None, None, 3), "uint8"),
        "labels": ((), "int32"),
        "program": ((None,), "int32"),
    }

    def read(index):
        frames = np.zeros((index + 1, 5, 6, 3), np.uint8)
        frames[-1] = 200
        return {"frames": frames, "labels": index, "program": [1] * index}

    source = structured.source_of(Records("test", 4, read, keys, ("a",) * 4, "f"))
    slots = data.Slots(frames=3)
    (batch,) = data.structured_batches(source, 4, (5, 6, 3), (0.0, 255.0), slots=slots)
    assert set(batch) == {"frames", "labels"}
    expected = [[200, 200, 200], [0, 200, 200], [0, 0, 200], [0, 0, 0]]
    np.testing.assert_array_equal(batch["frames"][:, :, 0, 0, 0], expected)
