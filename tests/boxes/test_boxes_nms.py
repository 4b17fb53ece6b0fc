import keras
import numpy as np
import pytest
import slow_boxes
from hypothesis import given, settings
from hypothesis import strategies as st

from kcv.boxes import nms, soft_nms
from kcv.edge import boxes as edge
from kcv.edge import soft_nms as edge_soft_nms

RNG = np.random.default_rng(0)
BOXES = slow_boxes.some(RNG, 2, 120)
SCORES = RNG.permutation(240).reshape(2, 120).astype("float32") / 240
CLASSES = RNG.integers(0, 3, (2, 120))


def kept(row):
    row = np.asarray(row)
    assert (row[np.argmax(row < 0) :] < 0).all() or (row >= 0).all()
    return row[row >= 0].tolist()


def test_by_pencil():
    """A chain: the first suppresses the second, which would suppress the third."""
    boxes = np.float32([[[0, 0, 4, 4], [1, 0, 5, 4], [2, 0, 6, 4], [9, 9, 9, 9]]])
    scores = [[0.9, 0.8, 0.7, 0.6]]
    found = nms.nms(boxes, scores, 0.4, output_size=5)
    np.testing.assert_array_equal(found, [[0, 2, 3, -1, -1]])
    found = nms.nms(boxes, scores, 0.4, output_size=5, rounds=1)
    assert kept(found[0]) == [0, 3]  # a round settles one link
    found = nms.nms(boxes, scores, 0.4, 1)
    np.testing.assert_array_equal(found, [[0]])


def test_the_threshold_itself_suppresses_nothing():
    """IoU 8 / 16; and boxes without area at one place, which overlap nothing."""
    boxes = np.float32([[0, 0, 4, 4], [0, 0, 4, 2], [9, 9, 9, 9], [9, 9, 9, 9]])
    for threshold, expected in ((0.5, [0, 1, 2, 3]), (0.49, [0, 2, 3])):
        scores = np.float32([4, 3, 2, 1])
        assert kept(nms.nms(boxes[None], scores[None], threshold)[0]) == expected
        assert edge.nms(boxes, scores, threshold).tolist() == expected


@pytest.mark.parametrize("threshold", [0.1, 0.5, 0.8])
@pytest.mark.parametrize("classes", [None, CLASSES], ids=["agnostic", "per class"])
def test_equals_the_greedy_rule(threshold, classes):
    found = nms.nms(BOXES, SCORES, threshold, 120, 0.1, classes)
    for k in range(2):
        mine = None if classes is None else classes[k]
        expected = slow_boxes.nms(BOXES[k], SCORES[k], threshold, mine, 0.1)
        assert kept(found[k]) == expected
        assert 5 < len(expected) < 115
        same = edge.nms(BOXES[k], SCORES[k], threshold, None, 0.1, mine)
        assert same.tolist() == expected


def test_equals_tensorflow():
    tf = pytest.importorskip("tensorflow")
    found = nms.nms(BOXES, SCORES, 0.45, 30)
    for k in range(2):
        expected = tf.image.non_max_suppression(BOXES[k], SCORES[k], 30, 0.45)
        assert kept(found[k]) == expected.numpy().tolist()


def test_a_long_chain_is_followed_to_its_end():
    """Trap of a fixed number of rounds: 90 links, each overlaps the next alone."""
    x = np.arange(90, dtype="float32") * 4
    boxes = np.stack([x, 0 * x, x + 10, 0 * x + 10], axis=1)[None]
    scores = np.linspace(1, 0.5, 90, dtype="float32")[None]
    found = nms.nms(boxes, scores, 0.4, 90)
    assert kept(found[0]) == list(range(0, 90, 2))
    assert edge.nms(boxes[0], scores[0], 0.4).tolist() == list(range(0, 90, 2))
    assert kept(nms.nms(boxes, scores, 0.4, 90, rounds=6)[0]) != list(range(0, 90, 2))


