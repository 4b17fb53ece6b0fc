import numpy as np
import pytest
from reader_files import assert_skipped, check_keys, read_all, write_picture

from kcv.data.readers import yolo
from kcv.data.readers.records import BadRecord

YAML = """path: .
train: images/train
val: images/val
names:
  0: nut
  1: bolt
"""


@pytest.fixture(name="root")
def root_fixture(tmp_path):
    for split in ("train", "val"):
        for name in "abc":
            write_picture(tmp_path / f"images/{split}/{name}.jpg")
    write_labels(tmp_path, "a", "1 0.5 0.5 1 1\n0 0.25 0.5 0.1 0.2\n")
    write_labels(tmp_path, "b", "")
    (tmp_path / "data.yaml").write_text(YAML)
    return tmp_path


def write_labels(root, name, text):
    file = root / f"labels/train/{name}.txt"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def opener(root, task="detection"):
    def open_split(max_bad_share):
        return yolo.open_split(root, "train", task=task, max_bad_share=max_bad_share)

    return open_split


def test_boxes_with_a_pencil(root):
    """0.25 +- 0.05 of 30 pixels are 6 and 9; 0.5 +- 0.1 of 20 are 8 and 12."""
    records = opener(root)(0.0)
    check_keys(records)
    first, empty, without_file = read_all(records)
    expected = [[0, 0, 30, 20], [6, 8, 9, 12]]
    np.testing.assert_allclose(first["boxes"], expected, atol=1e-5)
    assert first["classes"].tolist() == [1, 0]
    assert records.class_names == ("nut", "bolt")
    assert first["image_id"] == "a.jpg"
    assert empty["boxes"].shape == without_file["boxes"].shape == (0, 4)


def test_polygons(root):
    square = "0 0.2 0.3 0.4 0.3 0.4 0.6 0.2 0.6"
    write_labels(root, "a", square)
    expected = [[6, 6, 12, 12]]
    box = opener(root)(0.0).read(0)["boxes"]
    np.testing.assert_allclose(box, expected, atol=1e-5)
    record = opener(root, "instances")(0.0).read(0)
    check_keys(opener(root, "instances")(0.0))
    assert record["masks"].sum() == 36
    assert record["masks"][0, 6:12, 6:12].all()
    write_labels(root, "a", "0 0.5 0.5 0.1 0.1")
    with pytest.raises(BadRecord, match="a.txt: a box where a polygon belongs"):
        opener(root, "instances")(0.0).read(0)


@pytest.mark.parametrize(
    ("dims", "points", "expected"),
    [
        (3, "0.1 0.2 2 0.5 0.5 1 0.3 0.3 0", [[3, 4, 2], [15, 10, 1], [0, 0, 0]]),
        (2, "0.1 0.2 0.5 0.5 0 0", [[3, 4, 2], [15, 10, 2], [0, 0, 0]]),
    ],
)
def test_keypoints(root, dims, points, expected):
    (root / "data.yaml").write_text(YAML + f"kpt_shape: [3, {dims}]\n")
    write_labels(root, "a", f"1 0.5 0.5 1 1 {points}")
    records = opener(root, "keypoints")(0.0)
    check_keys(records)
    keypoints = records.read(0)["keypoints"]
    np.testing.assert_allclose(keypoints, [expected], atol=1e-5)


def test_picture_is_turned_upright(root):
    """Shares of the picture as a person sees it: 20 wide, 30 high."""
    write_picture(root / "images/train/a.jpg", orientation=6)
    record = opener(root)(0.0).read(0)
    assert record["images"].shape == (30, 20, 3)
    np.testing.assert_allclose(record["boxes"][1], [4, 12, 6, 18], atol=1e-5)


def test_other_layouts(root, tmp_path):
    assert yolo.open_split(root / "data.yaml", "validation").count == 3
    with pytest.raises(FileNotFoundError, match="no pictures for test.*labels/test"):
        yolo.open_split(root, "test")
    names = "\n".join(f"./images/train/{name}.jpg" for name in "ab")
    (root / "train.txt").write_text(names + "\n")
    (root / "data.yaml").write_text("train: [train.txt, images/val]\nnames: [a, b]\n")
    records = yolo.open_split(root, "train")
    assert records.count == 5
    assert sum(len(record["boxes"]) for record in read_all(records)) == 2
    (root / "data.yaml").unlink()
    (root / "classes.txt").write_text("nut\nbolt\n")
    assert yolo.open_split(root, "train").class_names == ("nut", "bolt")
    assert yolo.open_split(root, "train", class_names=["x", "y"]).read(0)["boxes"].any()


