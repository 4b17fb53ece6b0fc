import keras
import numpy as np

from kcv.layers.best_boxes import BestBoxes, best_boxes
from kcv.layers.instance_targets import (
    KeypointTargets,
    MaskTargets,
    keypoint_targets,
    mask_targets,
)

RNG = np.random.default_rng(0)


def blocks():
    """Masks of two images, of blocks of 4 pixels each, and boxes on their corners."""
    masks = RNG.integers(0, 2, (2, 3, 6, 8)).repeat(4, axis=2).repeat(4, axis=3)
    low = RNG.integers(0, 3, (2, 5, 2)) * 4
    boxes = np.concatenate([low, low + 4 * RNG.integers(1, 4, low.shape)], axis=-1)
    objects = RNG.integers(-1, 3, (2, 5))
    return masks.astype("uint8"), boxes.astype("float32"), objects


def test_masks_equal_slow():
    """The pixel in which the middle of a bin lies; blocks leave nothing in doubt."""
    masks, boxes, objects = blocks()
    boxes[:, :, 2:] = boxes[:, :, :2] + 4 * np.array([1, 2])
    found = np.asarray(mask_targets(masks, boxes, objects, 8))
    assert found.shape == (2, 5, 8, 8)
    for i, k in np.ndindex(2, 5):
        x1, y1, x2, y2 = boxes[i, k]
        rows = y1 + (np.arange(8) + 0.5) * (y2 - y1) / 8
        columns = x1 + (np.arange(8) + 0.5) * (x2 - x1) / 8
        expected = np.zeros((8, 8))
        if objects[i, k] >= 0:
            own = masks[i, objects[i, k]]
            expected = own[np.ix_(rows.astype(int), columns.astype(int))]
        # Where a block ends, half a pixel belongs to both.
        inner = np.ix_(range(1, 7), range(1, 7))
        np.testing.assert_array_equal(found[i, k][inner], expected[inner])
    assert 0.2 < found.mean() < 0.8


def test_masks_by_pencil():
    """The left half of an image, looked at in a box that reaches a quarter over it."""
    masks = np.zeros((1, 1, 8, 8))
    masks[..., :4] = 1
    found = mask_targets(masks, np.float32([[[1, 0, 5, 8]]]), [[0]], 4)
    np.testing.assert_array_equal(found, [[[[1, 1, 1, 0]] * 4]])


def test_keypoints_equal_slow():
    keypoints = RNG.uniform(0, 14, (2, 3, 6, 3)).astype("float32")
    keypoints[..., 2] = RNG.integers(0, 3, (2, 3, 6))
    _, boxes, objects = blocks()
    found = np.asarray(keypoint_targets(keypoints, boxes, objects, 7))
    for i, k, j in np.ndindex(2, 5, 6):
        x, y, visible = keypoints[i, objects[i, k], j]
        x1, y1, x2, y2 = boxes[i, k]
        expected = -1
        known = objects[i, k] >= 0 and visible > 0
        if known and x1 <= x <= x2 and y1 <= y <= y2:
            column, row = (x - x1) / (x2 - x1) * 7, (y - y1) / (y2 - y1) * 7
            expected = int(row) * 7 + int(column)
        assert found[i, k, j] == expected
    assert (found >= 0).sum() > 3


def test_the_last_side_belongs_to_the_last_bin():
    keypoints = np.float32([[[[10, 20, 1], [0, 0, 2], [10, 20.1, 1]]]])
    found = keypoint_targets(keypoints, np.float32([[[0, 0, 10, 20]]]), [[0]], 4)
    np.testing.assert_array_equal(found, [[[15, 0, -1]]])


def test_layers_take_the_first_rois_and_are_saved(tmp_path):
    masks, boxes, objects = blocks()
    points = RNG.uniform(0, 30, (2, 3, 6, 3)).astype("float32")
    classes = np.arange(10).reshape(2, 5)
    inputs = [
        keras.Input((3, 24, 32), dtype="uint8"), keras.Input((3, 6, 3)),
        keras.Input((5, 4)), *(keras.Input((5,), dtype="int32") for _ in "ab"),
    ]  # fmt: skip
    outputs = {
        "masks": MaskTargets(2, 7)(inputs[0], *inputs[2:]),
        "points": KeypointTargets(2, 9)(inputs[1], *inputs[2:]),
    }
    model = keras.Model(inputs, outputs)
    shapes = keras.tree.map_structure(lambda x: x.shape[1:], model.output)
    assert shapes["masks"] == {"boxes": (2, 4), "classes": (2,), "targets": (2, 7, 7)}
    assert shapes["points"]["targets"] == (2, 6)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    found = again([masks, points, boxes, classes, objects])
    rois, own = boxes[:, :2], objects[:, :2]
    expected = {
        "masks": mask_targets(masks, rois, own, 7),
        "points": keypoint_targets(points, rois, own, 9),
    }
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name]["targets"], value)
        np.testing.assert_array_equal(found[name]["boxes"], rois)
        np.testing.assert_array_equal(found[name]["classes"], classes[:, :2])


def test_best_boxes_by_pencil():
    """The second class is best and moves by 10 %; the background is never best."""
    proposals = np.float32([[[10, 10, 30, 20], [0, 0, 0, 0]]])
    scores = np.float32([[[9, 1, 2], [0, 0, 0]]])
    offsets = np.zeros((1, 2, 2, 4), "float32")
    offsets[0, 0, 0] = 50
    offsets[0, 0, 1] = 1, -1, np.log(2) / 0.2, 0
    expected = [[2, 9, 40, 19], [0] * 4]
    found = best_boxes(proposals, scores, offsets, (40, 40))
    np.testing.assert_allclose(found, [expected], atol=1e-5)
    layer = BestBoxes((40, 40))
    np.testing.assert_array_equal(layer(proposals, scores, offsets), found)
    again = BestBoxes.from_config(layer.get_config())
    np.testing.assert_array_equal(again(proposals, scores, offsets), found)
