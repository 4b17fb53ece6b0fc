import numpy as np
import pytest
from reader_files import assert_skipped, check_keys, read_all, write_picture

from kcv.data.readers import cub
from kcv.data.readers.records import BadRecord

NAMES = ("001.Black_footed_Albatross/A_1.jpg", "001.Black_footed_Albatross/A_2.jpg")
NAMES += ("002.Laysan_Albatross/L_1.jpg", "002.Laysan_Albatross/L_2.jpg")
TABLES = {
    "images.txt": "".join(f"{n} {name}\n" for n, name in enumerate(NAMES, 1)),
    "image_class_labels.txt": "1 1\n2 1\n3 2\n4 2\n",
    "classes.txt": "1 001.Black_footed_Albatross\n2 002.Laysan_Albatross\n",
    "train_test_split.txt": "1 1\n2 0\n3 1\n4 1\n",
    "bounding_boxes.txt": "1 6.0 2.0 20.0 15.0\n2 0.0 0.0 30.0 20.0\n"
    "3 1.0 1.0 29.5 19.0\n4 3.0 3.0 5.0 5.0\n",
    "parts/parts.txt": "1 back\n2 beak\n3 left eye\n",
    "parts/part_locs.txt": "".join(
        f"{n} 1 12.0 8.0 1\n{n} 2 0.0 0.0 0\n{n} 3 7.0 9.0 1\n" for n in (1, 2, 3, 4)
    ),
    "attributes/image_attribute_labels.txt": "".join(
        f"{n} 1 0 3 27.7\n{n} 2 1 4 1.5\n" for n in (1, 2, 3, 4)
    ),
    "attributes/class_attribute_labels_continuous.txt": "25.0 75.0\n100 0\n",
}


@pytest.fixture(name="root")
def root_fixture(tmp_path):
    root = tmp_path / "CUB_200_2011"
    for name in NAMES:
        write_picture(root / "images" / name)
    for name, text in TABLES.items():
        write(root, name, text)
    text = "1 has_bill_shape::curved\n2 has_bill_shape::dagger\n"
    (tmp_path / "attributes.txt").write_text(text)
    return root


def write(root, name, text):
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text)


def opener(root):
    def open_split(max_bad_share):
        return cub.open_split(root, "train", max_bad_share=max_bad_share)

    return open_split


def test_every_truth_of_a_bird(root):
    records = cub.open_split(root.parent, "train")
    check_keys(records)
    first, second, third = read_all(records)
    assert [int(record["labels"]) for record in (first, second, third)] == [0, 1, 1]
    np.testing.assert_array_equal(first["boxes"], [[6, 2, 26, 17]])
    np.testing.assert_array_equal(second["boxes"], [[1, 1, 30, 20]])  # clipped
    expected = [[[12, 8, 2], [0, 0, 0], [7, 9, 2]]]
    np.testing.assert_array_equal(first["keypoints"], expected)
    assert first["attributes"].tolist() == [0, 1]
    assert records.class_names[1] == "002.Laysan_Albatross"
    assert records.keys["keypoints"][0] == (None, 3, 3)
    assert records.keys["attributes"][0] == (2,)
    assert cub.open_split(root, "test").read(0)["image_id"] == "A_2"


def test_attributes_of_classes(root):
    assert cub.attribute_names(root)[1] == "has_bill_shape::dagger"
    np.testing.assert_allclose(cub.class_attributes(root), [[0.25, 0.75], [1, 0]])
    (root / "attributes/class_attribute_labels_continuous.txt").unlink()
    with pytest.raises(FileNotFoundError, match="continuous.txt: unpack"):
        cub.class_attributes(root)


def test_lines_of_attributes_with_more_columns(root):
    """The real file has some, as "2275 10 1 2 0 3 21.4"."""
    text = TABLES["attributes/image_attribute_labels.txt"]
    text = text.replace("1 1 0 3 27.7", "1 1 1 2 0 3 21.4", 1)
    write(root, "attributes/image_attribute_labels.txt", text)
    assert cub.open_split(root, "train").read(0)["attributes"].tolist() == [1, 1]


