import numpy as np
import pytest
from PIL import Image
from reader_files import assert_skipped, check_keys, write_json, write_picture

from kcv.data.readers import coco_panoptic
from kcv.data.readers.records import BadRecord

CAT, SKY, CROWD = 70000, 300, 7  # blue, green and red are needed
JSON = "annotations/panoptic_train2017.json"


def segment(number, category, crowd=0):
    return {"id": number, "category_id": category, "iscrowd": crowd, "area": 1}


def content():
    segments = [segment(CAT, 17), segment(SKY, 187), segment(CROWD, 17, 1)]
    return {
        "images": [{"id": n, "file_name": f"{n}.jpg"} for n in (5, 6)],
        "annotations": [
            {"image_id": n, "file_name": f"{n}.png", "segments_info": segments}
            for n in (5, 6)
        ],
        "categories": [
            {"id": 187, "name": "sky", "isthing": 0},
            {"id": 17, "name": "cat", "isthing": 1},
        ],
    }


def numbers():
    image = np.zeros((20, 30), np.int64)
    image[:5], image[8:12, 3:9], image[15:, 20:] = SKY, CAT, CROWD
    return image


def write_png(file, numbers):
    file.parent.mkdir(parents=True, exist_ok=True)
    colours = np.stack([numbers % 256, numbers // 256 % 256, numbers // 65536], -1)
    Image.fromarray(colours.astype(np.uint8)).save(file)


@pytest.fixture(name="root")
def root_fixture(tmp_path):
    write_json(tmp_path / JSON, content())
    for n in (5, 6):
        write_picture(tmp_path / f"train2017/{n}.jpg")
        write_png(tmp_path / f"annotations/panoptic_train2017/{n}.png", numbers())
    return tmp_path


def opener(root):
    def open_split(max_bad_share):
        return coco_panoptic.open_split(root, "train", max_bad_share=max_bad_share)

    return open_split


def test_segments_with_a_pencil(root):
    records = opener(root)(0.0)
    check_keys(records)
    assert records.class_names == ("cat", "sky")
    record = records.read(0)
    expected = np.select([numbers() == SKY, numbers() == 0], [1, 255], 0)
    np.testing.assert_array_equal(record["semantic"], expected)
    assert record["classes"].tolist() == [0, 0]
    assert record["crowd"].tolist() == [0, 1]
    np.testing.assert_array_equal(record["boxes"], [[3, 8, 9, 12], [20, 15, 30, 20]])
    np.testing.assert_array_equal(record["masks"][0], numbers() == CAT)
    assert record["image_id"] == "5"


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"image_id": 9}, "6.png: image id 9 is 0 times in images"),
        ({"file_name": "no.png"}, "no.png: no such file"),
        ({"file_name": None}, "no panoptic annotation"),
        ({"segments_info": [segment(1, 3)]}, "3 is missing or no category"),
        ({"segments_info": [segment(float("inf"), 17)]}, "no panoptic annotation"),
        ({"segments_info": [{"id": 1}]}, "'category_id' is missing"),
        ({"segments_info": [segment(1, 17)] * 2}, "2 segments have 1 numbers"),
    ],
)
def test_fault_in_the_json(root, change, match):
    new = content()
    new["annotations"][1].update(change)
    write_json(root / JSON, new)
    assert_skipped(opener(root), match, 1)


def test_image_id_that_stands_twice(root):
    new = content()
    new["images"].append(new["images"][0])
    write_json(root / JSON, new)
    assert_skipped(opener(root), "5.png: image id 5 is 2 times in images", 1)


def test_what_is_found_when_read(root):
    file = root / "annotations/panoptic_train2017/5.png"
    write_png(file, numbers() + 1)
    with pytest.raises(BadRecord, match="5.png: segment 1 is not in the JSON"):
        opener(root)(0.0).read(0)
    write_png(file, numbers()[:, :-1])
    with pytest.raises(BadRecord, match="5.jpg: 30 x 20 pixels"):
        opener(root)(0.0).read(0)


def test_what_a_wrong_file_says(root):
    with pytest.raises(
        ValueError, match="split 'test' is not one of train, validation"
    ):
        coco_panoptic.open_split(root, "test")
    write_json(root / JSON, {**content(), "categories": [{"id": 1, "name": "a"}]})
    with pytest.raises(ValueError, match="train2017.json: no panoptic file"):
        opener(root)(1.0)
    (root / JSON).write_text('{"images": [')
    with pytest.raises(ValueError, match="train2017.json: truncated"):
        opener(root)(1.0)
    write_json(root / JSON, content())
    with pytest.raises(FileNotFoundError, match="no folder .*nowhere: unpack"):
        coco_panoptic.open_split(root, "train", images="nowhere")
