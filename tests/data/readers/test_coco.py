import json

import coco_files
import numpy as np
import pytest
from pycocotools.coco import COCO
from reader_files import check_keys, read_all, write_json, write_picture

from kcv.data.readers import coco

KINDS = ("instances", "person_keypoints", "captions")


@pytest.fixture(name="root")
def root_fixture(tmp_path):
    return coco_files.write(tmp_path, coco_files.content(), kinds=KINDS)


@pytest.mark.parametrize("task", ["detection", "instances", "keypoints", "captions"])
def test_records_are_what_their_keys_say(root, task):
    records = coco.open_split(root, "validation", task=task)
    assert records.count == (3 if task in ("detection", "instances") else 2)
    assert not records.bad
    check_keys(records)


def test_boxes_classes_and_crowd_with_a_pencil(root):
    records = coco.open_split(root, "validation")
    assert records.class_names == ("person", "cat", "toothbrush")  # ids 1, 17, 90
    first, empty, last = read_all(records)
    expected = [[4.5, 3, 20, 17], [0, 3, 30, 20], [0, 3, 30, 20]]
    np.testing.assert_array_equal(first["boxes"], expected)
    assert first["classes"].tolist() == [2, 0, 1]
    assert first["crowd"].tolist() == [0, 1, 0]
    assert first["image_id"] == "139"
    assert empty["boxes"].shape == (0, 4)
    assert empty["image_id"] == "9"
    assert last["classes"].tolist() == [0]
    np.testing.assert_allclose(last["images"][1, 1], [200, 30, 60], atol=12)


@pytest.mark.filterwarnings("ignore:__array__ implementation")
def test_masks_and_areas_agree_with_pycocotools(root, capsys):
    truth = COCO(root / "annotations/instances_val2017.json")
    records = coco.open_split(root, "validation", task="instances")
    seen = 0
    for record in read_all(records):
        rows = truth.loadAnns(truth.getAnnIds(imgIds=int(record["image_id"])))
        assert len(rows) == len(record["masks"])
        for row, mask in zip(rows, record["masks"]):
            np.testing.assert_array_equal(mask, truth.annToMask(row))
            assert mask.sum() > 20
            seen += 1
    assert seen == 4
    np.testing.assert_array_equal(records.read(0)["masks"][1], coco_files.blob()[0])


def test_class_numbers_agree_with_pycocotools(root, capsys):
    truth = COCO(root / "annotations/instances_val2017.json")
    names = [row["name"] for row in truth.loadCats(sorted(truth.getCatIds()))]
    assert coco.open_split(root, "validation").class_names == tuple(names)


def test_keypoints_are_middles_of_pixels(root):
    records = coco.open_split(root, "validation", task="keypoints")
    assert records.keys["keypoints"] == ((None, 3, 3), "float32")
    first, last = read_all(records)
    assert not first["keypoints"].any()  # three annotations without keypoints
    expected = [[4.5, 5.5, 2], [7.5, 5.5, 1], [0, 0, 0]]
    np.testing.assert_array_equal(last["keypoints"][0], expected)


def test_captions_in_the_order_of_the_file(root):
    first, last = read_all(coco.open_split(root, "validation", task="captions"))
    assert first["captions"].tolist() == ["One.", "A sentence.", "Zwei, schön."]
    assert last["captions"].tolist() == ["A sentence."]


def test_names_of_keypoints_are_mirrored():
    for name, other in zip(coco.KEYPOINTS, coco.MIRRORED_KEYPOINTS):
        swapped = name.replace("left", "LEFT").replace("right", "left")
        assert coco.KEYPOINTS[other] == swapped.replace("LEFT", "right")


def test_order_of_lists_and_text_ids_do_not_matter(root, tmp_path):
    file = tmp_path / "annotations/instances_val2017.json"
    before = read_all(coco.open_split(root, "validation"))
    turned = dict(reversed(json.loads(file.read_text()).items()))
    for image in turned["images"]:
        image["id"] = str(image["id"])
    for annotation in turned["annotations"]:
        annotation["image_id"] = str(annotation["image_id"])
    write_json(file, turned)
    for old, new in zip(before, read_all(coco.open_split(root, "validation"))):
        for key in old:
            np.testing.assert_array_equal(old[key], new[key])


def test_many_annotations_stay_in_the_order_of_the_file(root):
    content = coco_files.content()
    file = root / "annotations/captions_val2017.json"
    content["annotations"] = [
        {"id": n, "image_id": (139, 9)[n % 2], "caption": str(n)} for n in range(200)
    ]
    write_json(file, content)
    first, second = read_all(coco.open_split(root, "validation", task="captions"))
    assert first["captions"].tolist() == [str(n) for n in range(0, 200, 2)]
    assert second["captions"].tolist() == [str(n) for n in range(1, 200, 2)]


def test_roboflow_layout_and_explicit_paths(tmp_path):
    coco_files.write(tmp_path, coco_files.content(), "valid")
    file = tmp_path / "annotations/instances_valid.json"
    file.rename(tmp_path / "valid/_annotations.coco.json")
    assert coco.open_split(tmp_path, "validation").count == 3
    (tmp_path / "valid/_annotations.coco.json").rename(tmp_path / "boxes.json")
    records = coco.open_split(
        tmp_path, "train", annotations="boxes.json", images=tmp_path / "valid"
    )
    assert records.count == 3


def test_test_split_without_annotations(tmp_path):
    content = coco_files.content()
    del content["annotations"]
    coco_files.write(tmp_path, content, "test2017", kinds=["image_info"])
    for task in ("detection", "keypoints", "captions"):
        records = coco.open_split(tmp_path, "test", task=task)
        assert records.count == 3
        check_keys(records)


def test_picture_that_exif_turns_is_read_as_it_was_annotated(root):
    write_picture(root / "val2017/a.jpg", orientation=6)
    assert coco.open_split(root, "validation").read(0)["images"].shape == (20, 30, 3)
    content = coco_files.content()
    content["images"][0].update(height=30, width=20)
    content["annotations"] = []
    write_json(root / "annotations/instances_val2017.json", content)
    assert coco.open_split(root, "validation").read(0)["images"].shape == (30, 20, 3)


def test_fingerprint_follows_task_annotations_and_pictures(root):
    first = coco.open_split(root, "validation").fingerprint
    assert first == coco.open_split(root, "validation").fingerprint
    assert first != coco.open_split(root, "validation", task="instances").fingerprint
    write_picture(root / "val2017/a.jpg", colour=(0, 255, 0))
    assert first != coco.open_split(root, "validation").fingerprint