@pytest.mark.parametrize(
    ("table", "old", "new", "match"),
    [
        (
            "bounding_boxes.txt",
            "3 1.0 1.0 29.5",
            "3 1.0 1.0 0",
            "has no area: mend bou",
        ),
        (
            "bounding_boxes.txt",
            "3 1.0 1.0 29.5 19.0",
            "3 1.0 wide",
            "is not x, y, width",
        ),
        (
            "bounding_boxes.txt",
            "3 1.0 1.0 29.5 19.0\n",
            "",
            "image 3 is not in bounding",
        ),
        ("image_class_labels.txt", "3 2", "3 3", "class 3 of 2: mend image_class_lab"),
        ("images.txt", f"3 {NAMES[2]}\n", "", "image 3: image 3 is not in images.txt"),
        ("images.txt", NAMES[2], "002.Laysan_Albatross/no.jpg", "no.jpg: no such file"),
        (
            "parts/part_locs.txt",
            "3 1 12.0 8.0 1\n3 2 0.0 0.0 0\n3 3 7.0 9.0 1\n",
            "",
            "p",
        ),
        (
            *("attributes/image_attribute_labels.txt", "3 1 0 3 27.7\n3 2 1 4 1.5\n"),
            *("", "image 3 is not in image_attribute_labels.txt: add it"),
        ),
    ],
)
def test_fault_in_a_table(root, table, old, new, match):
    write(root, table, TABLES[table].replace(old, new))
    assert TABLES[table] != (root / table).read_text()
    assert_skipped(opener(root), match, 2)


def test_box_outside_is_found_when_read(root):
    text = TABLES["bounding_boxes.txt"].replace("1 6.0 2.0 20.0", "1 6.0 2.0 40.0")
    write(root, "bounding_boxes.txt", text)
    with pytest.raises(BadRecord, match=r"A_1.jpg: box \(6, 2, 46, 17\) lies outside"):
        cub.open_split(root, "train").read(0)


@pytest.mark.parametrize(
    ("table", "text", "match"),
    [
        ("classes.txt", "1\n", "classes.txt: line 1 has one word"),
        ("parts/part_locs.txt", "1 9 1 1 1\n", "part_locs.txt: 1 '9 1 1 1' is no part"),
        ("image_class_labels.txt", "1 x\n", "'1 x' is no image and class: mend it"),
        ("attributes/image_attribute_labels.txt", "1 1\n", "'1 1' is no attribute: m"),
        ("attributes/image_attribute_labels.txt", "1 9 1 1\n", "'1 9 1 1' is no attr"),
        ("parts/part_locs.txt", "1 one 1 1 1\n", "is no part: mend it"),
    ],
)
def test_damaged_tables(root, table, text, match):
    write(root, table, text)
    with pytest.raises(ValueError, match=match):
        cub.open_split(root, "train")


@pytest.mark.parametrize("table", ["classes.txt", "images.txt", "parts/parts.txt"])
def test_missing_tables(root, table):
    (root / table).unlink()
    with pytest.raises(FileNotFoundError, match=f"no .*{table.split('/')[-1]}"):
        cub.open_split(root, "train")


def test_missing_attributes(root):
    (root / "attributes/image_attribute_labels.txt").unlink()
    with pytest.raises(FileNotFoundError, match="image_attribute_labels.txt: unpack"):
        cub.open_split(root, "train")
    (root.parent / "attributes.txt").unlink()
    with pytest.raises(FileNotFoundError, match="attributes.txt: unpack"):
        cub.attribute_names(root)


def test_there_is_no_validation_split(root):
    with pytest.raises(ValueError, match="'validation' is not one of train, test: CUB"):
        cub.open_split(root, "validation")