def test_roboflow_layout(tmp_path):
    write_picture(tmp_path / "valid/images/a.jpg")
    (tmp_path / "valid/labels").mkdir()
    (tmp_path / "valid/labels/a.txt").write_text("0 0.5 0.5 0.5 0.5")
    (tmp_path / "data.yaml").write_text("val: ../valid/images\nnc: 1\nnames: ['a']\n")
    assert len(yolo.open_split(tmp_path, "validation").read(0)["boxes"]) == 1


@pytest.mark.parametrize(
    ("line", "match"),
    [
        ("0 0.5 0.5 0 0.2", "box (0.5, 0.4, 0.5, 0.6) has no area"),
        ("0 0.5 0.5 -0.1 0.2", "has no area"),
        ("0 0.9 0.5 0.4 0.2", "lies outside of the image of 1 x 1"),
        ("0 15 10 4 4", "as if in pixels: give shares of width and height"),
        ("2 0.5 0.5 0.1 0.1", "class 2 of 2: mend it or the names"),
        ("-1 0.5 0.5 0.1 0.1", "class -1 of 2"),
        ("0.5 0.5 0.5 0.1 0.1", "class 0.5 of 2"),
        ("0 0.5 0.5 0.1", "4 numbers: expected class cx cy w h"),
        ("0 0.1 0.1 0.2 0.2 0.9", "6 numbers: expected"),
        ("0 0.1 0.1 0.2 0.2 0.3 0.1 0.2", "8 numbers: expected"),
        ("0 0.5 0.5 0.1 wide", "'wide' is no number"),
        ("0 0.5 0.5 0.1 nan", "'nan' is no number"),
        ("0 0.1 0.1 0.2 0.1 0.3 0.1", "has no area"),  # three points on a line
    ],
)
def test_fault_in_a_line(root, line, match):
    file = write_labels(root, "b", f"0 0.5 0.5 0.1 0.1\n\n{line}\n")
    assert_skipped(opener(root), match, 2)
    assert opener(root)(1.0).bad[0].startswith(f"{file}, line 3: ")


def test_box_that_only_the_size_of_the_picture_shows_outside(root):
    write_picture(root / "images/train/b.jpg", 200, 300)
    write_labels(root, "b", "0 0.91 0.5 0.2 0.2")  # sticks out by 3 pixels
    with pytest.raises(BadRecord, match="b.txt: box .* outside of the image of 300 x"):
        opener(root)(0.0).read(1)


def test_missing_empty_and_binary_files(root):
    write_labels(root, "b", "").write_bytes(b"\xff\xfe\x00")
    assert_skipped(opener(root), "b.txt: not a text file", 2)
    write_labels(root, "b", "")
    (root / "images/train/b.jpg").write_bytes(b"")
    assert_skipped(opener(root), "b.jpg: empty file", 2)
    (root / "images/train/b.jpg").unlink()
    (root / "list.txt").write_text("".join(f"images/train/{n}.jpg\n" for n in "abc"))
    (root / "data.yaml").write_text("train: list.txt\nnames: [a, b]\n")
    assert_skipped(opener(root), "b.jpg: no such file", 2)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("train: images/train\n", "no list of names: add it"),
        ("names: {1: a}\ntrain: images/train", "not numbered 0, 1, 2"),
        ("names: [a]\nnc: 2\ntrain: images/train", "nc is 2 of 1 names"),
        ("names: [a", "data.yaml: bad YAML: "),
        ("just text", "no YAML of names, train and val"),
        ("names: [a]\nkpt_shape: 17\ntrain: images/train", "kpt_shape 17 is not like"),
    ],
)
def test_fault_in_the_yaml(root, text, match):
    (root / "data.yaml").write_text(text)
    with pytest.raises(ValueError, match=match) as error:
        opener(root)(1.0)
    assert "\n" not in str(error.value)


def test_what_a_wrong_call_says(root):
    with pytest.raises(ValueError, match="task 'boxes' is not one of detection, inst"):
        yolo.open_split(root, "train", task="boxes")
    with pytest.raises(ValueError, match="split 'val' is not one of"):
        yolo.open_split(root, "val")
    with pytest.raises(ValueError, match="no kpt_shape"):
        yolo.open_split(root, "train", task="keypoints")
    with pytest.raises(FileNotFoundError, match="path is data.yaml or its folder"):
        yolo.open_split(root / "none", "train")
    (root / "data.yaml").write_text("names: [a]\ntrain: nowhere\n")
    with pytest.raises(FileNotFoundError, match="nowhere for train: mend data.yaml"):
        yolo.open_split(root, "train")
    (root / "data.yaml").unlink()
    with pytest.raises(ValueError, match="0 .yaml files and no classes.txt: name data"):
        yolo.open_split(root, "train")
