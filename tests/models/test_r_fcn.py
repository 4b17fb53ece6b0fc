import numpy as np
import pytest
from residual_checks import pictures, randomize, shapes_only

from kcv.models.classification.resnet import resnet50, resnet101
from kcv.models.detection import stages
from kcv.models.detection.r_fcn import r_fcn, r_fcn_anchors

THIN = {
    "body": "mobilenet_v1", "alpha": 0.25, "sides": (8, 16, 32), "rpn_filters": 16,
    "filters": 16, "size": 3, "proposals": 9,
}  # fmt: skip


def thin(size=(64, 96), classes=3, **options):
    return r_fcn((*size, 3), classes, **(THIN | options))


@pytest.mark.parametrize(
    "body, classifier, megabytes",
    [
        ("resnet50", resnet50, 122),
        pytest.param("resnet101", resnet101, 194, marks=pytest.mark.slow),
    ],
)
def test_parameters(body, classifier, megabytes):
    """By formula; the authors' files of VOC, with 8 maps of offsets and 18 logits."""
    with shapes_only():
        model, whole = r_fcn(classes=20, body=body), classifier(classes=1)
    rpn = 9 * 1024 * 512 + 512 + 45 * 513
    maps = 2048 * 1024 + 1024 + 49 * (21 + 4) * 1025
    expected = whole.count_params() - 2049 + rpn + maps
    assert model.count_params() == expected
    theirs = expected + 49 * 4 * 1025 + 9 * 513
    assert abs(4 * theirs / 2**20 - megabytes) < 1


@pytest.mark.parametrize("stride", [16, 8])
def test_outputs(stride):
    with shapes_only():
        model = thin(stride=stride)
    n = len(r_fcn_anchors((64, 96, 3), stride, THIN["sides"]))
    assert {name: x.shape[1:] for name, x in model.output.items()} == {
        "scores": (9, 4), "offsets": (9, 3, 4), "proposals": (9, 4),
        "proposal_scores": (n,), "proposal_offsets": (n, 4),
    }  # fmt: skip
    maps = stages.feature_maps(model)
    sides = (64 // stride, 96 // stride)
    assert {name: x.shape[1:] for name, x in maps.items()} == {
        "class_maps": (*sides, 36), "offset_maps": (*sides, 36),
    }  # fmt: skip


def test_score_maps_of_c4_leave_the_last_level_out():
    with shapes_only():
        model = thin(level="C4", stride=8)
    assert stages.feature_maps(model)["class_maps"].shape[1:] == (8, 12, 36)
    assert not [layer for layer in model.layers if layer.name.startswith("block12")]
    with pytest.raises(ValueError, match="no map 'C3' at stride 16"):
        thin(level="C3")


def test_votes_by_pencil():
    """Each part of a box has a map of its own; the answer is the mean of its parts.

    Map (class c, part p) is 100 c + p everywhere, so that a class has 100 c + 4.
    """
    model = thin()
    stage = stages.roi_stage(model, 2)
    maps = np.zeros((1, 4, 6, 4, 9), "float32")
    maps = (maps + 100 * np.arange(4)[:, None] + np.arange(9)).reshape(1, 4, 6, 36)
    boxes = np.float32([[[0, 0, 48, 64], [16, 16, 90, 50]]])
    found = stage({"class_maps": maps, "offset_maps": maps, "proposals": boxes})
    expected = np.array([4, 104, 204, 304])
    np.testing.assert_allclose(found["scores"], [[expected] * 2], rtol=1e-6)
    np.testing.assert_allclose(found["offsets"], [[[expected] * 3] * 2], rtol=1e-6)


@pytest.mark.slow
def test_the_second_half_has_no_weights():
    model, images = thin(), pictures(2, (64, 96))
    randomize(model, images)
    assert model.get_layer("roi_head").count_params() == 0
    found = model(images)
    assert np.ptp(found["scores"], axis=0).max() > 0.1
    np.testing.assert_array_equal(found["offsets"][:, :, 0], found["offsets"][:, :, 2])


def test_refused():
    with (
        shapes_only(),
        pytest.raises(ValueError, match="no map 'C5' at stride 4"),
    ):
        thin(stride=4)
