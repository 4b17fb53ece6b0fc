import keras
import numpy as np
import pytest
import slow_boxes

from kcv.boxes import anchors as grids
from kcv.boxes import iou, matching
from kcv.boxes.matching import BACKGROUND, IGNORED

RNG = np.random.default_rng(0)
ANCHORS = slow_boxes.some(RNG, 300)
BOXES = slow_boxes.some(RNG, 3, 6)
CLASSES = np.array([[0, 2, 1, 3, 0, 1], [4, -1, 2, -1, 0, -1], [-1] * 6])
CROWD = np.array([[0, 1, 0, 0, 0, 1], [0, 1, 1, 0, 0, 0], [1] * 6], bool)


def slow_match(anchors, boxes, classes, foreground, background, crowd, every_object):
    """The rules, an anchor and an object at a time, for one image."""
    objects = [k for k, c in enumerate(classes) if c >= 0 and not crowd[k]]
    crowds = [k for k, c in enumerate(classes) if c >= 0 and crowd[k]]
    answer = []
    for anchor in anchors:
        overlap = {k: slow_boxes.iou(anchor, boxes[k]) for k in objects}
        best = max(objects, key=overlap.get, default=None)
        highest = overlap[best] if objects else 0
        inside = [
            slow_boxes.parts(anchor, boxes[k])[0] / slow_boxes.parts(anchor, anchor)[0]
            for k in crowds
        ]
        if highest >= foreground:
            answer.append(best)
        elif highest >= background or max(inside, default=0) >= 0.5:
            answer.append(IGNORED)
        else:
            answer.append(BACKGROUND)
    if every_object:
        table = slow_boxes.table(anchors, boxes)
        wishes = {k: int(table[:, k].argmax()) for k in objects if table[:, k].any()}
        for anchor in set(wishes.values()):
            rivals = [k for k, a in wishes.items() if a == anchor]
            answer[anchor] = max(rivals, key=lambda k: table[anchor, k])
    return np.array(answer)


def greedy_pairs(table):
    """SSD's pairs: the highest IoU of all, again and again."""
    table, pairs = table.copy(), {}  # (objects, anchors)
    while table.size and table.max() > 0:
        k, anchor = np.unravel_index(table.argmax(), table.shape)
        pairs[int(anchor)] = int(k)
        table[k], table[:, anchor] = 0, 0
    return pairs


def test_match_by_pencil():
    """IoU with the object, a square of 4: 1, 3/5, 1/3, 0; best for the other: 1/4."""
    anchors = np.float32(
        [[0, 0, 4, 4], [1, 0, 5, 4], [2, 0, 6, 4], [9, 9, 12, 12], [20, 20, 22, 22]]
    )
    boxes = np.float32([[[0, 0, 4, 4], [20, 20, 24, 24], [0, 0, 0, 0]]])
    classes = np.array([[3, 1, -1]])
    found = matching.match(anchors, boxes, classes, 0.6, 0.3)
    np.testing.assert_array_equal(found.objects, [[0, 0, IGNORED, BACKGROUND, 1]])
    np.testing.assert_allclose(found.iou, [[1, 0.6, 1 / 3, 0, 1 / 4]], rtol=1e-6)
    found = matching.match(anchors, boxes, classes, 0.6, 0.3, every_object=False)
    np.testing.assert_array_equal(
        found.objects, [[0, 0, IGNORED, BACKGROUND, BACKGROUND]]
    )
    found = matching.match(anchors, boxes, classes, 0.6, 0.25, every_object=False)
    np.testing.assert_array_equal(found.objects, [[0, 0, IGNORED, BACKGROUND, IGNORED]])


@pytest.mark.parametrize(
    ("crowd", "every_object", "at_once"),
    [(None, True, 64), (CROWD, True, None), (None, False, None), (CROWD, False, 64)],
    ids=["single", "crowds", "single by threshold", "crowds by threshold"],
)
def test_match_equals_the_rules(crowd, every_object, at_once):
    """Oracle; the third image has nothing but empty slots, whose boxes are not 0."""
    found = matching.match(
        *(ANCHORS, BOXES, CLASSES, 0.4, 0.2, crowd, every_object, at_once)
    )
    assert found.objects.dtype == "int32"
    seen = set()
    for k in range(3):
        crowded = np.zeros(6, bool) if crowd is None else crowd[k]
        args = ANCHORS, BOXES[k], CLASSES[k], 0.4, 0.2, crowded, every_object
        np.testing.assert_array_equal(found.objects[k], slow_match(*args))
        seen |= set(np.asarray(found.objects[k]).tolist())
    assert {BACKGROUND, IGNORED, 2, 4} <= seen
    assert crowd is not None or not np.asarray(found.objects[2] >= 0).any()


def test_anchors_of_each_image():
    """Proposals differ by image; the answer is that of each image alone."""
    proposals = slow_boxes.some(RNG, 3, 70)
    found = matching.match(proposals, BOXES, CLASSES, 0.5, 0.5, CROWD, at_once=32)
    for k in range(3):
        alone = matching.match(
            *(proposals[k], BOXES[k : k + 1], CLASSES[k : k + 1], 0.5, 0.5),
            crowd=CROWD[k : k + 1],
        )
        np.testing.assert_array_equal(found.objects[k], alone.objects[0])
        np.testing.assert_array_equal(found.iou[k], alone.iou[0])


