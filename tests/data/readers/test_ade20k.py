import numpy as np
import pytest
from PIL import Image
from reader_files import assert_skipped, check_keys, write_map, write_picture

from kcv.data.readers import ade20k
from kcv.data.readers.records import BadRecord

NUMBERS = np.arange(600).reshape(20, 30) % 151


@pytest.fixture(name="root")
def root_fixture(tmp_path):
    for number in (1, 2):
        stem = f"training/ADE_train_0000000{number}"
        write_picture(tmp_path / f"images/{stem}.jpg")
        write_map(tmp_path / f"annotations/{stem}.png", NUMBERS)
    return tmp_path


def test_other_is_not_counted_and_wall_is_class_0(root):
    records = ade20k.open_split(root, "train")
    check_keys(records)
    expected = np.where(NUMBERS == 0, 255, NUMBERS - 1)
    np.testing.assert_array_equal(records.read(0)["semantic"], expected)
    names = records.class_names
    assert len(set(names)) == len(names) == 150
    assert (names[0], names[12], names[20], names[149]) == (
        *("wall", "person", "car"),
        "flag",
    )


def test_malformed(root):
    file = root / "annotations/training/ADE_train_00000001.png"
    write_map(file, np.full((20, 30), 151))
    with pytest.raises(BadRecord, match="number 151 is no label"):
        ade20k.open_split(root, "train").read(0)
    file.unlink()

    def open_split(max_bad_share):
        return ade20k.open_split(root, "train", max_bad_share=max_bad_share)

    assert_skipped(open_split, "ADE_train_00000001.png: no such file", 1)


def test_what_a_wrong_call_says(root):
    with pytest.raises(
        ValueError, match="split 'test' is not one of train, validation"
    ):
        ade20k.open_split(root, "test")
    with pytest.raises(FileNotFoundError, match="images/validation: path is ADEChall"):
        ade20k.open_split(root, "validation")


def test_codes_of_the_full_set(tmp_path):
    """Red 120, green 17 is class 12 * 256 + 17; blues are counted by their value."""
    colours = np.zeros((2, 3, 3), np.uint8)
    colours[0] = (120, 17, 200)
    colours[1, 0] = (0, 5, 31)
    Image.fromarray(colours).save(tmp_path / "a_seg.png")
    classes, instances = ade20k.read_full(tmp_path / "a_seg.png")
    assert classes.tolist() == [[3089] * 3, [5, 0, 0]]
    assert instances.tolist() == [[2] * 3, [1, 0, 0]]
    assert classes.dtype == instances.dtype == np.int32
