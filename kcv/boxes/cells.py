"""Which object each cell of a grid, or each anchor of a cell, is to find.

Papers: J. Redmon et al., "You Only Look Once", 2016, section 2,
https://arxiv.org/abs/1506.02640; J. Redmon, A. Farhadi, "YOLO9000", 2017, section 2,
https://arxiv.org/abs/1612.08242

Differs from the papers: of two objects that want one cell or one anchor, the first slot
gets it.
"""

from keras import ops

from kcv.boxes.formats import areas, as_float, xyxy_to_cxcywh
from kcv.boxes.matching import BACKGROUND


def objects_of_cells(boxes, classes, cells):
    """The object whose centre each cell holds (YOLO).

    Args:
        boxes: float (batch, m, 4), of objects, x1, y1, x2, y2 in pixels.
        classes: int (batch, m); -1 where a slot is empty.
        cells: float (k, 4), in pixels, each cell once.

    Returns:
        int32 (batch, k), slots, or BACKGROUND where a cell holds no centre.
    """
    boxes, cells = as_float(boxes, cells)
    centres = xyxy_to_cxcywh(boxes)[:, :, None, :2]
    inside = ops.all((centres >= cells[:, :2]) & (centres < cells[:, 2:]), axis=-1)
    return _first_slot(inside & used_slots(boxes, classes)[..., None])


def objects_of_cell_anchors(boxes, classes, anchors, stride=32):
    """The object of each anchor: in its cell, of the most similar shape (YOLOv2).

    Args:
        boxes: float (batch, m, 4), of objects, x1, y1, x2, y2 in pixels.
        classes: int (batch, m); -1 where a slot is empty.
        anchors: float (n, 4), with centres in the middle of cells.
        stride: side of a cell, in pixels.

    Returns:
        int32 (batch, n), slots, or BACKGROUND where an anchor has no object.
    """
    boxes, anchors = as_float(boxes, anchors)
    places, anchor_places = xyxy_to_cxcywh(boxes), xyxy_to_cxcywh(anchors)
    cells, sides = ops.floor(places[:, :, None, :2] / stride), places[:, :, None, 2:]
    anchor_cells, anchor_sides = anchor_places[:, :2] // stride, anchor_places[:, 2:]
    same_cell = ops.all(ops.equal(cells, anchor_cells), axis=-1)
    common = ops.prod(ops.minimum(sides, anchor_sides), axis=-1)
    total = ops.prod(sides, axis=-1) + ops.prod(anchor_sides, axis=-1) - common
    similar = ops.where(same_cell, common / total, -1.0)  # (batch, m, n)
    chosen = ops.one_hot(ops.argmax(similar, axis=-1), anchors.shape[0], dtype="bool")
    in_a_cell = ops.max(similar, axis=-1) > 0
    used = in_a_cell & used_slots(boxes, classes)
    return _first_slot(chosen & used[..., None])


def used_slots(boxes, classes):
    """Slots with an object, bool (batch, m): not empty, of some area, not NaN."""
    return (ops.convert_to_tensor(classes) >= 0) & (areas(boxes) > 0)


def _first_slot(wanted):
    """The first slot, bool (batch, m, k) along m, that wants each of k: int32."""
    count = wanted.shape[1]
    slots = ops.arange(count, dtype="int32")[:, None]
    first = ops.min(ops.where(wanted, slots, count), axis=1)
    return ops.where(first < count, first, BACKGROUND)
