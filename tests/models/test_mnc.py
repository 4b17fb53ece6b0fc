"""The cascade: what a later stage sees, what it teaches, and where it can be cut."""

import keras
import numpy as np
import pytest
from residual_checks import pictures, randomize, shapes_only

from kcv.layers.best_boxes import best_boxes
from kcv.losses.two_stage import two_stage_loss
from kcv.models.detection import stages
from kcv.models.detection.cascade_training import cascade_graph
from kcv.models.detection.faster_rcnn import faster_rcnn, faster_rcnn_anchors
from kcv.models.detection.mnc import mnc, mnc_anchors

SIZE = (64, 64)
SMALL = {
    "body": "mobilenet_v1", "alpha": 0.25, "stride": 8, "sides": (12, 24, 40),
    "rpn_filters": 16, "mask_size": 28, "mask_units": 16, "units": 16, "proposals": 12,
}  # fmt: skip
BOXES = np.float32(
    [[[4, 6, 30, 40], [34, 10, 60, 56], [20, 44, 31, 54], [0] * 4], [[0] * 4] * 4]
)
CLASSES = np.array([[0, 2, 1, -1], [-1] * 4])


def built(**options):
    return mnc((*SIZE, 3), 3, **(SMALL | options))


@pytest.fixture(scope="module")
def model():
    model = built()
    randomize(model, pictures(4, SIZE))
    for weight in model.get_layer("rpn").get_layer("proposal_offsets").weights:
        weight.assign(weight * 0.1)  # exp() of large ones enlarges rounding errors
    return model


def test_parameters_of_the_papers_layers():
    """VGG-16's convolutions, the RPN, 256 and 28^2 units for masks, two fc6 and fc7."""
    with shapes_only():
        model = mnc()
    body = 138_357_544 - 25_089 * 4096 - 4097 * 4096 - 4097 * 1000
    proposals = (9 * 512 + 1) * 512 + 9 * (1 + 4) * 513
    masks = (14 * 14 * 512 + 1) * 256 + 257 * 28 * 28
    pathways = 2 * ((7 * 7 * 512 + 1) * 4096 + 4097 * 4096)
    last = (2 * 4096 + 1) * (21 + 4 * 20)
    assert body == 14_714_688
    assert body + proposals + masks + pathways + last == 282_908_642
    assert model.count_params() == 282_908_642
    shapes = {name: x.shape[1:] for name, x in model.output.items()}
    assert shapes["masks"] == (300, 28, 28, 1) and shapes["mask_boxes"] == (300, 4)
    assert shapes["scores"] == (300, 21) and shapes["offsets"] == (300, 20, 4)


def seen(model, logits):
    """(features of some regions, those features masked) with masks of given logits."""
    head = keras.models.clone_model(model.get_layer("roi_head"))
    head.set_weights(model.get_layer("roi_head").get_weights())
    layer = head.get_layer("mask_logits")
    layer.set_weights([0 * layer.kernel.numpy(), np.ravel(logits)])
    names = ("rois_to_batch", "masked", "pathways")
    part = keras.Model(head.input, [head.get_layer(name).output for name in names])
    maps = np.random.default_rng(0).normal(size=(2, 8, 8, head.input["C4"].shape[-1]))
    given = {"C4": maps, "proposals": np.tile(BOXES[:1, :2], (2, 1, 1))}
    return head, [*map(np.asarray, part(given))]


def test_a_mask_of_ones_leaves_the_features_of_the_box(model):
    head, (box, masked, pathways) = seen(model, np.full((28, 28), 99.0))
    assert np.ptp(box) > 1
    np.testing.assert_array_equal(masked, box)
    half = pathways.shape[1] // 2
    assert np.abs(pathways[:, :half] - pathways[:, half:]).max() > 0.1
    for name in ("fc6", "fc7"):  # and with the same weights both pathways are one
        weights = head.get_layer(f"box_{name}").get_weights()
        head.get_layer(f"masked_{name}").set_weights(weights)
    names = ("box_fc7", "masked_fc7")
    both = keras.Model(head.input, [head.get_layer(name).output for name in names])
    given = {"C4": np.ones((1, *head.input["C4"].shape[1:])), "proposals": BOXES[:1]}
    np.testing.assert_allclose(*both(given), rtol=1e-5)


def test_masks_meet_features_where_they_are(model):
    """Nothing but the upper left quarter, whose last column is half covered."""
    logits = np.full((28, 28), -99.0)
    logits[:14, :13] = 99
    _, (box, masked, _) = seen(model, logits)
    np.testing.assert_array_equal(masked[:, :7, :6], box[:, :7, :6])
    np.testing.assert_allclose(masked[:, :7, 6], box[:, :7, 6] / 2)
    assert not masked[:, 7:].any() and not masked[:, :, 7:].any()


def test_masks_depend_on_boxes_alone_and_classes_on_masks(model):
    """Stage 1 answers as that of Faster R-CNN; masks are of the proposals."""
    images = pictures(2, SIZE)
    found = model(images)
    np.testing.assert_array_equal(found["mask_boxes"], found["proposals"])
    assert np.ptp(found["masks"], axis=1).max() > 0.01
    options = {k: v for k, v in SMALL.items() if k[:4] != "mask"}
    other = faster_rcnn((*SIZE, 3), 3, **options)
    ours = {layer.name: layer for layer in model.layers}
    for layer in other.layers:
        if layer.name != "roi_head":
            layer.set_weights(ours[layer.name].get_weights())
    expected = other(images)
    for key in ("proposals", "proposal_scores", "proposal_offsets"):
        np.testing.assert_array_equal(found[key], expected[key])
    ours, theirs = mnc_anchors((64, 64, 3), 8), faster_rcnn_anchors((64, 64, 3), 8)
    np.testing.assert_array_equal(ours, theirs)


