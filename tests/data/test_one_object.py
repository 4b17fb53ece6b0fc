import json

import numpy as np
import pytest
from PIL import Image

from kcv.data import one_object
from kcv.data.scenes import sample, views

RANGE = (-1.0, 1.0)


def first_batch(source, **options):
    return next(iter(one_object.batches(source, 8, (64, 64, 3), RANGE, **options)))


@pytest.mark.parametrize("setting", ["detection_64", "detection_easy_64"])
def test_scenes_have_one_thing_and_its_box(setting):
    source = one_object.open_split(f"scenes/{setting}", "validation", seed=3, draw=True)
    assert source.class_names == views.VIEWS["classification"].class_names
    batch = first_batch(source)
    config = one_object._one_thing(f"scenes/{setting}")
    labels, boxes = batch["labels"].numpy(), batch["boxes"].numpy()
    for index in range(8):
        (thing,) = sample(config, "validation", 3, index).things
        assert source.class_names[labels[index]] == thing.name
        middle = thing.matrix[:, 2]
        x1, y1, x2, y2 = boxes[index]
        assert x1 - 8 <= middle[0] <= x2 + 8 and y1 - 8 <= middle[1] <= y2 + 8
    assert np.all(boxes[:, 2:] > boxes[:, :2])
    assert boxes.min() >= 0 and boxes.max() <= 64


def test_count_is_that_of_training():
    options = {"draw": True, "count": 3000}
    counts = [
        one_object.open_split("scenes/detection_64", split, **options).num_examples
        for split in ("train", "validation", "test")
    ]
    assert counts == [3000, 250, 500]


@pytest.fixture
def coco(tmp_path):
    """Pictures of 40 x 20 with several boxes, with none, and with a crowd alone."""
    (tmp_path / "val2017").mkdir()
    images, annotations = [], []
    found = [
        [(2, (0, 0, 8, 8), 0), (1, (10, 5, 20, 10), 0)],
        [],
        [(1, (0, 0, 40, 20), 1)],
    ]
    for number, objects in enumerate(found):
        name = f"{number:012}.jpg"
        Image.new("RGB", (40, 20)).save(tmp_path / "val2017" / name)
        images.append({"id": number, "file_name": name, "width": 40, "height": 20})
        for category, box, crowd in objects:
            annotations.append(
                {
                    **{"id": len(annotations) + 1, "image_id": number},
                    **{"category_id": category, "bbox": box, "iscrowd": crowd},
                    "area": box[2] * box[3],
                }
            )
    categories = [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]
    text = {"images": images, "annotations": annotations, "categories": categories}
    (tmp_path / "annotations").mkdir()
    path = tmp_path / "annotations" / "instances_val2017.json"
    path.write_text(json.dumps(text))
    return f"coco:{tmp_path}"


def test_largest_box_counts_and_none_is_minus_1(coco):
    """40 x 20 to 64 x 64: x times 1.6, y times 3.2."""
    source = one_object.open_split(coco, "validation")
    batch = first_batch(source)
    labels = batch["labels"].numpy()
    (one,) = np.flatnonzero(labels >= 0)
    assert source.class_names[labels[one]] == "cat"
    np.testing.assert_allclose(batch["boxes"][one], [16, 16, 48, 48], atol=1e-4)
    assert sorted(set(labels[np.arange(len(labels)) != one])) == [-1]


def test_a_set_without_boxes():
    for name in ("digits", "scenes/classification_64"):
        options = {"draw": True} if name != "digits" else {}
        with pytest.raises(ValueError, match="has no (images|boxes): give a set"):
            one_object.open_split(name, "test", **options)
    with pytest.raises(ValueError, match="unknown scenes 'detection_7'"):
        one_object.open_split("scenes/detection_7", "test", draw=True)
