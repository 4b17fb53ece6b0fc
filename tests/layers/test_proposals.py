import keras
import numpy as np
import pytest

from kcv.boxes.anchors import shapes
from kcv.layers.proposals import Proposals, level_anchors, propose

RNG = np.random.default_rng(0)
SIZE = (48, 64)
LEVELS = [(8, shapes([16, 30])), (16, shapes([40]))]


def slow_iou(a, b):
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    common = max(width, 0) * max(height, 0)
    total = sum((x[2] - x[0]) * (x[3] - x[1]) for x in (a, b)) - common
    return common / total


def slow_decode(offset, anchor):
    width, height = anchor[2] - anchor[0], anchor[3] - anchor[1]
    x = (anchor[0] + anchor[2]) / 2 + offset[0] * width
    y = (anchor[1] + anchor[3]) / 2 + offset[1] * height
    width, height = width * np.exp(offset[2]), height * np.exp(offset[3])
    box = [x - width / 2, y - height / 2, x + width / 2, y + height / 2]
    return np.clip(box, 0, [SIZE[1], SIZE[0]] * 2)


def slow_proposals(scores, offsets, anchors, count, candidates, threshold):
    """One image: level by level, box by box."""
    found, start = [], 0
    for own in anchors:
        kept, places = [], range(start, start + len(own))
        places = sorted(places, key=lambda i: -scores[i])[:candidates]
        for i in places:
            box = slow_decode(offsets[i], own[i - start])
            empty = box[2] <= box[0] or box[3] <= box[1]
            if not empty and all(slow_iou(box, k) <= threshold for _, k in kept):
                kept.append((scores[i], box))
        found += kept[:count]
        start += len(own)
    found = sorted(found, key=lambda pair: -pair[0])[:count]
    answer = np.zeros((count, 4))
    answer[: len(found)] = [box for _, box in found] if found else 0
    return answer


def some(batch=3, deviation=0.6):
    anchors = level_anchors(SIZE, LEVELS)
    number = sum(map(len, anchors))
    scores = RNG.permutation(batch * number).reshape(batch, number) / 10 - 9
    offsets = RNG.normal(0, deviation, (batch, number, 4))
    return anchors, scores.astype("float32"), offsets.astype("float32")


def test_by_pencil():
    """Four anchors of 16 pixels: one is far out, one lies on another, one is moved."""
    layer = Proposals((32, 32), [(16, [(16, 16)])], count=4)
    scores = np.float32([[3, 9, 2, 1]])
    offsets = np.zeros((1, 4, 4), "float32")
    offsets[0, 1, 0] = 5  # 80 pixels to the right
    offsets[0, 2, 1] = -1  # onto the first
    offsets[0, 3] = 0.25, 0, np.log(1.5), 0  # 4 pixels to the right, 24 wide
    found = layer(scores, offsets)
    expected = [[0, 0, 16, 16], [16, 16, 32, 32], [0] * 4, [0] * 4]
    expected[1] = [16, 16, 32, 32]  # from 16 to 40, cut off
    np.testing.assert_allclose(found, [expected], atol=1e-5)


@pytest.mark.parametrize(
    ("count", "candidates", "threshold"), [(10, 500, 0.7), (7, 20, 0.3), (90, 30, 0.5)]
)
def test_equals_slow(count, candidates, threshold):
    anchors, scores, offsets = some()
    found = propose(scores, offsets, anchors, SIZE, count, candidates, threshold)
    assert found.shape == (3, count, 4)
    for i in range(3):
        expected = slow_proposals(
            scores[i], offsets[i], anchors, count, candidates, threshold
        )
        np.testing.assert_allclose(found[i], expected, atol=1e-3)
        assert (expected.any(axis=1).sum() < count) == (count == 90)


def test_what_is_no_number_and_what_is_outside():
    anchors, scores, offsets = some()
    expected = np.asarray(propose(scores, offsets, anchors, SIZE, 10, 500))
    worst = scores.argmin(axis=1)
    for i, j in enumerate(worst):
        scores[i, j] = np.nan
    best = scores[0].copy()
    best[np.isnan(best)] = -np.inf
    offsets[0, best.argmax(), 2] = np.nan
    found = np.asarray(propose(scores, offsets, anchors, SIZE, 10, 500))
    np.testing.assert_array_equal(found[1:], expected[1:])
    assert np.isfinite(found).all() and not (found[0] == expected[0]).all()
    offsets[:] = [50, 0, 0, 0]  # all of them to the right of the image
    for given in (scores, np.float32(scores * np.nan)):
        assert not np.asarray(propose(given, offsets, anchors, SIZE, 10, 500)).any()
        offsets = 0 * offsets


def test_no_gradient():
    import tensorflow as tf

    anchors, scores, offsets = map(tf.nest.map_structure, [tf.constant] * 3, some(1))
    with tf.GradientTape() as tape:
        tape.watch([scores, offsets])
        found = propose(scores, offsets, some(1)[0], SIZE, 10, 500)
    assert tape.gradient(found, [scores, offsets]) == [None, None]


def test_layer_is_the_function_and_is_saved(tmp_path):
    anchors, scores, offsets = some()
    number = scores.shape[1]
    inputs = keras.Input((number,)), keras.Input((number, 4))
    layer = Proposals(SIZE, LEVELS, count=9, candidates=40, iou_threshold=0.4)
    model = keras.Model(inputs, layer(*inputs))
    assert model.output.shape == (None, 9, 4)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    expected = propose(scores, offsets, anchors, SIZE, 9, 40, 0.4)
    np.testing.assert_array_equal(again([scores, offsets]), expected)
    half = Proposals(SIZE, LEVELS, 9, dtype="mixed_bfloat16")
    found = half(*(keras.ops.cast(x, "bfloat16") for x in (scores, offsets)))
    assert keras.backend.standardize_dtype(found.dtype) == "float32"


def test_refused():
    for name in ("count", "candidates"):
        with pytest.raises(ValueError, match=f"{name} must be a whole number"):
            Proposals(SIZE, LEVELS, **({"count": 9} | {name: 0}))
    with pytest.raises(ValueError, match="324 anchors, but scores of 9 and offsets"):
        Proposals(SIZE, LEVELS, 9)(np.zeros((1, 9)), np.zeros((1, 9, 4)))
