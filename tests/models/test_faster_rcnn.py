import keras
import numpy as np
import pytest
from residual_checks import count, pictures, randomize, shapes_only

from kcv.boxes.coding import decode
from kcv.layers.proposals import propose
from kcv.models.detection import stages
from kcv.models.detection.fast_rcnn import fast_rcnn
from kcv.models.detection.faster_rcnn import (
    faster_rcnn,
    faster_rcnn_anchors,
    faster_rcnn_fpn,
    faster_rcnn_fpn_anchors,
)

SIDES = (8, 16, 32)
THIN = {
    "body": "mobilenet_v1", "alpha": 0.25, "sides": SIDES, "units": 16, "proposals": 9,
}  # fmt: skip
PYRAMID = THIN | {"sides": (8, 16, 32, 64, 128), "filters": 8}


def thin(size=(64, 96), classes=3, **options):
    options = THIN | {"rpn_filters": 16, "stride": 8} | options
    return faster_rcnn((*size, 3), classes, **options)


def thin_fpn(size=(64, 96), classes=3, **options):
    return faster_rcnn_fpn((*size, 3), classes, **(PYRAMID | options))


def shapes(model):
    return {name: x.shape[1:] for name, x in model.output.items()}


def test_parameters_of_torchvision():
    """41,755,286, with offsets for the background, without batch normalisations."""
    with shapes_only():
        model = faster_rcnn_fpn(classes=90)
    channels = 26_560  # of all batch normalisations of ResNet-50
    background = 4 * (1024 + 1)
    assert model.count_params() == 41_755_286 + 5 * channels - background == 41_883_986
    assert count(model)[1] == 41_755_286 + 3 * channels - background


def test_parameters_of_vgg16():
    """523 MiB of the first authors, with two logits an anchor and background boxes."""
    with shapes_only():
        model = faster_rcnn(classes=20, body="vgg16", units=4096, regions="pool")
        fast = fast_rcnn(classes=20)
    theirs = model.count_params() + 9 * (512 + 1) + 4 * (4096 + 1)
    assert model.count_params() == 137_057_234
    assert round(4 * theirs / 2**20) == 523
    rpn = 9 * 512 * 512 + 512 + 45 * (512 + 1)
    assert fast.count_params() == model.count_params() - rpn


@pytest.mark.slow
def test_parameters_of_conv5_as_head():
    """All of ResNet-50 but its classifier, an RPN on 1024 channels, two answers."""
    from kcv.models.classification.resnet import resnet50

    with shapes_only():
        model, body = faster_rcnn(), resnet50(classes=1)
    rpn = 9 * 1024 * 512 + 512 + 45 * (512 + 1)
    answers = (81 + 4 * 80) * (2048 + 1)
    expected = body.count_params() - (2048 + 1) + rpn + answers
    assert model.count_params() == expected


@pytest.mark.parametrize("stride, level", [(16, "C4"), (8, "C4"), (16, "C5")])
def test_one_answer_a_proposal_and_an_anchor(stride, level):
    with shapes_only():
        model = thin((65, 96), stride=stride, level=level)
    n = len(faster_rcnn_anchors((65, 96, 3), stride, SIDES))
    assert n == (9 * 12 if stride == 8 else 5 * 6) * 9
    assert shapes(model) == {
        "scores": (9, 4), "offsets": (9, 3, 4), "proposals": (9, 4),
        "proposal_scores": (n,), "proposal_offsets": (n, 4),
    }  # fmt: skip
    assert {x.dtype for x in model.outputs} == {"float32"}


@pytest.mark.parametrize("levels", [2, 4, 5])
def test_levels(levels):
    sides = PYRAMID["sides"][:levels]
    with shapes_only():
        model = thin_fpn((64, 70), sides=sides)
    n = len(faster_rcnn_fpn_anchors((64, 70, 3), sides))
    maps = [(16, 18), (8, 9), (4, 5), (2, 3), (1, 2)][:levels]
    assert shapes(model)["proposal_offsets"] == (n, 4)
    assert n == 3 * sum(h * w for h, w in maps)
    names = list(stages.feature_maps(model))
    assert names == ["P2", "P3", "P4", "P5"][:levels]


def test_anchors_at_the_defaults():
    assert faster_rcnn_anchors().shape == (9_216, 4)
    anchors = faster_rcnn_fpn_anchors()
    assert anchors.shape == (65_472, 4)
    # Pencil: the square at the first place of P2 has its middle at (2, 2).
    np.testing.assert_allclose(anchors[1], [-14, -14, 18, 18])
    np.testing.assert_allclose(anchors[-2], [224, 224, 736, 736])


