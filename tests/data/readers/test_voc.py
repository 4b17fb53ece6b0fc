import numpy as np
import pytest
from reader_files import assert_skipped, check_keys, read_all, write_map, write_picture

from kcv.data.readers import voc
from kcv.data.readers.records import BadRecord

XML = """<annotation>
  <folder>VOC2012</folder><filename>{name}.jpg</filename>
  <source><database>The VOC2007 Database</database></source>
  <size><width>{width}</width><height>20</height><depth>3</depth></size>
  <segmented>0</segmented>
{things}
</annotation>"""
THING = """  <object>
    <name>{name}</name><pose>Left</pose><truncated>1</truncated>
    <difficult>{difficult}</difficult>
    <part><name>head</name><bndbox><xmin>3</xmin><ymin>4</ymin><xmax>5</xmax>
      <ymax>6</ymax></bndbox></part>
    <bndbox><xmin>{0}</xmin><ymin>{1}</ymin><xmax>{2}</xmax><ymax>{3}</ymax></bndbox>
  </object>"""


def thing(name, *box, difficult=0):
    return THING.format(*box, name=name, difficult=difficult)


def write_xml(root, name, *things, width=30):
    file = root / "Annotations" / f"{name}.xml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(XML.format(name=name, width=width, things="\n".join(things)))
    return file


@pytest.fixture(name="root")
def root_fixture(tmp_path):
    root = tmp_path / "VOCdevkit/VOC2012"
    names = ("2007_000027", "2007_000032", "2007_000033")
    for name in names:
        write_picture(root / f"JPEGImages/{name}.jpg")
    write_xml(root, names[0], thing("dog", 1, 1, 30, 20), thing("cat", 2, 3, "4.5", 6))
    write_xml(root, names[1], thing("tvmonitor", 5, 6, 7, 8, difficult=1))
    write_xml(root, names[2])
    classes, objects = np.zeros((20, 30), int), np.zeros((20, 30), int)
    classes[2:10, 3:12], objects[2:10, 3:12] = 12, 1  # dog
    classes[12:18, 20:28], objects[12:18, 20:28] = 20, 2  # tvmonitor
    classes[2, 3:12] = objects[2, 3:12] = classes[12, 20:28] = 255
    for name in names:
        write_map(root / f"SegmentationClass/{name}.png", classes, "P")
        write_map(root / f"SegmentationObject/{name}.png", objects, "P")
    for kind, split in (("Main", "train"), ("Segmentation", "train"), ("Main", "val")):
        file = root / f"ImageSets/{kind}/{split}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("\n".join(names[: 3 if split == "train" else 1]) + "\n")
    return root


def opener(root, task="detection"):
    def open_split(max_bad_share):
        return voc.open_split(root, "train", task=task, max_bad_share=max_bad_share)

    return open_split


def test_boxes_with_a_pencil(root):
    """1, 1, 30, 20 is all of 30 x 20 pixels; 2..4.5 begins after one pixel."""
    records = opener(root)(0.0)
    check_keys(records)
    first, second, third = read_all(records)
    np.testing.assert_array_equal(first["boxes"], [[0, 0, 30, 20], [1, 2, 4.5, 6]])
    assert [voc.CLASSES[c] for c in first["classes"]] == ["dog", "cat"]
    assert first["crowd"].tolist() == [0, 0]
    assert second["crowd"].tolist() == [1]  # difficult
    assert second["classes"].tolist() == [19]
    assert second["image_id"] == "2007_000032"
    assert third["boxes"].shape == (0, 4)
    assert len(set(voc.CLASSES)) == 20
    assert records.class_names == voc.CLASSES


def test_any_of_the_folders_and_lists(root):
    for path in (root, root.parent, root.parent.parent):
        assert voc.open_split(path, "validation").count == 1
    assert voc.open_split(root, "train", list_name="val").count == 1
    with pytest.raises(FileNotFoundError, match="no list .*Main/test.txt: write one"):
        voc.open_split(root, "test")
    with pytest.raises(FileNotFoundError, match="VOC2007.*path is VOCdevkit"):
        voc.open_split(root.parent, "train", year="2007")


def test_own_folder_without_lists_and_with_own_classes(tmp_path):
    write_picture(tmp_path / "JPEGImages/a.png")
    write_xml(tmp_path, "a", thing("bolt", 0, 0, 9, 9))  # counted from 0: clipped
    records = voc.open_split(tmp_path, "train", class_names=("nut", "bolt"))
    record = records.read(0)
    assert record["classes"].tolist() == [1]
    np.testing.assert_array_equal(record["boxes"], [[0, 0, 9, 9]])