def test_equal_scores_nan_and_nothing():
    """Equal boxes and scores: the first stays. NaN and minus infinity never do."""
    boxes = np.float32([[0, 0, 4, 4]] * 4 + [[8, 8, 9, 9]])
    scores = np.float32([np.nan, 0.5, 0.5, 0.5, -np.inf])
    found = nms.nms(boxes[None], scores[None], output_size=5)
    np.testing.assert_array_equal(found, [[1, -1, -1, -1, -1]])
    assert edge.nms(boxes, scores).tolist() == [1]
    found = nms.nms(BOXES, SCORES, 0.5, 4, score_threshold=2.0)
    np.testing.assert_array_equal(found, np.full((2, 4), -1))


def test_candidates_are_the_highest():
    found = nms.nms(BOXES, SCORES, 0.5, 120, candidates=40)
    for k in range(2):
        top = np.argsort(-SCORES[k])[:40]
        rest = slow_boxes.nms(BOXES[k][top], SCORES[k][top], 0.5)
        assert kept(found[k]) == top[rest].tolist()


@st.composite
def some_boxes(draw):
    """At places of a coarse grid: many equal, many that touch, any order."""
    numbers = st.integers(0, 6)
    rows = draw(st.lists(st.tuples(*[numbers] * 4), min_size=1, max_size=20))
    boxes = np.float32([[x, y, x + w, y + h] for x, y, w, h in rows])
    scores = draw(st.permutations(range(len(rows))))
    return boxes, np.float32(scores) + 1


@settings(max_examples=10)
@given(some_boxes(), st.sampled_from([0.0, 0.25, 0.5, 0.75]))
def test_laws(drawn, threshold):
    boxes, scores = drawn
    size = len(boxes)
    first = kept(nms.nms(boxes[None], scores[None], threshold, size)[0])
    assert first == slow_boxes.nms(boxes, scores, threshold)
    assert first == edge.nms(boxes, scores, threshold).tolist()
    table = slow_boxes.table(boxes[first], boxes[first])
    assert (table[~np.eye(len(first), dtype=bool)] <= threshold).all()
    again = kept(nms.nms(boxes[None, first], scores[None, first], threshold, size)[0])
    assert again == list(range(len(first)))


@pytest.mark.parametrize("own", [False, True], ids=["shared", "of each class"])
def test_detections_equal_those_of_the_edge(own):
    scores = RNG.uniform(size=(2, 50, 3)).astype("float32")
    scores[1] *= 0.3
    shape = (2, 50, 3) if own else (2, 50)
    boxes = slow_boxes.some(RNG, *shape)
    found = {
        name: np.asarray(value)
        for name, value in nms.detections(boxes, scores, 0.4, 0.28, 60).items()
    }
    for k, total in enumerate(found["count"]):
        expected = edge.detections(boxes[k], scores[k], 0.4, 0.28, 60)
        assert total == len(expected[1]) > 0
        for name, values in zip(("boxes", "scores", "classes"), expected):
            np.testing.assert_array_equal(found[name][k, :total], values)
        for name, empty in (("boxes", 0), ("scores", 0), ("classes", -1)):
            assert (found[name][k, total:] == empty).all()
    assert 0 < found["count"][1] < 60


def test_detections_by_rule():
    """Oracle: each class alone, then all by falling score."""
    scores = RNG.permutation(120).reshape(1, 40, 3).astype("float32") / 120
    found = nms.detections(BOXES[:1, :40], scores, 0.3, 0.2)
    expected = sorted(
        (-scores[0, i, c], c, i)
        for c in range(3)
        for i in slow_boxes.nms(BOXES[0, :40], scores[0, :, c], 0.3, None, 0.2)
    )
    count = int(found["count"][0])
    assert count == len(expected)
    classes = [c for _, c, _ in expected]
    np.testing.assert_array_equal(found["classes"][0, :count], classes)
    np.testing.assert_array_equal(
        found["boxes"][0, :count], BOXES[0, [i for *_, i in expected]]
    )


