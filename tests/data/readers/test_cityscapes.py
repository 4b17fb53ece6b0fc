import numpy as np
import pytest
from reader_files import assert_skipped, check_keys, write_map, write_picture

from kcv.data.readers import cityscapes
from kcv.data.readers.records import BadRecord

STEMS = ("aachen/aachen_000000_000019", "bochum/bochum_000000_000313")


@pytest.fixture(name="root")
def root_fixture(tmp_path):
    labels = np.arange(600).reshape(20, 30) % 34
    instances = np.where(labels == 26, 26001, labels)
    instances[0] = 24000
    instances[1] = 25  # a group of riders
    for stem in STEMS:
        write_picture(tmp_path / f"leftImg8bit/train/{stem}_leftImg8bit.png")
        write_map(tmp_path / f"gtFine/train/{stem}_gtFine_labelIds.png", labels)
        file = tmp_path / f"gtFine/train/{stem}_gtFine_instanceIds.png"
        write_map(file, instances, "I;16")
    return tmp_path


def opener(root, task="segmentation"):
    def open_split(max_bad_share):
        return cityscapes.open_split(
            root, "train", task=task, max_bad_share=max_bad_share
        )

    return open_split


def test_label_ids_become_train_ids(root):
    """road is 7 -> 0, car 26 -> 13, bicycle 33 -> 18; the set's documentation."""
    records = opener(root)(0.0)
    check_keys(records)
    semantic = records.read(0)["semantic"].ravel()[:34]
    assert semantic[[7, 8, 11, 21, 24, 26, 33]].tolist() == [0, 1, 2, 8, 11, 13, 18]
    assert semantic[[0, 1, 6, 9, 14, 29, 30]].tolist() == [255] * 7
    assert sorted(set(semantic.tolist())) == [*range(19), 255]
    assert records.class_names[13] == "car"
    assert len(records.class_names) == 19


def test_instances_and_groups(root):
    records = opener(root, "instances")(0.0)
    check_keys(records)
    assert records.class_names == (
        *("person", "rider", "car", "truck", "bus"),
        *("train", "motorcycle", "bicycle"),
    )
    record = records.read(0)
    found = dict(zip(record["classes"].tolist(), record["crowd"].tolist()))
    assert found[2] == 0  # 26001, a car
    assert found[1] == 1  # bare 25, riders
    people = record["masks"][(record["classes"] == 0) & (record["crowd"] == 0)]
    assert people[0, 0].all()
    assert people.sum() == 30
    assert record["image_id"] == "aachen_000000_000019"


def test_picture_without_truth_and_labels_beyond_the_table(root):
    file = root / f"gtFine/train/{STEMS[0]}_gtFine_labelIds.png"
    write_map(file, np.full((20, 30), 34))
    with pytest.raises(BadRecord, match="labelIds.png: number 34 is no label"):
        opener(root)(0.0).read(0)
    file.unlink()
    assert_skipped(opener(root), "aachen_000000_000019_gtFine_labelIds.png: no such", 1)
    file = root / f"gtFine/train/{STEMS[0]}_gtFine_instanceIds.png"
    write_map(file, np.full((20, 30), 34001), "I;16")
    with pytest.raises(BadRecord, match="number 34001 is no instance"):
        opener(root, "instances")(0.0).read(0)
    file.unlink()
    assert_skipped(opener(root, "instances"), "instanceIds.png: no such file", 1)


def test_what_a_wrong_call_says(root):
    with pytest.raises(ValueError, match="task 'depth' is not one of segmentation, in"):
        cityscapes.open_split(root, "train", task="depth")
    with pytest.raises(ValueError, match="split 'val' is not one of"):
        cityscapes.open_split(root, "val")
    with pytest.raises(FileNotFoundError, match="leftImg8bit/val: path is the folder"):
        cityscapes.open_split(root, "validation")
