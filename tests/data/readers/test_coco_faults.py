import coco_files
import numpy as np
import pytest
from reader_files import assert_skipped, write_json, write_picture

from kcv.data.readers import coco
from kcv.data.readers.records import BadRecord

FILE = "annotations/instances_val2017.json"


def opener(root, task="instances"):
    def open_split(max_bad_share):
        return coco.open_split(
            root, "validation", task=task, max_bad_share=max_bad_share
        )

    return open_split


FAULTS = [
    ("images", 0, {"file_name": None}, "images[0] without file_name or id"),
    ("images", 0, {"id": None}, "images[0] without file_name or id"),
    ("images", 1, {"height": 0}, "b.png: no width and height in whole pixels"),
    ("images", 1, {"width": "30"}, "b.png: no width and height"),
    ("images", 1, {"width": 2**70}, "b.png: no width and height"),
    ("images", 1, {"width": 30.5}, "b.png: no width and height"),
    ("images", 1, {"id": 999}, None),  # no annotation belongs to it: fine
    (
        "annotations",
        1,
        {"bbox": [5, 5, 0, 9]},
        "c.jpg: annotation 2: box (5, 5, 5, 14)",
    ),
    ("annotations", 1, {"bbox": [5, 5, -3, 9]}, "has no area"),
    (
        "annotations",
        1,
        {"bbox": [20, 5, 12, 9]},
        "lies outside of the image of 30 x 20",
    ),
    ("annotations", 1, {"bbox": [29, 19, 1.5, 1.5]}, None),  # sticks out by a little
    (
        "annotations",
        1,
        {"bbox": [1, 2, 3]},
        "bbox [1, 2, 3] is not [x, y, width, height",
    ),
    ("annotations", 1, {"bbox": None}, "bbox None is not"),
    ("annotations", 1, {"bbox": [1, 2, 3, "4"]}, "is not [x, y, width, height]"),
    ("annotations", 1, {"bbox": [1, 2, float("nan"), 4]}, "is not [x, y, width, heig"),
    ("annotations", 1, {"category_id": 2}, "category 2 is not in the file"),
    ("annotations", 1, {"category_id": None}, "category None is not in the file"),
    ("annotations", 1, {"image_id": 5}, "image id 5 of 1 annotations is not in images"),
    ("annotations", 1, {"image_id": None}, "1 annotations without image_id"),
    ("annotations", 1, {"segmentation": []}, "no segmentation"),
    ("annotations", 1, {"segmentation": [[1, 2, 3, 4]]}, "polygon of 4 numbers"),
    ("annotations", 1, {"segmentation": {"size": [20, 30], "counts": [7]}}, "of 7 pix"),
    (
        *("annotations", 1, {"segmentation": {"size": [30, 20], "counts": [600]}}),
        "run lengths of size [30, 20] for an image of [20, 30] (height, width)",
    ),
]


@pytest.mark.parametrize(("table", "row", "change", "match"), FAULTS)
def test_fault_in_the_annotations(tmp_path, table, row, change, match):
    content = coco_files.content()
    if table == "images" and row == 0:  # no further line for its annotations
        content["annotations"] = content["annotations"][1:2]
    content[table][row].update(change)
    coco_files.write(tmp_path, content)
    if match is None:
        assert opener(tmp_path)(0.0).count == 3
        return
    stray = "image_id" in change
    assert_skipped(opener(tmp_path), match, 3 if stray else 2)


def test_missing_and_empty_picture(tmp_path):
    coco_files.write(tmp_path, coco_files.content())
    (tmp_path / "val2017/b.png").write_bytes(b"")
    assert_skipped(opener(tmp_path), "b.png: empty file", 2)
    (tmp_path / "val2017/b.png").unlink()
    assert_skipped(opener(tmp_path), f"b.png: no such file in {tmp_path}/val2017", 2)


def test_images_that_share_an_id_are_both_left_out(tmp_path):
    content = coco_files.content()
    content["images"][1]["id"] = 785
    coco_files.write(tmp_path, content)
    records = opener(tmp_path)(1.0)
    assert records.bad == (
        "b.png: shares id 785 with c.jpg",
        "c.jpg: shares id 785 with b.png",
    )
    assert records.read(0)["image_id"] == "139"
    with pytest.raises(ValueError, match=r"2 of 3 images \(66.7%\) are malformed"):
        opener(tmp_path)(0.5)


