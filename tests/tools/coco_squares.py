"""A small set of detection in COCO's format, whose category ids have a gap."""

import json

import numpy as np
from PIL import Image

COUNTS = {"train": 96, "val": 16, "test": 32}


def squares(folder, counts=COUNTS):
    """Writes red and blue rectangles on grey; every eighth picture has none.

    Args:
        folder: where; made.
        counts: {split: pictures}.

    Returns:
        What --data calls it.
    """
    rng = np.random.default_rng(0)
    for split, count in counts.items():
        pictures, boxes = [], []
        (folder / split).mkdir(parents=True)
        for number in range(count):
            image = rng.integers(100, 140, (48, 64, 3)).astype("uint8")
            for k in range(0 if number % 8 == 7 else 2):
                x, y = (int(v) for v in rng.integers(0, (8, 24)) + (k * 32, 0))
                width, height = (int(v) for v in rng.integers(16, 24, 2))
                image[y : y + height, x : x + width] = 0
                kind = int(rng.integers(2))
                image[y : y + height, x : x + width, 2 * kind] = 255
                boxes.append({
                    "id": len(boxes), "image_id": number, "category_id": 5 + 4 * kind,
                    "bbox": [x, y, width, height], "area": width * height,
                    "iscrowd": 0, "segmentation": [],
                })  # fmt: skip
            Image.fromarray(image).save(folder / split / f"{number}.png")
            pictures.append({
                "id": number, "file_name": f"{number}.png", "height": 48, "width": 64
            })  # fmt: skip
        names = [{"id": 5, "name": "red"}, {"id": 9, "name": "blue"}]
        (folder / "annotations").mkdir(exist_ok=True)
        text = {"images": pictures, "annotations": boxes, "categories": names}
        path = folder / "annotations" / f"instances_{split}.json"
        path.write_text(json.dumps(text))
    return f"coco:{folder}"
