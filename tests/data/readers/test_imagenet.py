import numpy as np
import pytest
from reader_files import assert_skipped, check_keys, read_all, write_picture
from scipy import io

from kcv.data.readers import imagenet

SYNSETS = ("n01440764", "n01443537", "n01484850")
SOLUTION = """ImageId,PredictionString
ILSVRC2012_val_00000002,n01484850 85 1 499 272 n01484850 1 1 9 9{space}
ILSVRC2012_val_00000001,n01440764 111 108 230 173{space}
ILSVRC2012_val_00000003,n01484850 3 4 5 6
"""


def write_train(data):
    for synset in SYNSETS:
        write_picture(data / f"train/{synset}/{synset}_10026.JPEG")


def write_flat(data):
    for number in (1, 2, 3):
        write_picture(data / f"val/ILSVRC2012_val_0000000{number}.JPEG")


def write_kit(root, numbers):
    """ILSVRC2012_ID is not alphabetical: that of n01484850 is 1."""
    synsets = np.zeros(3, [("ILSVRC2012_ID", object), ("WNID", object)])
    synsets[:] = [(2, SYNSETS[0]), (3, SYNSETS[1]), (1, SYNSETS[2])]
    (root / "data").mkdir()
    io.savemat(root / "data/meta.mat", {"synsets": synsets})
    text = "".join(f"{n}\n" for n in numbers)
    (root / "data/ILSVRC2012_validation_ground_truth.txt").write_text(text)


def labels(records):
    return [int(record["labels"]) for record in read_all(records)]


def opener(root):
    def open_split(max_bad_share):
        return imagenet.open_split(root, "validation", max_bad_share=max_bad_share)

    return open_split


def test_training_folders(tmp_path):
    write_train(tmp_path)
    text = "n01440764 tench, Tinca tinca\nn01484850 great white shark\n"
    (tmp_path / "LOC_synset_mapping.txt").write_text(text)
    (tmp_path / "train/notes").mkdir()
    records = imagenet.open_split(tmp_path, "train")
    check_keys(records)
    assert labels(records) == [0, 1, 2]
    assert records.class_names[0] == "n01440764 tench, Tinca tinca"
    assert records.class_names[1] == "n01443537"
    assert records.read(0)["image_id"] == "n01440764_10026"


def test_kaggle_layout_with_its_solution(tmp_path):
    data = tmp_path / "ILSVRC/Data/CLS-LOC"
    write_train(data)
    write_flat(data)
    (tmp_path / "LOC_val_solution.csv").write_text(SOLUTION.format(space=" "))
    records = opener(tmp_path)(0.0)
    check_keys(records)
    assert labels(records) == [0, 2, 2]
    assert records.read(0)["image_id"] == "ILSVRC2012_val_00000001"
    assert records.class_names == SYNSETS


def test_ground_truth_of_the_development_kit(tmp_path):
    write_train(tmp_path)
    write_flat(tmp_path)
    write_kit(tmp_path, [2, 1, 3])
    assert labels(opener(tmp_path)(0.0)) == [0, 2, 1]


def test_validation_sorted_into_folders(tmp_path):
    write_train(tmp_path)
    write_picture(tmp_path / "val/n01484850/ILSVRC2012_val_00000002.JPEG")
    assert labels(opener(tmp_path)(0.0)) == [2]


def test_picture_is_shown_upright(tmp_path):
    file = tmp_path / "train/n01440764/a.jpeg"
    file.parent.mkdir(parents=True)
    write_picture(file.with_suffix(".jpg"), orientation=6).rename(file)
    record = imagenet.open_split(tmp_path, "train").read(0)
    assert record["images"].shape == (30, 20, 3)


def test_malformed(tmp_path):
    write_train(tmp_path)
    write_flat(tmp_path)
    solution = tmp_path / "LOC_val_solution.csv"
    good = SOLUTION.format(space="")
    solution.write_text(good.replace("00003,n01484850", "00003,n09999999"))
    match = "val_00000003.JPEG: synset 'n09999999' is not in the training folder"
    assert_skipped(opener(tmp_path), match, 2)
    solution.write_text(good.replace("00003,n01484850", "00003,"))
    assert_skipped(opener(tmp_path), "row 4 is not an id and a synset", 2)
    solution.write_text(good)
    (tmp_path / "val/ILSVRC2012_val_00000003.JPEG").write_bytes(b"")
    assert_skipped(opener(tmp_path), "val_00000003.JPEG: empty file", 2)
    (tmp_path / "val/ILSVRC2012_val_00000003.JPEG").unlink()
    assert_skipped(opener(tmp_path), "val_00000003.JPEG: no such file", 2)


def test_ground_truth_that_does_not_fit(tmp_path):
    write_flat(tmp_path)
    write_kit(tmp_path, [2, 1])
    with pytest.raises(ValueError, match="ground_truth.txt: 2 lines for 3 pictures"):
        opener(tmp_path)(1.0)
    truth = tmp_path / "data/ILSVRC2012_validation_ground_truth.txt"
    for wrong in ("9", "dog"):
        truth.write_text(f"2\n1\n{wrong}\n")
        with pytest.raises(ValueError, match=f"'{wrong}' is not in .*meta.mat"):
            opener(tmp_path)(1.0)


def test_damaged_meta(tmp_path):
    write_flat(tmp_path)
    write_kit(tmp_path, [2, 1, 3])
    file = tmp_path / "data/meta.mat"
    for content in (b"", file.read_bytes()[:-90]):
        file.write_bytes(content)
        with pytest.raises(
            ValueError, match=r"meta.mat: no synsets \(.*unpack the kit"
        ):
            opener(tmp_path)(1.0)


def test_what_a_wrong_call_says(tmp_path):
    with pytest.raises(
        ValueError, match="split 'test' is not one of train, validation"
    ):
        imagenet.open_split(tmp_path, "test")
    with pytest.raises(
        FileNotFoundError, match="val: path is the folder with train and"
    ):
        opener(tmp_path)(1.0)
    write_flat(tmp_path)
    with pytest.raises(FileNotFoundError, match="no LOC_val_solution.csv, nor ILSVRC"):
        opener(tmp_path)(1.0)
