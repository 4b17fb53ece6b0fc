"""A detection set that one can follow with a pencil."""

import numpy as np

from kcv.train.rcnn_examples import Examples

RED, BLUE = 0, 2  # channels, of classes 0 and 1


def squares(count=4, side=40):
    """Images of a red and a blue square each; the last one has a crowd and no blue."""
    images, boxes = [], []
    for i in range(count):
        image = np.full((side, side + 8, 3), 90, "uint8")
        places = np.float32([[2 + i, 4, 14 + i, 16], [26, 20, 40, 34 - i]])
        for (x1, y1, x2, y2), channel in zip(places.astype(int), (RED, BLUE)):
            image[y1:y2, x1:x2] = 0
            image[y1:y2, x1:x2, channel] = 255
        images.append(image)
        boxes.append(places)
    classes = [np.array([0, 1], "int32")] * count
    crowd = [np.array([False, i == count - 1]) for i in range(count)]
    return Examples(images, boxes, classes, crowd, ("red", "blue"), "x")
