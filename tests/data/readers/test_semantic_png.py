import numpy as np
import pytest
from reader_files import assert_skipped, check_keys, write_map, write_picture

from kcv.data.readers import semantic_png
from kcv.data.readers.records import BadRecord

NAMES = ("background", "road", "sky")
LABELS = np.arange(600).reshape(20, 30) % 3


@pytest.fixture(name="root")
def root_fixture(tmp_path):
    for name in ("a", "deep/b"):
        write_picture(tmp_path / f"images/train/{name}.jpg")
        write_map(tmp_path / f"masks/train/{name}.png", LABELS)
    return tmp_path


def opener(root, **options):
    def open_split(max_bad_share):
        options.setdefault("class_names", NAMES)
        return semantic_png.open_split(
            root, "train", max_bad_share=max_bad_share, **options
        )

    return open_split


def test_pairs_of_picture_and_mask(root):
    records = opener(root)(0.0)
    assert records.count == 2
    check_keys(records)
    np.testing.assert_array_equal(records.read(1)["semantic"], LABELS)
    assert records.read(1)["image_id"] == "b"
    assert records.class_names == NAMES


def test_numbers_that_do_not_count(root):
    semantic = opener(root, ignore=(0, 255))(0.0).read(0)["semantic"]
    np.testing.assert_array_equal(semantic, np.where(LABELS == 0, 255, LABELS))


def test_picture_that_exif_turns_follows_its_mask(root):
    write_picture(root / "images/train/a.jpg", 30, 20, orientation=6)
    record = opener(root)(0.0).read(0)
    assert record["images"].shape == (20, 30, 3)
    write_picture(root / "images/train/a.jpg", 20, 30, orientation=6)
    assert opener(root)(0.0).read(0)["images"].shape == (20, 30, 3)


def test_missing_and_empty_files(root):
    (root / "masks/train/a.png").write_bytes(b"")
    assert_skipped(opener(root), "masks/train/a.png: empty file", 1)
    (root / "masks/train/a.png").unlink()
    assert_skipped(opener(root), "masks/train/a.png: no such file", 1)


def test_what_is_found_when_read(root):
    write_map(root / "masks/train/a.png", np.full((20, 30), 3))
    with pytest.raises(BadRecord, match="a.png: number 3 is no label of this data set"):
        opener(root)(0.0).read(0)
    write_map(root / "masks/train/a.png", np.zeros((20, 31)))
    with pytest.raises(BadRecord, match="a.png: 31 x 20 pixels.*its picture has"):
        opener(root)(0.0).read(0)
    write_map(root / "masks/train/a.png", np.zeros((30, 20)))
    with pytest.raises(BadRecord, match="a.jpg: 30 x 20 pixels.*has 20 x 30"):
        opener(root)(0.0).read(0)


def test_what_a_wrong_call_says(root):
    with pytest.raises(FileNotFoundError, match="images/val: put pictures into"):
        semantic_png.open_split(root, "validation", class_names=NAMES)
    with pytest.raises(ValueError, match="split 'val' is not one of train, validation"):
        semantic_png.open_split(root, "val", class_names=NAMES)
