import keras
import numpy as np

from kcv.boxes.anchors import grid
from kcv.layers.anchor_targets import SampleAnchors, anchor_targets

RNG = np.random.default_rng(0)
ANCHORS = grid((6, 8), 8, [(16, 16), (24, 12)])  # 96 of an image of 48 x 64
BOXES = np.float32(
    [[[4, 6, 22, 20], [30, 10, 55, 22], [0] * 4], [[0] * 4] * 3, [[1, 1, 62, 46]] * 3]
)
CLASSES = np.array([[0, 2, -1], [-1, -1, -1], [1, -1, -1]])
BOXES[2, 1:] = 0


def slow_iou(a, b):
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    common = max(width, 0) * max(height, 0)
    total = sum((x[2] - x[0]) * (x[3] - x[1]) for x in (a, b)) - common
    return common / total


def slow_kinds(boxes, classes, foreground, background):
    """The object of each anchor, -1 for the background, -2 for neither."""
    known = [i for i, c in enumerate(classes) if c >= 0]
    table = np.array([[slow_iou(a, boxes[i]) for i in known] for a in ANCHORS])
    kinds = np.full(len(ANCHORS), -1)
    if known:
        best = table.max(axis=1)
        kinds = np.where(best < background, -1, -2)
        kinds = np.where(
            best >= foreground, np.take(known, table.argmax(axis=1)), kinds
        )
        for column, i in enumerate(known):
            kinds[table[:, column].argmax()] = i
    return kinds


def test_equals_slow():
    """Each drawn anchor has the kind it should have, and the best drawn stay so."""
    random = RNG.uniform(size=(3, 96)).astype("float32")
    found = anchor_targets(ANCHORS, BOXES, CLASSES, random, 20, 6, 0.5, 0.2)
    for i in range(3):
        kinds = slow_kinds(BOXES[i], CLASSES[i], 0.5, 0.2)
        positive = sorted(np.flatnonzero(kinds >= 0), key=lambda j: -random[i, j])[:6]
        negative = sorted(np.flatnonzero(kinds == -1), key=lambda j: -random[i, j])
        expected = positive + negative[: 20 - len(positive)]
        np.testing.assert_array_equal(found.indices[i, : len(expected)], expected)
        labels = [1] * len(positive) + [0] * (len(expected) - len(positive))
        labels += [-1] * (20 - len(labels))
        np.testing.assert_array_equal(found.classes[i], labels)
        for k, j in enumerate(positive):
            own, anchor = BOXES[i, kinds[j]], ANCHORS[j]
            size = anchor[2:] - anchor[:2]
            moved = (own[:2] + own[2:] - anchor[:2] - anchor[2:]) / 2 / size
            grown = np.log((own[2:] - own[:2]) / size)
            np.testing.assert_allclose(found.offsets[i, k], [*moved, *grown], atol=1e-5)
        assert not np.any(found.offsets[i, len(positive) :])
    counts = (np.asarray(found.classes) == 1).sum(axis=1)
    assert counts[0] > 2 and list(counts[1:]) == [0, 1]


def test_a_crowd_is_neither():
    random = RNG.uniform(size=(3, 96))
    crowd = np.array([[0, 1, 0], [0] * 3, [1, 0, 0]])
    found = anchor_targets(ANCHORS, BOXES, CLASSES, random, 96, 48, 0.5, 0.2, crowd)
    drawn = np.asarray(found.indices)[np.asarray(found.classes) >= 0]
    in_crowd = [slow_iou(a, BOXES[2, 0]) > 0.05 for a in ANCHORS]
    last = np.asarray(found.classes)[2]
    assert len(drawn) and (last != 1).all() and (last == -1).sum() >= 20
    assert sum(in_crowd) > 20


def test_layer_is_the_function_and_goes_on_after_saving(tmp_path):
    levels = [(8, [(16, 16), (24, 12)])]
    inputs = [keras.Input((3, 4)), *(keras.Input((3,), dtype="int32") for _ in "ab")]
    layer = SampleAnchors((48, 64), levels, 20, 6, 0.5, 0.2, seed=1)
    model = keras.Model(inputs, layer(*inputs))
    batch = [BOXES, CLASSES, 0 * CLASSES]
    first = model(batch, training=True)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    expected, found = model(batch, training=True), again(batch, training=True)
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value)
        assert found[name].shape[1:] == model.output[name].shape[1:]
    assert (np.asarray(first["indices"]) != np.asarray(expected["indices"])).any()
    fixed = [model(batch, training=False)["indices"] for _ in range(2)]
    np.testing.assert_array_equal(*fixed)
    for i in range(3):
        kinds = slow_kinds(BOXES[i], CLASSES[i], 0.5, 0.2)
        own = np.asarray(found["indices"])[i]
        positive = np.asarray(found["classes"])[i] == 1
        assert (kinds[own[positive]] >= 0).all()
        assert (kinds[own[np.asarray(found["classes"])[i] == 0]] == -1).all()
