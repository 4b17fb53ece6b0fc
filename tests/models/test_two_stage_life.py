"""Detectors of two stages trained, saved, loaded, cut in two and exported."""

import keras
import numpy as np
import pytest
from residual_checks import pictures, randomize, shapes_only

from kcv.layers.proposals import Proposals
from kcv.layers.roi_targets import SampleRoIs
from kcv.losses.two_stage import two_stage_loss
from kcv.models.classification.mobilenet_v1 import mobilenet_v1
from kcv.models.detection import stages, two_stage
from kcv.models.detection.fast_rcnn import fast_rcnn
from kcv.models.detection.faster_rcnn import faster_rcnn, faster_rcnn_fpn
from kcv.models.detection.mask_rcnn import keypoint_rcnn, mask_rcnn, mask_stage
from kcv.models.detection.r_fcn import r_fcn

SIZE, KINDS, POINTS = (64, 64), 3, 5
BODY = {"body": "mobilenet_v1", "alpha": 0.25, "proposals": 12}
PYRAMID = BODY | {"sides": (12, 24, 40, 60), "filters": 8, "units": 16,
                  "canonical_size": 40}  # fmt: skip
ONE_MAP = BODY | {"stride": 8}
RPN = {"sides": (12, 24, 40), "rpn_filters": 16}
MODELS = {
    "fast_rcnn": (fast_rcnn, ONE_MAP | {"units": 16}),
    "faster_rcnn": (faster_rcnn, ONE_MAP | RPN | {"units": 16}),
    "faster_rcnn_fpn": (faster_rcnn_fpn, PYRAMID),
    "r_fcn": (r_fcn, ONE_MAP | RPN | {"filters": 16, "size": 3}),
    "mask_rcnn": (mask_rcnn, PYRAMID | {"mask_filters": 8, "convolutions": 1}),
    "keypoint_rcnn": (
        keypoint_rcnn,
        PYRAMID | {"keypoints": POINTS, "keypoint_filters": 8, "convolutions": 1},
    ),
}
BOXES = np.float32(
    [[[4, 6, 30, 40], [34, 10, 60, 56], [20, 44, 31, 54], [0] * 4], [[0] * 4] * 4]
)
CLASSES = np.array([[0, 2, 1, -1], [-1] * 4])


def built(name, weights=None):
    builder, options = MODELS[name]
    return builder((*SIZE, 3), classes=KINDS, weights=weights, **options)


def randomized(name):
    model, images = built(name), pictures(4, SIZE)
    boxes = np.tile(BOXES[:1, :2], (4, 6, 1))
    inputs = {"images": images, "proposals": boxes}
    randomize(model, inputs if name == "fast_rcnn" else images)
    if name != "fast_rcnn":  # exp() of large offsets would enlarge each rounding error
        for weight in model.get_layer("rpn").get_layer("proposal_offsets").weights:
            weight.assign(weight * 0.1)
    return model


def batch(model):
    """Two objects in the first image, none in the second."""
    points = np.full((2, 4, POINTS, 3), 20, "float32")
    masks = np.zeros((2, 4, *SIZE), "uint8")
    masks[:, :, 10:36, 8:50] = 1
    values = {
        "images": pictures(2, SIZE, seed=2), "boxes": BOXES, "classes": CLASSES,
        "crowd": 0 * CLASSES, "masks": masks, "keypoints": points,
        "proposals": np.tile(BOXES[:1] + 2 * (BOXES[:1] > 0), (2, 3, 1)),
    }  # fmt: skip
    return {name: values[name] for name in model.input}


def graph(model, **options):
    return two_stage.training_graph(
        model, **({"anchors": 10**6, "rois": 12, "proposals": 20} | options)
    )


def slopes(model, train):
    """The losses, and the gradient of each weight of the model."""
    import tensorflow as tf

    given = batch(train)
    with tf.GradientTape() as tape:
        losses = two_stage_loss(train(given, training=True))
        total = sum(map(tf.reduce_sum, losses.values()))
    weights = model.trainable_weights
    found = tape.gradient(total, [w.value for w in weights])
    return losses, {w.path: g for w, g in zip(weights, found)}


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in MODELS if n != "faster_rcnn_fpn"])
def test_every_weight_learns_and_an_empty_image_is_no_trouble(name, tmp_path):
    """Loaded from a file: the graph is made of the names of the layers."""
    model = randomized(name)
    model.save(tmp_path / "model.keras")
    model = keras.saving.load_model(tmp_path / "model.keras")
    train = graph(model)
    losses, found = slopes(model, train)
    expected = ["class_loss", "box_loss"]
    if name != "fast_rcnn":
        expected += ["rpn_class_loss", "rpn_box_loss"]
    of_objects = {"mask_rcnn": "mask_loss", "keypoint_rcnn": "keypoint_loss"}
    assert list(losses) == expected + [v for k, v in of_objects.items() if k == name]
    for key, value in losses.items():
        assert value.shape == (2,) and np.isfinite(value).all() and value[0] > 0
        assert (value[1] > 0) == key.endswith("class_loss"), key
    for path, slope in found.items():
        assert slope is not None and np.isfinite(slope).all(), path
        assert np.abs(slope).max() > 0, path