SOFT = {
    "linear": lambda iou: 1 - iou if iou > 0.3 else 1,
    "gaussian": lambda iou: np.exp(-(iou**2) / 0.5),
}


@pytest.mark.parametrize("name", SOFT)
def test_soft_equals_the_paper(name):
    """Oracle, one box at a time; the graph, the edge and the loop agree."""
    boxes, scores = BOXES[:, :20], SCORES[:, :20]
    graph = getattr(soft_nms, f"soft_nms_{name}")
    indices, taken = map(np.asarray, graph(boxes, scores, output_size=22))
    for k in range(2):
        expected = slow_boxes.soft_nms(boxes[k], scores[k], SOFT[name], 0.001)
        assert len(expected) > 10
        here = indices[k] >= 0
        assert indices[k][here].tolist() == [i for i, _ in expected]
        np.testing.assert_allclose(taken[k][here], [s for _, s in expected], rtol=1e-4)
        assert not taken[k][~here].any()
        found, lowered = getattr(edge_soft_nms, f"soft_nms_{name}")(boxes[k], scores[k])
        assert found.tolist() == indices[k][here].tolist()
        np.testing.assert_allclose(lowered, taken[k][here], rtol=1e-5)


def test_soft_of_equal_boxes_and_of_nothing():
    """Trap: minus infinity times 1 - IoU = 0 is NaN."""
    boxes = np.float32([[[0, 0, 4, 4]] * 3])
    indices, taken = soft_nms.soft_nms_linear(boxes, [[0.9, 0.8, np.nan]], 0.3, 3)
    np.testing.assert_array_equal(indices, [[0, -1, -1]])
    np.testing.assert_allclose(taken, [[0.9, 0, 0]])


class Suppress(keras.layers.Layer):
    def __init__(self, rounds=None, **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.rounds = rounds

    def call(self, boxes, scores):
        return nms.detections(boxes, scores, 0.4, 0.2, 20, rounds=self.rounds)


@pytest.mark.slow
def test_in_a_model_of_any_batch():
    inputs = keras.Input((40, 4)), keras.Input((40, 3))
    model = keras.Model(inputs, Suppress()(*inputs))
    assert model.output["boxes"].shape == (None, 20, 4)
    scores = RNG.uniform(size=(2, 40, 3)).astype("float32")
    model.compile(jit_compile=False)  # XLA takes seconds
    found = model.predict([BOXES[:, :40], scores], verbose=0)
    expected = nms.detections(BOXES[:, :40], scores, 0.4, 0.2, 20)
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values)


@pytest.mark.slow
@pytest.mark.parametrize("rounds", [None, 8])
def test_converts_to_builtin_operators(rounds):
    """Equal to Keras to the last index, on ten draws."""
    tf = pytest.importorskip("tensorflow")
    from ai_edge_litert.interpreter import Interpreter

    from kcv.export import flatbuffer

    inputs = (
        keras.Input(batch_shape=(1, 40, 4), name="boxes"),
        keras.Input(batch_shape=(1, 40, 3), name="scores"),
    )
    model = keras.Model(inputs, Suppress(rounds)(*inputs))
    content = tf.lite.TFLiteConverter.from_keras_model(model).convert()
    operators = flatbuffer.read(content).counts()
    assert not [name for name in operators if name.startswith(("Flex", "CUSTOM"))]
    interpreter = Interpreter(model_content=content)
    run = interpreter.get_signature_runner()
    for _ in range(10):
        boxes = slow_boxes.some(RNG, 1, 40)
        scores = RNG.uniform(size=(1, 40, 3)).astype("float32")
        found = run(boxes=boxes, scores=scores)
        expected = model([boxes, scores])
        for name, values in expected.items():
            np.testing.assert_array_equal(found[name], values)