@pytest.mark.slow
def test_proposals_are_those_of_the_anchors():
    """Trap: scores in another order than the anchors, or of another level."""
    model, images = thin_fpn(), pictures(2, (64, 96))
    randomize(model, images)
    found = {name: np.asarray(x) for name, x in model(images).items()}
    anchors = faster_rcnn_fpn_anchors((64, 96, 3), PYRAMID["sides"])
    sizes = [3 * h * w for h, w in ((16, 24), (8, 12), (4, 6), (2, 3), (1, 2))]
    levels = np.split(anchors, np.cumsum(sizes)[:-1])
    answers = found["proposal_scores"], found["proposal_offsets"]
    expected = propose(*answers, levels, (64, 96), 9, 1000)
    np.testing.assert_allclose(found["proposals"], expected, atol=1e-3)
    best = found["proposal_scores"].argmax(axis=1)
    for i, k in enumerate(best):
        box = decode(found["proposal_offsets"][i, k], anchors[k])
        box = np.clip(box, 0, [96, 64, 96, 64])
        if np.all(box[2:] > box[:2]):
            np.testing.assert_allclose(found["proposals"][i, 0], box, atol=1e-3)


@pytest.mark.slow
def test_a_lit_place_answers_at_its_anchor():
    """An RPN that copies one channel, of a map that is lit in row 2, column 5."""
    model = thin((48, 64))
    head = model.get_layer("rpn")
    weights = {w.path: np.zeros(w.shape) for w in head.weights}
    weights["conv/kernel"][1, 1, 0, 0] = 1
    weights["proposal_scores/kernel"][0, 0, 0, :] = np.arange(1, 10)
    for weight in head.weights:
        weight.assign(weights[weight.path])
    inner = keras.Model(model.get_layer("C4").output, model.output)
    maps = np.zeros((1, 6, 8, 128), "float32")
    maps[0, 2, 5, 0] = 1
    found = inner(maps)
    anchors = faster_rcnn_anchors((48, 64, 3), 8, SIDES)
    scores = np.asarray(found["proposal_scores"][0])
    best = anchors[scores.argmax()]
    assert scores.max() == 9 and (scores > 0).sum() == 9
    np.testing.assert_allclose((best[:2] + best[2:]) / 2, [44, 20], atol=1e-4)
    expected = np.clip(best, 0, [64, 48, 64, 48])
    np.testing.assert_allclose(found["proposals"][0, 0], expected, atol=1e-4)


@pytest.mark.parametrize(
    "body",
    ["resnet18", "vgg16", *(pytest.param(name, marks=pytest.mark.slow)
                            for name in ("inception_v3", "densenet121"))],
)  # fmt: skip
def test_bodies(body):
    """Those whose maps lack rows, too: they are filled up with zeros."""
    options = {"body": body, "alpha": 0.25 if body in ("vgg16", "inception_v3") else 1}
    with shapes_only():
        model = thin((80, 95), stride=16, **options)
        pyramid = thin_fpn((80, 95), **options)
    assert shapes(model)["proposal_scores"] == (5 * 6 * 9,)
    n = len(faster_rcnn_fpn_anchors((80, 95, 3), PYRAMID["sides"]))
    assert shapes(pyramid)["proposal_scores"] == (n,)


def test_half_precision_ends_before_boxes():
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        with shapes_only():
            models = thin(), thin_fpn()
    finally:
        keras.mixed_precision.set_global_policy("float32")
    assert {x.dtype for model in models for x in model.outputs} == {"float32"}


@pytest.mark.parametrize(
    ("builder", "options", "message"),
    [
        (thin, {"body": "resnet19"}, "no body 'resnet19'; known: resnet18"),
        (thin, {"body": "resnet18"}, "resnet18 has no alpha, got 0.25"),
        (thin, {"stride": 4}, "no map 'C4' at stride 4"),
        (thin, {"level": "C3"}, "no map 'C3' at stride 8"),
        (thin, {"regions": "warp"}, "no regions 'warp'; known: align, pool"),
        (thin, {"units": None}, "mobilenet_v1 has no conv5 behind C4"),
        (thin, {"size": (31, 64)}, "at least 32 pixels"),
        (thin_fpn, {"sides": (8,)}, "sides must be of 2 to 5 levels"),
    ],
)
def test_refused(builder, options, message):
    with shapes_only(), pytest.raises(ValueError, match=message):
        builder(**options)


def test_one_side_a_level():
    from kcv.models.detection.rpn import pyramid_levels

    with pytest.raises(ValueError, match="3 sides for 2 levels"):
        pyramid_levels((2, 3), SIDES)