def test_semantic_map_is_the_palette_index(root):
    records = opener(root, "segmentation")(0.0)
    check_keys(records)
    semantic = records.read(0)["semantic"]
    assert np.unique(semantic).tolist() == [0, 12, 20, 255]
    assert records.class_names[12] == "dog"
    assert records.class_names[0] == "background"


def test_instances_have_the_class_of_their_pixels_and_no_contour(root):
    records = opener(root, "instances")(0.0)
    check_keys(records)
    record = records.read(0)
    assert [records.class_names[c] for c in record["classes"]] == ["dog", "tvmonitor"]
    assert record["masks"].sum((1, 2)).tolist() == [7 * 9, 6 * 8]
    expected = [[3, 3, 12, 10], [20, 12, 28, 18]]
    np.testing.assert_array_equal(record["boxes"], expected)


@pytest.mark.parametrize(
    ("things", "match"),
    [
        ([thing("unicorn", 1, 1, 5, 5)], "unknown class 'unicorn': mend it or state"),
        ([thing("dog", 5, 1, 4, 5)], "box (4, 0, 4, 5) has no area: draw it again"),
        ([thing("dog", 1, 1, 32, 5)], "lies outside of the image of 30 x 20"),
        ([thing("dog", 1, "one", 3, 5)], "ymin is 'one', not a number"),
        ([thing("dog", 1, 1, 3, 5).replace("xmax", "xmux")], "xmax is None"),
        ([thing("dog", 1, 1, 3, 5).replace("bndbox", "box")], "'dog' without bndbox"),
        ([thing("dog", 1, "nan", 3, 5)], "ymin is 'nan', not a number"),
        (["<object>"], "bad XML (mismatched tag"),
    ],
)
def test_fault_in_the_xml(root, things, match):
    write_xml(root, "2007_000032", *things)
    assert_skipped(opener(root), match, 2)
    assert "2007_000032.xml: " in opener(root)(1.0).bad[0]


def test_size_that_is_no_number(root):
    write_xml(root, "2007_000032", width="inf")
    assert_skipped(opener(root), "size/width is 'inf', not a number", 2)


def test_missing_and_empty_files(root):
    (root / "Annotations/2007_000032.xml").write_text("")
    assert_skipped(opener(root), "2007_000032.xml: bad XML (no element found", 2)
    (root / "Annotations/2007_000032.xml").unlink()
    assert_skipped(opener(root), "2007_000032.xml: no such file", 2)
    (root / "SegmentationObject/2007_000032.png").unlink()
    assert_skipped(opener(root, "instances"), "2007_000032.png: no such file", 2)
    write_xml(root, "2007_000032")
    (root / "JPEGImages/2007_000032.jpg").write_bytes(b"")
    assert_skipped(opener(root), "2007_000032.jpg: empty file", 2)
    (root / "JPEGImages/2007_000032.jpg").unlink()
    assert_skipped(opener(root), "2007_000032.jpg: no such file", 2)


def test_what_is_found_when_read(root):
    write_xml(root, "2007_000027", width=31)
    with pytest.raises(BadRecord, match=r"000027.jpg: 30 x 20 pixels.* has 31 x 20"):
        opener(root)(0.0).read(0)
    mask = root / "SegmentationClass/2007_000027.png"
    write_map(mask, np.full((20, 30), 21))
    with pytest.raises(BadRecord, match="000027.png: number 21 is no label"):
        opener(root, "segmentation")(0.0).read(0)
    write_map(mask, np.zeros((20, 31)))
    with pytest.raises(BadRecord, match="000027.jpg: 30 x 20 pixels.* 31 x 20"):
        opener(root, "segmentation")(0.0).read(0)
    write_map(mask, np.zeros((20, 30)))
    with pytest.raises(BadRecord, match="object 1 has no class in"):
        opener(root, "instances")(0.0).read(0)


def test_box_beyond_the_picture_where_the_xml_has_no_size(root):
    file = write_xml(root, "2007_000027", thing("dog", 1, 1, 40, 5))
    file.write_text(file.read_text().replace("<width>30</width>", ""))
    with pytest.raises(BadRecord, match="outside of the image of 30 x 20"):
        opener(root)(0.0).read(0)


def test_what_a_wrong_call_says(tmp_path):
    with pytest.raises(ValueError, match="task 'boxes' is not one of detection, segm"):
        voc.open_split(tmp_path, "train", task="boxes")
    with pytest.raises(ValueError, match="split 'trainval' is not one of train, valid"):
        voc.open_split(tmp_path, "trainval")
