"""A small set in COCO's format, with masks and keypoints; category ids have a gap."""

import json

import numpy as np
from PIL import Image

COUNTS = {"train": 96, "val": 16, "test": 32}
POINTS = 17  # on the way from one corner of a rectangle to the other


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
                corners = [x, y, x + width, y, x + width, y + height, x, y + height]
                along = np.linspace(0, 1, POINTS)
                points = x + along * width, y + along * height, np.full(POINTS, 2)
                boxes.append({
                    "id": len(boxes), "image_id": number, "category_id": 5 + 4 * kind,
                    "bbox": [x, y, width, height], "area": width * height,
                    "iscrowd": 0, "segmentation": [corners],
                    "keypoints": np.stack(points, axis=1).ravel().tolist(),
                })  # fmt: skip
            Image.fromarray(image).save(folder / split / f"{number}.png")
            pictures.append({
                "id": number, "file_name": f"{number}.png", "height": 48, "width": 64
            })  # fmt: skip
        points = [f"point {number}" for number in range(POINTS)]
        names = [
            {"id": 5, "name": "red", "keypoints": points},
            {"id": 9, "name": "blue", "keypoints": points},
        ]
        (folder / "annotations").mkdir(exist_ok=True)
        text = {"images": pictures, "annotations": boxes, "categories": names}
        for kind in ("instances", "person_keypoints"):
            path = folder / "annotations" / f"{kind}_{split}.json"
            path.write_text(json.dumps(text))
    return f"coco:{folder}"