@pytest.mark.slow
def test_both_graphs_have_the_same_weights(tmp_path):
    """Trained through the one, the other changes; its file loads into a new one."""
    model = randomized("faster_rcnn")
    train = graph(model)
    ours, theirs = ({id(w) for w in x.weights} for x in (model, train))
    assert theirs <= ours
    left = {w.path for w in model.weights if id(w) not in theirs}
    assert not left, left
    for weight in train.trainable_weights:
        weight.assign_add(np.full(weight.shape, 0.01))
    images = pictures(2, SIZE)
    expected = model(images)
    model.save_weights(tmp_path / "x.weights.h5")
    found = built("faster_rcnn", tmp_path / "x.weights.h5")(images)
    for key, value in expected.items():
        assert np.ptp(value, axis=0).max() > 0.01, key
        np.testing.assert_allclose(found[key], value, atol=1e-3)


@pytest.mark.slow
def test_rois_of_training_are_those_of_its_proposals():
    """What a RoI scores is what the second half says of that box."""
    model = randomized("faster_rcnn")
    train = graph(model)
    found = train(batch(train), training=False)
    maps = stages.proposal_stage(model)(batch(train)["images"])
    again = stages.roi_stage(model, 12)({"C4": maps["C4"], "proposals": found["rois"]})
    for key, value in again.items():
        np.testing.assert_allclose(found[key], value, atol=1e-4)
    np.testing.assert_array_equal(found["proposal_scores"], maps["proposal_scores"])
    kinds = np.asarray(found["roi_classes"])
    assert 0 < (kinds[0] > 0).sum() <= 3 and (kinds[1] == 0).all()
    assert isinstance(train.get_layer("training_proposals"), Proposals)
    assert isinstance(train.get_layer("sampled_rois"), SampleRoIs)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["r_fcn", "mask_rcnn"])
def test_two_halves_answer_as_the_whole(name):
    model, images = randomized(name), pictures(2, SIZE)
    expected = model(images)
    maps = dict(stages.proposal_stage(model)(images))
    for key in stages.RPN_OUTPUTS:
        np.testing.assert_array_equal(maps.pop(key), expected[key])
    stage = stages.roi_stage(model)
    found = stage({**maps, "proposals": expected["proposals"]})
    if stages.instance_head(model):
        boxes = {"boxes": expected["mask_boxes"]}
        found |= mask_stage(model, 12)({**maps, **boxes})
    assert len(found) == len(expected) - 3 - ("mask_boxes" in expected)
    for key, value in found.items():
        np.testing.assert_allclose(value, expected[key], atol=1e-4)


@pytest.mark.slow
def test_what_is_behind_the_regions():
    """RoIAlign by itself, then the heads: together they are the second half."""
    model, images = randomized("mask_rcnn"), pictures(2, SIZE)
    expected = model(images)
    maps = dict(stages.proposal_stage(model)(images))
    levels = {name: maps[name] for name in stages.feature_maps(model)}
    for head, boxes in (("roi_head", "proposals"), ("mask_head", "mask_boxes")):
        layer = model.get_layer(head).get_layer("regions")
        found = stages.head_stage(model, head=head)(layer(levels, expected[boxes]))
        for key, value in found.items():
            np.testing.assert_allclose(value, expected[key], atol=1e-4)


def test_the_first_half_has_no_boxes():
    """All layers between pixels and its outputs quantize."""
    with shapes_only():
        model = stages.proposal_stage(built("faster_rcnn"))
    known = {"Conv2D", "DepthwiseConv2D", "BatchNormalization", "ReLU", "Reshape",
             "Concatenate", "Identity", "InputLayer", "Functional"}  # fmt: skip
    assert {type(layer).__name__ for layer in model.layers} <= known


@pytest.mark.slow
@pytest.mark.parametrize("name", ["faster_rcnn", "mask_rcnn"])
def test_exports_as_one_float_graph(name, tmp_path):
    """Proposals, suppression and RoIs, with builtin operators alone."""
    from kcv.export import convert

    model = randomized(name)
    report = convert(
        model, tmp_path / "x.tflite", probes=pictures(4, SIZE), task="detection"
    )
    assert set(report.parity) == set(model.output)
    assert {"TOPK_V2", "WHILE", "BATCH_MATMUL"} <= set(report.operators)


def test_refused():
    with shapes_only():
        plain, model = mobilenet_v1((32, 32, 3)), built("faster_rcnn")
        with pytest.raises(ValueError, match="mobilenet_v1 has no layer 'roi_head'"):
            two_stage.training_graph(plain)
        with pytest.raises(ValueError, match="r_fcn has no layer behind the regions"):
            stages.head_stage(built("r_fcn"))
        with pytest.raises(ValueError, match="21 RoIs of 20 proposals"):
            graph(model, rois=21)
        with pytest.raises(ValueError, match="faster_rcnn has neither masks nor key"):
            mask_stage(model, 3)