def test_each_object_gets_an_anchor_of_a_grid():
    """Objects of 4 to 90 pixels, however small, under anchors of 32 and more."""
    anchors = np.concatenate(grids.retinanet((128, 128)))
    size = RNG.uniform(4, 90, (4, 8, 2))
    low = RNG.uniform(0, 1, (4, 8, 2)) * (128 - size)
    boxes = np.concatenate([low, low + size], -1).astype("float32")
    found = matching.match_ssd(anchors, boxes, np.zeros((4, 8), int))
    for objects in np.asarray(found.objects):
        assert set(objects.tolist()) == set(range(-1, 8))


@pytest.mark.parametrize("ties", [False, True])
def test_match_ssd_equals_greedy_pairs(ties):
    """Oracle; few anchors, so that objects take them from each other."""
    anchors, boxes = (
        slow_boxes.some(RNG, *shape, side=60.0) for shape in ((7,), (5, 8))
    )
    if ties:
        anchors, boxes = (np.float32(np.round(x / 10) * 10) for x in (anchors, boxes))
    classes = np.where(RNG.uniform(size=(5, 8)) < 0.8, 1, -1)
    classes[4] = -1
    found = matching.match_ssd(anchors, boxes, classes, threshold=0.6)
    second_choices = 0
    for k in range(5):
        table = np.array(iou.pairwise_iou(boxes[k], anchors))
        table[classes[k] < 0] = 0
        best = table.argmax(axis=0)
        expected = np.where(table.max(axis=0) >= 0.6, best, BACKGROUND)
        pairs = greedy_pairs(table)
        for anchor, owner in pairs.items():
            expected[anchor] = owner
            second_choices += table[owner].argmax() != anchor
        np.testing.assert_array_equal(found.objects[k], expected)
        for anchor, owner in pairs.items():
            assert found.iou[k][anchor] == table[owner, anchor]
    assert second_choices > 0


def test_more_objects_than_anchors():
    """Two anchors, three objects on the first: one is left without."""
    anchors = np.float32([[0, 0, 10, 10], [50, 50, 60, 60]])
    boxes = np.float32([[[0, 0, 10, 8], [0, 0, 10, 9], [1, 1, 9, 9]]])
    found = matching.match_ssd(anchors, boxes, np.zeros((1, 3), int))
    np.testing.assert_array_equal(found.objects, [[1, BACKGROUND]])


def test_crowds_of_ssd():
    anchors = np.float32([[0, 0, 4, 4], [20, 20, 24, 24]])
    boxes = np.float32([[[0, 0, 10, 10], [21, 20, 25, 24]]])
    found = matching.match_ssd(anchors, boxes, [[0, 0]], crowd=[[True, False]])
    np.testing.assert_array_equal(found.objects, [[IGNORED, 1]])


def test_values_of_objects():
    """Boxes and classes; the second image has no object."""
    objects = np.int32([[1, BACKGROUND, 0], [BACKGROUND, IGNORED, BACKGROUND]])
    classes = matching.of_objects(CLASSES[:2], objects, -1)
    np.testing.assert_array_equal(classes, [[2, -1, 0], [-1, -1, -1]])
    boxes = np.asarray(matching.of_objects(BOXES[:2], objects, 0))
    np.testing.assert_array_equal(boxes[0], [BOXES[0, 1], np.zeros(4), BOXES[0, 0]])
    assert not boxes[1].any()


class Targets(keras.layers.Layer):
    """As a detector will: proposals and truth in, classes and boxes out."""

    def call(self, proposals, boxes, classes):
        first = matching.match(proposals, boxes, classes, 0.5, 0.5, at_once=64)
        second = matching.match_ssd(ANCHORS, boxes, classes)
        return (
            matching.of_objects(classes, first.objects, -1),
            matching.of_objects(boxes, second.objects, 0),
        )


@pytest.mark.slow
def test_in_a_model_of_any_batch():
    """Life: symbolic batch, tf.function of predict; gradients stop at the proposals."""
    shapes, dtypes = ((300, 4), (6, 4), (6,)), ("float32", "float32", "int32")
    inputs = [keras.Input(shape, dtype=d) for shape, d in zip(shapes, dtypes)]
    outputs = Targets()(*inputs)
    assert outputs[0].shape == (None, 300) and outputs[1].shape == (None, 300, 4)
    model = keras.Model(inputs, outputs)
    batch = [np.stack([ANCHORS] * 3), BOXES, CLASSES]
    model.compile(jit_compile=False)  # XLA has a test of its own
    classes, boxes = model.predict(batch, verbose=0)
    expected = matching.match(ANCHORS, BOXES, CLASSES, 0.5, 0.5)
    np.testing.assert_array_equal(
        classes, matching.of_objects(CLASSES, expected.objects, -1)
    )
    expected = matching.match_ssd(ANCHORS, BOXES, CLASSES)
    np.testing.assert_array_equal(
        boxes, matching.of_objects(BOXES, expected.objects, 0)
    )


@pytest.mark.slow
def test_compiled_by_xla():
    tf = pytest.importorskip("tensorflow")
    boxes, classes = tf.constant(BOXES), tf.constant(CLASSES)

    @tf.function(jit_compile=True)
    def both(boxes, classes):
        first = matching.match(ANCHORS, boxes, classes, 0.4, 0.2, at_once=64)
        return first.objects, matching.match_ssd(ANCHORS, boxes, classes).objects

    first, second = both(boxes, classes)
    expected = matching.match(ANCHORS, BOXES, CLASSES, 0.4, 0.2)
    np.testing.assert_array_equal(first, expected.objects)
    expected = matching.match_ssd(ANCHORS, BOXES, CLASSES)
    np.testing.assert_array_equal(second, expected.objects)


def test_errors():
    message = r"background = 0.5 must lie in 0\.\.foreground = 0.4"
    with pytest.raises(ValueError, match=message):
        matching.match(ANCHORS, BOXES, CLASSES, 0.4, 0.5)