def test_five_stages_look_again_at_the_moved_boxes(model):
    images = pictures(2, SIZE)
    three, longer = model(images), built(stages=5)
    longer.set_weights(model.get_weights())
    found = longer(images)
    parts = (three[name] for name in ("proposals", "scores", "offsets"))
    moved = best_boxes(*parts, SIZE)
    assert np.abs(moved - three["proposals"]).max() > 1
    np.testing.assert_allclose(found["proposals"], moved, atol=1e-3)
    np.testing.assert_array_equal(found["mask_boxes"], found["proposals"])
    maps = stages.proposal_stage(model)(images)
    stage = stages.roi_stage(model)
    again = stage({"C4": maps["C4"], "proposals": found["proposals"]})
    for key in ("scores", "offsets", "masks"):
        np.testing.assert_allclose(found[key], again[key], atol=1e-3)
    assert np.abs(found["scores"] - three["scores"]).max() > 0.01


def test_what_is_behind_the_regions_answers_as_the_whole(model):
    """The cut for int8: the first half and the head have no box in them."""
    images = pictures(2, SIZE)
    expected = model(images)
    maps = stages.proposal_stage(model)(images)
    layer = model.get_layer("roi_head").get_layer("regions")
    found = stages.head_stage(model)(layer(maps["C4"], expected["proposals"]))
    assert set(found) == {"scores", "offsets", "masks"}
    for key, value in found.items():
        np.testing.assert_allclose(value, expected[key], atol=1e-4)


@pytest.fixture(scope="module")
def learned(model, tmp_path_factory):
    """(expected and found answers of a loaded model, losses, gradients of each)."""
    import tensorflow as tf

    path = tmp_path_factory.mktemp("mnc") / "model.keras"
    model.save(path)
    again = keras.saving.load_model(path)
    images = pictures(2, SIZE, seed=2)
    answers = model(images), again(images)
    train = cascade_graph(again, anchors=10**6, rois=12, proposals=20)
    masks = np.zeros((2, 4, *SIZE), "uint8")
    masks[:, :, 10:36, 8:50] = 1
    batch = {"images": images, "boxes": BOXES, "classes": CLASSES,
             "crowd": 0 * CLASSES, "masks": masks}  # fmt: skip
    weights = again.trainable_weights
    with tf.GradientTape(persistent=True) as tape:
        outputs = train({name: batch[name] for name in train.input}, training=True)
        losses = two_stage_loss(outputs)
        sums = {name: tf.reduce_sum(value) for name, value in losses.items()}
        sums["all"] = sum(sums.values())
    slopes = {}
    for name in ("all", "mask_loss", "class_loss"):
        found = tape.gradient(sums[name], [w.value for w in weights])
        slopes[name] = {w.path: g for w, g in zip(weights, found)}
    return answers, outputs, losses, slopes


def test_loaded_it_answers_the_same(learned):
    expected, found = learned[0]
    for key, value in expected.items():
        np.testing.assert_array_equal(found[key], value)


def test_losses_of_all_stages(learned):
    _, outputs, losses, _ = learned
    names = ["class_loss", "box_loss", "rpn_class_loss", "rpn_box_loss", "mask_loss"]
    assert list(losses) == names
    for key, value in losses.items():
        assert value.shape == (2,) and np.isfinite(value).all() and value[0] > 0
        # The second image has no objects.
        assert (value[1] > 0) == key.endswith("class_loss"), key
    kinds = np.asarray(outputs["mask_classes"])
    assert set(kinds[0]) <= {0, 1} and 1 in kinds[0] and 1 not in kinds[1]
    assert outputs["masks"].shape == (2, 3, 28, 28, 1)
    # The cross-entropy of the object's pixels, whatever its class.
    own = kinds[0] == 1
    shares = 1 / (1 + np.exp(-np.float64(outputs["masks"])[0, own, ..., 0]))
    right = np.where(outputs["mask_targets"][0][own] == 1, shares, 1 - shares)
    np.testing.assert_allclose(losses["mask_loss"][0], -np.log(right).mean(), rtol=1e-3)


def test_every_weight_learns(learned):
    for path, slope in learned[-1]["all"].items():
        assert slope is not None and np.isfinite(slope).all(), path
        assert np.abs(slope).max() > 0, path


def test_classes_teach_the_masks_but_masks_not_the_classes(learned):
    """Section 3.4: each stage depends on those before it."""
    of_classes, of_masks = (learned[-1][name] for name in ("class_loss", "mask_loss"))
    for path, slope in of_classes.items():
        if "mask_fc" in path or "mask_logits" in path:
            assert np.abs(slope).max() > 0, path
            assert np.abs(of_masks[path]).max() > 0, path
    later = [path for path in of_masks if "fc7" in path or "scores" in path]
    assert len(later) >= 6
    assert not any(of_masks[path] is not None for path in later)


@pytest.mark.slow
def test_exports_as_one_float_graph(model, tmp_path):
    from kcv.export import convert

    report = convert(
        model, tmp_path / "x.tflite", probes=pictures(4, SIZE), task="detection"
    )
    assert set(report.parity) == set(model.output)


def test_refused():
    with shapes_only():
        with pytest.raises(ValueError, match="stages=4 is none of 3 and 5"):
            built(stages=4)
        with pytest.raises(ValueError, match="mask_size=21 is no multiple of 14"):
            built(mask_size=21)
        options = {k: v for k, v in SMALL.items() if k[:4] != "mask"}
        plain = faster_rcnn((*SIZE, 3), 3, **options)
        with pytest.raises(ValueError, match="faster_rcnn has no masks in its second"):
            cascade_graph(plain, rois=12, proposals=20)
