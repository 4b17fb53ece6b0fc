import numpy as np
from pycocotools import mask as coco_mask
from reader_files import write_json, write_picture

TRIANGLE = [[4.5, 3.0, 20.0, 5.5, 9.25, 17.0]]
TWO_PARTS = [[1.0, 1, 6, 1, 6, 6, 1, 6], [10.5, 8, 18, 8, 18, 15, 10.5, 15]]


def blob(height=20, width=30):
    """A mask with holes, and its uncompressed run lengths."""
    mask = (np.random.default_rng(5).random((height, width)) < 0.3).astype(np.uint8)
    mask[:3] = 0
    values = np.concatenate([[0], mask.T.ravel()])
    ends = np.flatnonzero(np.diff(values))
    counts = np.diff(np.concatenate([[0], ends, [mask.size]])).tolist()
    return mask, {"size": [height, width], "counts": counts}


def compressed():
    runs = coco_mask.encode(np.asfortranarray(blob()[0]))
    return {"size": runs["size"], "counts": runs["counts"].decode()}


def content():
    """Three images of 30 x 20; ids with gaps, categories after the annotations."""
    people = {"keypoints": ["nose", "left_eye", "right_eye"], "skeleton": [[1, 2]]}
    points = [4, 5, 2, 7, 5, 1, 0, 0, 0]
    return {
        "info": {"description": "three pictures"},
        "licenses": [],
        "images": [
            {"id": 139, "file_name": "a.jpg", "height": 20, "width": 30},
            {"id": 9, "file_name": "b.png", "height": 20, "width": 30},
            {"id": 785, "file_name": "c.jpg", "height": 20, "width": 30},
        ],
        "annotations": [
            annotation(1, 139, 90, TRIANGLE, [4.5, 3, 15.5, 14], caption="One."),
            annotation(2, 785, 1, TWO_PARTS, [1, 1, 17, 14], keypoints=points),
            annotation(3, 139, 1, blob()[1], [0, 3, 30, 17], iscrowd=1),
            annotation(
                4, 139, 17, compressed(), [0, 3, 30, 17], caption="Zwei, schön."
            ),
        ],
        "categories": [
            {"id": 90, "name": "toothbrush", "supercategory": "indoor"},
            {"id": 1, "name": "person", "supercategory": "person", **people},
            {"id": 17, "name": "cat", "supercategory": "animal"},
        ],
    }


def annotation(key, image, category, segmentation, box, **more):
    return {
        "id": key,
        "image_id": image,
        "category_id": category,
        "segmentation": segmentation,
        "bbox": box,
        "area": 1.0,
        "iscrowd": 0,
        "caption": "A sentence.",
        **more,
    }


def write(root, content, split="val2017", kinds=("instances",)):
    """Writes COCO's layout."""
    for kind in kinds:
        write_json(root / "annotations" / f"{kind}_{split}.json", content)
    for image in content["images"]:
        name = image.get("file_name") if isinstance(image, dict) else None
        if isinstance(name, str) and name:
            write_picture(root / split / name)
    return root
