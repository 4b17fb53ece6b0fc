import numpy as np

from kcv.boxes.anchors import grid
from kcv.boxes.cells import objects_of_cell_anchors, objects_of_cells, used_slots

CELLS = grid((2, 3), 32, [(32, 32)])
ANCHORS = grid((2, 3), 32, [(16, 16), (40, 20), (20, 40)])


def test_who_is_to_find_what():
    """Two objects in cell 1: the first slot's. A centre on an edge is the right cell's.

    Empty slots, boxes without area or with x2 < x1 and y2 < y1, and centres outside of
    the image are nobody's.
    """
    boxes = np.float32([
        [40, 10, 60, 30], [42, 12, 62, 28], [54, 40, 74, 60], [0, 0, 20, 20],
        [10, 10, 10, 30], [90, 10, 120, 30], [28, 28, 8, 16],
    ])[None]  # fmt: skip
    classes = np.int32([[3, 1, 0, -1, 2, 2, 2]])
    cells = objects_of_cells(boxes, classes, CELLS)
    np.testing.assert_array_equal(cells, [[-1, 0, -1, -1, -1, 2]])
    anchors = np.asarray(objects_of_cell_anchors(boxes, classes, ANCHORS))[0]
    assert {i: k for i, k in enumerate(anchors) if k >= 0} == {3: 0, 15: 2}


def test_objects_equal_slow_loops():
    """The first slot whose centre a cell holds; of its anchors the most alike."""
    rng = np.random.default_rng(0)
    centres = rng.uniform([-10, -10], [106, 74], (8, 9, 2))
    half = rng.uniform(-1, 20, (8, 9, 2))
    boxes = np.concatenate([centres - half, centres + half], -1).astype("float32")
    classes = rng.integers(-1, 4, (8, 9))
    of_cells = np.full((8, 6), -1)
    of_anchors = np.full((8, 18), -1)
    for i, slot in np.ndindex(8, 9):
        x, y = (boxes[i, slot, :2] + boxes[i, slot, 2:]) / 2
        width, height = boxes[i, slot, 2:] - boxes[i, slot, :2]
        inside = 0 <= x < 96 and 0 <= y < 64
        if classes[i, slot] < 0 or width <= 0 or height <= 0 or not inside:
            continue
        cell, alike = 3 * int(y // 32) + int(x // 32), []
        for side, other in ((16, 16), (40, 20), (20, 40)):
            common = min(width, side) * min(height, other)
            alike.append(common / (width * height + side * other - common))
        anchor = 3 * cell + int(np.argmax(alike))
        if of_cells[i, cell] < 0:
            of_cells[i, cell] = slot
        if of_anchors[i, anchor] < 0:
            of_anchors[i, anchor] = slot
    np.testing.assert_array_equal(objects_of_cells(boxes, classes, CELLS), of_cells)
    found = objects_of_cell_anchors(boxes, classes, ANCHORS)
    np.testing.assert_array_equal(found, of_anchors)


def test_used_slots():
    """A box; an empty slot; none of width, turned inside out, not a number."""
    boxes = np.float32([[0, 0, 1, 1]] * 2 + [[3, 0, 3, 1], [3, 4, 1, 2], [0, 0, 1, 1]])
    boxes[-1, 2] = np.nan
    used = used_slots(boxes[None], np.array([[0, -1, 0, 0, 0]]))
    assert np.asarray(used).tolist() == [[True, False, False, False, False]]
