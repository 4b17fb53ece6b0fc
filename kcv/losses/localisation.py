"""Joint loss of what is in the picture and where.

Paper: P. Sermanet et al., "OverFeat: Integrated Recognition, Localization and Detection
using Convolutional Networks", 2014, section 4.2, https://arxiv.org/abs/1312.6229
"""

from keras import ops

from kcv.losses.classification import softmax_cross_entropy


def box_loss(boxes, predicted_boxes, image_size):
    """Mean square of the four coordinates' errors, in sides of the image.

    Args:
        boxes: float (batch, 4), x1, y1, x2, y2 in pixels.
        predicted_boxes: float (batch, 4), likewise.
        image_size: (height, width) in pixels.

    Returns:
        float (batch,).
    """
    height, width = image_size
    sides = ops.convert_to_tensor([width, height, width, height], "float32")
    error = (ops.cast(boxes, "float32") - ops.cast(predicted_boxes, "float32")) / sides
    return ops.mean(ops.square(error), axis=-1)


def localisation_loss(
    labels, boxes, probabilities, predicted_boxes, image_size, box_weight=10.0
):
    """Cross-entropy plus the weighted box loss, one value an example.

    Args:
        labels: int (batch,); -1 where nothing is in the picture: neither its class nor
            its box counts.
        boxes: float (batch, 4), x1, y1, x2, y2 in pixels.
        probabilities: float (batch, classes), the output of a softmax.
        predicted_boxes: float (batch, 4), in pixels.
        image_size: (height, width) in pixels.
        box_weight: weight of the box loss; 10 makes an error of a third of the side
            worth about a nat.

    Returns:
        float (batch,).
    """
    known = ops.cast(labels >= 0, "float32")
    classes = softmax_cross_entropy(ops.maximum(labels, 0), probabilities)
    places = box_loss(boxes, predicted_boxes, image_size)
    return known * (classes + box_weight * places)
