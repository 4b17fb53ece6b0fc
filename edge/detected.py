"""What a detector answers: things with boxes, and with masks or keypoints."""

from typing import NamedTuple

import numpy as np

from kcv.edge import instances


class Detected(NamedTuple):
    """One thing in an image.

    Args:
        label: class name; the index as text if the file names no classes.
        index: of the class.
        score: 0..1.
        box: x1, y1, x2, y2 in pixels of the given image, upright and within it.
    """

    label: str
    index: int
    score: float
    box: tuple[float, float, float, float]


class Segmented(NamedTuple):
    """One thing with its mask; as `Detected`.

    Args:
        label: as of `Detected`.
        index: likewise.
        score: likewise.
        box: likewise.
        mask: uint8 (height, width) of the given image, 1 where the thing is.
    """

    label: str
    index: int
    score: float
    box: tuple[float, float, float, float]
    mask: np.ndarray


class Posed(NamedTuple):
    """One thing with its keypoints; as `Detected`.

    Args:
        label: as of `Detected`.
        index: likewise.
        score: likewise.
        box: likewise.
        keypoints: float32 (k, 3), x and y in pixels of the given image, and how sure
            the place is among all of the box, 0..1.
    """

    label: str
    index: int
    score: float
    box: tuple[float, float, float, float]
    keypoints: np.ndarray


def things(size, image_size, labels, decoded, chosen, outputs) -> list:
    """Answers in pixels of an image.

    Args:
        size: (height, width) of the image.
        image_size: (height, width) of the network's image.
        labels: names of the classes.
        decoded: boxes and scores of `detect.decode`.
        chosen: places and classes of `boxes.choose`.
        outputs: of the network, one image; "mask_boxes" with "masks" or "keypoints"
            count here.

    Returns:
        list of Detected, Segmented or Posed.
    """
    height, width = image_size
    scale = np.array([size[1] / width, size[0] / height] * 2)
    (boxes, scores), answers = decoded, []
    for place, kind in zip(*chosen):
        own = boxes[place] if boxes.ndim == 2 else boxes[place, kind]
        box = tuple((own * scale).tolist())
        fields = (labels[kind], int(kind), float(scores[place, kind]), box)
        if "masks" in outputs:
            region = outputs["mask_boxes"][place] * scale
            logits = outputs["masks"][place, :, :, kind]
            mask = instances.paste(logits, region, size)
            answers.append(Segmented(*fields, mask))
        elif "keypoints" in outputs:
            region = outputs["mask_boxes"][place] * scale
            points = instances.keypoints(outputs["keypoints"][place], region)
            answers.append(Posed(*fields, points))
        else:
            answers.append(Detected(*fields))
    return answers
