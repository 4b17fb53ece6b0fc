"""Boxes as offsets from their anchors, which heads predict, and back.

Papers: S. Ren et al., "Faster R-CNN", 2015, eq. 2, https://arxiv.org/abs/1506.01497
(dx, dy, dw, dh, from R. Girshick et al., "Rich feature hierarchies", 2014, appendix C);
W. Liu et al., "SSD", 2016, https://arxiv.org/abs/1512.02325 (its code divides by
"variances"; the weights 10, 10, 5, 5 of Fast R-CNN's code are their inverses);
J. Redmon et al., "You Only Look Once", 2016, section 2,
https://arxiv.org/abs/1506.02640; J. Redmon, A. Farhadi, "YOLO9000", 2017, section 2,
https://arxiv.org/abs/1612.08242

Offsets may come in half precision; boxes are float32.
"""

import math

from keras import ops

from kcv.boxes.formats import as_float, cxcywh_to_xyxy, xyxy_to_cxcywh

NO_VARIANCES = (1.0, 1.0, 1.0, 1.0)  # Faster R-CNN's proposals
SSD_VARIANCES = (0.1, 0.1, 0.2, 0.2)  # SSD; Fast R-CNN's second stage
# No box becomes more than 62.5 times its anchor: early in training, exp overflows.
MAX_LOG = math.log(1000 / 16)
# The side of what has none, so that logarithms and slopes of roots are finite.
SMALLEST = 1e-6


def encode(boxes, anchors, variances=NO_VARIANCES):
    """What a head must answer for its anchors to become the boxes.

    Args:
        boxes: float (..., n, 4), x1, y1, x2, y2, in any unit. A box of an empty slot
            gives finite offsets, which are to be weighted by 0.
        anchors: float (..., n, 4), in the same unit.
        variances: (x, y, width, height), what the four are divided by.

    Returns:
        float (..., n, 4): dx, dy in anchor sides and the logarithms dw, dh of the ratio
        of the sides, over the variances.
    """
    boxes, anchors = as_float(boxes, anchors)
    centre, size = _parts(boxes)
    anchor_centre, anchor_size = _parts(anchors)
    moved = (centre - anchor_centre) / anchor_size
    grown = ops.log(size / anchor_size)
    offsets = ops.concatenate([moved, grown], axis=-1)
    return offsets / ops.convert_to_tensor(variances, offsets.dtype)


def decode(offsets, anchors, variances=NO_VARIANCES, max_log=MAX_LOG):
    """The boxes that a head answers; the inverse of `encode`.

    Args:
        offsets: float (..., n, 4).
        anchors: float (..., n, 4), x1, y1, x2, y2.
        variances: (x, y, width, height), what the offsets were divided by.
        max_log: the largest logarithm of a side's growth; more counts as that.

    Returns:
        float (..., n, 4), x1, y1, x2, y2 in the unit of the anchors, not clipped.
    """
    offsets, anchors = as_float(offsets, anchors)
    offsets = offsets * ops.convert_to_tensor(variances, offsets.dtype)
    centre, size = _parts(anchors)
    centre = centre + offsets[..., :2] * size
    size = size * ops.exp(ops.minimum(offsets[..., 2:], max_log))
    return cxcywh_to_xyxy(ops.concatenate([centre, size], axis=-1))


def encode_sigmoid(boxes, anchors, stride):
    """YOLOv2's targets: places within the anchor's cell and logarithms of growth.

    Args:
        boxes: float (..., n, 4), x1, y1, x2, y2 in pixels, each with its centre in the
            cell of its anchor.
        anchors: float (..., n, 4), with centres in the middle of cells.
        stride: side of a cell, in pixels.

    Returns:
        float (..., n, 4): x and y of the centre within the cell, 0..1, which are the
        sigmoids of what the head answers, and the logarithms of the sides' ratios.
    """
    boxes, anchors = as_float(boxes, anchors)
    centre, size = _parts(boxes)
    anchor_centre, anchor_size = _parts(anchors)
    place = (centre - anchor_centre) / stride + 0.5
    return ops.concatenate([place, ops.log(size / anchor_size)], axis=-1)


def decode_sigmoid(offsets, anchors, stride, max_log=MAX_LOG):
    """The boxes that YOLOv2's head answers: centres never leave the anchor's cell.

    Args:
        offsets: float (..., n, 4), t_x, t_y, t_w, t_h before any sigmoid.
        anchors: float (..., n, 4), with centres in the middle of cells.
        stride: side of a cell, in pixels.
        max_log: the largest logarithm of a side's growth; more counts as that.

    Returns:
        float (..., n, 4), x1, y1, x2, y2 in pixels, not clipped.
    """
    offsets, anchors = as_float(offsets, anchors)
    centre, size = _parts(anchors)
    centre = centre + (ops.sigmoid(offsets[..., :2]) - 0.5) * stride
    size = size * ops.exp(ops.minimum(offsets[..., 2:], max_log))
    return cxcywh_to_xyxy(ops.concatenate([centre, size], axis=-1))


def encode_roots(boxes, cells, image_size):
    """YOLO's targets: places within the cell and roots of the sides.

    Args:
        boxes: float (..., n, 4), x1, y1, x2, y2 in pixels.
        cells: float (..., n, 4), likewise, those that the boxes' centres lie in.
        image_size: (height, width) in pixels.

    Returns:
        float (..., n, 4): x and y of the centre within the cell, 0..1, and the roots of
        width and height in sides of the image.
    """
    boxes, cells = as_float(boxes, cells)
    centre, size = _parts(boxes)
    corner, side = cells[..., :2], cells[..., 2:] - cells[..., :2]
    shares = size / _width_and_height(image_size, size.dtype)
    return ops.concatenate([(centre - corner) / side, ops.sqrt(shares)], axis=-1)


def decode_roots(offsets, cells, image_size):
    """The boxes that YOLO's head answers; the inverse of `encode_roots`.

    Args:
        offsets: float (..., n, 4).
        cells: float (..., n, 4), x1, y1, x2, y2 in pixels.
        image_size: (height, width) in pixels.

    Returns:
        float (..., n, 4), x1, y1, x2, y2 in pixels, not clipped.
    """
    offsets, cells = as_float(offsets, cells)
    corner, side = cells[..., :2], cells[..., 2:] - cells[..., :2]
    centre = corner + offsets[..., :2] * side
    whole = _width_and_height(image_size, offsets.dtype)
    size = ops.square(offsets[..., 2:]) * whole
    return cxcywh_to_xyxy(ops.concatenate([centre, size], axis=-1))


def _width_and_height(image_size, dtype):
    height, width = image_size
    return ops.convert_to_tensor([width, height], dtype)


def _parts(boxes):
    boxes = xyxy_to_cxcywh(boxes)
    return boxes[..., :2], ops.maximum(boxes[..., 2:], SMALLEST)
