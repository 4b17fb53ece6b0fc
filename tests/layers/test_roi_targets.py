import keras
import numpy as np
import pytest

from kcv.layers.roi_targets import SampleRoIs, roi_targets

RNG = np.random.default_rng(0)
PROPOSALS, SLOTS = 40, 5


def some(batch=4):
    """Proposals around objects and elsewhere; two places are empty."""
    low = RNG.uniform(0, 60, (batch, SLOTS, 2))
    boxes = np.concatenate([low, low + RNG.uniform(15, 40, low.shape)], axis=-1)
    classes = RNG.integers(0, 7, (batch, SLOTS))
    classes[:, 3:] = -1
    classes[-1] = -1  # an image without objects
    boxes[classes < 0] = 0
    near = boxes[:, RNG.integers(0, 3, PROPOSALS)] + RNG.normal(
        0, 5, (batch, PROPOSALS, 4)
    )
    near[:, :15] = RNG.uniform(0, 50, (batch, 15, 4)) + [0, 0, 50, 50]
    near = np.where((near[..., 2:] > near[..., :2]).all(axis=-1)[..., None], near, 0)
    near[:, 7:9] = 0
    random = RNG.uniform(size=(batch, PROPOSALS + SLOTS))
    return [x.astype("float32") for x in (near, boxes)], classes, random


def slow_iou(a, b):
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    common = max(width, 0) * max(height, 0)
    total = sum((x[2] - x[0]) * (x[3] - x[1]) for x in (a, b)) - common
    return common / total if total > 0 else 0


def slow(proposals, boxes, classes, random, count, most, foreground):
    """One image, a proposal at a time: rows of box, class, offsets, object."""
    kinds = ([], [])
    for i, box in enumerate(np.concatenate([proposals, boxes])):
        if box[2] <= box[0] or box[3] <= box[1]:
            continue
        iou = [slow_iou(box, b) if c >= 0 else 0 for b, c in zip(boxes, classes)]
        best = int(np.argmax(iou))
        positive = iou[best] >= foreground
        kinds[not positive].append((random[i], box, best if positive else -1))
    positives, negatives = (sorted(k, key=lambda row: -row[0]) for k in kinds)
    rows = positives[:most]
    rows += negatives[: count - len(rows)]
    answer = []
    for _, box, best in rows:
        offsets = np.zeros(4)
        if best >= 0:
            size, own = box[2:] - box[:2], boxes[best]
            centres = [(b[:2] + b[2:]) / 2 for b in (own, box)]
            offsets[:2] = (centres[0] - centres[1]) / size / 0.1
            offsets[2:] = np.log((own[2:] - own[:2]) / size) / 0.2
        answer.append((box, 1 + classes[best] if best >= 0 else 0, offsets, best))
    answer += [(np.zeros(4), -1, np.zeros(4), -1)] * (count - len(rows))
    return [np.array(column) for column in zip(*answer)]


@pytest.mark.parametrize(
    ("count", "most", "foreground"), [(12, 3, 0.5), (43, 20, 0.3), (8, 8, 0.7)]
)
def test_equals_slow(count, most, foreground):
    (proposals, boxes), classes, random = some()
    found = roi_targets(proposals, boxes, classes, random, count, most, foreground)
    assert found.boxes.shape == (4, count, 4)
    for i in range(4):
        truth = (proposals[i], boxes[i], classes[i], random[i])
        expected = slow(*truth, count, most, foreground)
        for name, value, wanted in zip(found._fields, found, expected):
            np.testing.assert_allclose(value[i], wanted, atol=1e-4, err_msg=name)
    if count == 43:  # of 45, empty places are never drawn
        assert (np.asarray(found.classes) == -1).any(axis=1).all()


def test_by_pencil():
    """A proposal with an IoU of 0.6, one with 0.4, and the object itself."""
    proposals = np.float32([[[0, 0, 10, 6], [0, 0, 10, 4]]])
    boxes, classes = np.float32([[[0, 0, 10, 10]]]), [[2]]
    found = roi_targets(proposals, boxes, classes, np.float32([[1, 0, 0.5]]), 3, 2)
    np.testing.assert_array_equal(found.classes, [[3, 3, 0]])
    np.testing.assert_array_equal(found.objects, [[0, 0, -1]])
    expected = [[0, 2 / 6 / 0.1, 0, np.log(10 / 6) / 0.2], [0] * 4, [0] * 4]
    np.testing.assert_allclose(found.offsets[0], expected, rtol=1e-5)
    np.testing.assert_array_equal(found.boxes[0], [*proposals[0, :1], *boxes[0],
                                                   *proposals[0, 1:]])  # fmt: skip


def test_no_objects_and_nothing_at_all():
    (proposals, boxes), classes, random = some()
    found = roi_targets(proposals, 0 * boxes, 0 * classes - 1, random, 12, 5)
    assert set(np.ravel(found.classes)) == {0} and not np.any(found.offsets)
    found = roi_targets(0 * proposals, 0 * boxes, 0 * classes - 1, random, 20, 5)
    assert set(np.ravel(found.classes)) == {-1}
    assert not np.any(found.boxes) and np.isfinite(found.offsets).all()


def test_crowds_are_nothing_to_find_and_no_background():
    (proposals, boxes), classes, random = some()
    crowd = np.zeros_like(classes)
    crowd[0, 0] = 1
    options = (proposals, boxes, classes, random, 45, 20, 0.3)
    plain, found = roi_targets(*options), roi_targets(*options, crowd)
    assert (plain.objects[0] == 0).numpy().any()
    assert not (found.objects[0] == 0).numpy().any()
    counts = [(np.asarray(x.classes[0]) == 0).sum() for x in (plain, found)]
    assert counts[1] <= counts[0]
    np.testing.assert_array_equal(found.boxes[1:], plain.boxes[1:])


def rows(layer, training):
    (proposals, boxes), classes, _ = some()
    found = layer(proposals, boxes, classes, 0 * classes, training=training)
    return np.asarray(found["boxes"])


def test_layer_draws_anew_while_training_alone():
    def fresh(seed=3):
        return SampleRoIs(8, 4, seed=seed)

    layer, state = fresh(), RNG.bit_generator.state

    def draw(layer, training):
        RNG.bit_generator.state = state
        return rows(layer, training)

    first, second = draw(layer, True), draw(layer, True)
    assert (first != second).any()
    np.testing.assert_array_equal(draw(layer, False), draw(fresh(9), False))
    again = fresh()
    np.testing.assert_array_equal(draw(again, True), first)
    np.testing.assert_array_equal(draw(again, True), second)


def test_goes_on_after_saving(tmp_path):
    inputs = [
        keras.Input((PROPOSALS, 4)), keras.Input((SLOTS, 4)),
        keras.Input((SLOTS,), dtype="int32"), keras.Input((SLOTS,), dtype="int32"),
    ]  # fmt: skip
    model = keras.Model(inputs, SampleRoIs(8, 4, seed=3)(*inputs))
    (proposals, boxes), classes, _ = some()
    batch = [proposals, boxes, classes, 0 * classes]
    model(batch, training=True)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    expected, found = model(batch, training=True), again(batch, training=True)
    shapes = {name: x.shape[1:] for name, x in model.output.items()}
    assert shapes == {name: x.shape[1:] for name, x in found.items()}
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value)