@pytest.mark.parametrize(
    ("keypoints", "match"),
    [
        ([1, 2, 2], "1 keypoints, but its category has 3"),
        ([1, 2, 3] * 3, "visibility other than 0, 1 and 2"),
        ("abc", "keypoints that are not numbers"),
        ([1, 2, None] * 3, "keypoints that are not numbers"),
    ],
)
def test_faults_of_keypoints(tmp_path, keypoints, match):
    content = coco_files.content()
    content["annotations"][1]["keypoints"] = keypoints
    coco_files.write(tmp_path, content, kinds=["person_keypoints"])
    assert_skipped(opener(tmp_path, "keypoints"), match, 1)


def test_empty_caption(tmp_path):
    content = coco_files.content()
    content["annotations"][1]["caption"] = " "
    coco_files.write(tmp_path, content, kinds=["captions"])
    assert_skipped(opener(tmp_path, "captions"), "annotation 2: no caption", 1)


def test_damaged_picture_or_one_of_another_size_is_found_when_read(tmp_path):
    coco_files.write(tmp_path, coco_files.content())
    records = opener(tmp_path)(0.0)
    write_picture(tmp_path / "val2017/a.jpg", 20, 31)
    with pytest.raises(BadRecord, match="a.jpg: 31 x 20 pixels.*its annotation has 30"):
        records.read(0)
    file = tmp_path / "val2017/c.jpg"
    file.write_bytes(file.read_bytes()[:300])
    with pytest.raises(BadRecord, match=r"c\.jpg: .*: copy the file again"):
        records.read(2)
    assert records.read(1)["boxes"].shape == (0, 4)


@pytest.mark.parametrize(
    ("change", "task", "match"),
    [
        ({"categories": []}, "detection", "no categories: add the list"),
        ({"categories": [{"id": 1}]}, "detection", "category without id or name"),
        ({"categories": [{"name": "a"}]}, "detection", "category without id or name"),
        ({"categories": [{"id": 1, "name": "a"}] * 2}, "detection", "have one id"),
        (
            *({"categories": [{"id": 1, "name": "a"}]}, "keypoints"),
            r"keypoint names of \[\] points",
        ),
        (
            *({"categories": [{"id": 1, "name": "a", "keypoints": 17}]}, "keypoints"),
            r"keypoint names of \[\] points",
        ),
        ({"images": []}, "detection", r"no images in it, only \['info', 'licenses'\]"),
        ({"images": {}}, "detection", "'images' is no list"),
    ],
)
def test_files_that_are_no_coco_file(tmp_path, change, task, match):
    content = coco_files.content()
    coco_files.write(tmp_path, content, kinds=["instances", "person_keypoints"])
    content.update(change)
    for kind in ("instances", "person_keypoints"):
        write_json(tmp_path / f"annotations/{kind}_val2017.json", content)
    with pytest.raises(ValueError, match=match) as error:
        opener(tmp_path, task)(1.0)
    assert "_val2017.json: " in str(error.value)


def test_truncated_and_empty_json(tmp_path):
    coco_files.write(tmp_path, coco_files.content())
    text = (tmp_path / FILE).read_text()
    for cut in np.linspace(1, len(text) - 1, 40).astype(int):
        (tmp_path / FILE).write_text(text[:cut])
        with pytest.raises(ValueError, match=r"instances_val2017.json: truncated"):
            opener(tmp_path)(1.0)
    (tmp_path / FILE).write_text("")
    with pytest.raises(ValueError, match=r"instances_val2017.json: empty file"):
        opener(tmp_path)(1.0)


def test_what_a_wrong_call_says(tmp_path):
    with pytest.raises(ValueError, match="task 'boxes' is not one of detection, inst"):
        coco.open_split(tmp_path, "train", task="boxes")
    with pytest.raises(ValueError, match="split 'val' is not one of train, validation"):
        coco.open_split(tmp_path, "val")
    with pytest.raises(
        FileNotFoundError, match="instances_train2017.json.*annotations="
    ):
        coco.open_split(tmp_path, "train")
    write_json(tmp_path / FILE, coco_files.content())
    with pytest.raises(FileNotFoundError, match="val2017 is no folder.*by images="):
        coco.open_split(tmp_path, "validation")
