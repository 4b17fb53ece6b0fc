import numpy as np
import pytest
from residual_checks import pictures, randomize, shapes_only

from kcv.layers.best_boxes import best_boxes
from kcv.models.detection.mask_rcnn import (
    keypoint_rcnn,
    keypoint_rcnn_anchors,
    mask_rcnn,
    mask_rcnn_anchors,
)

THIN = {
    "body": "mobilenet_v1", "alpha": 0.25, "sides": (8, 16, 32), "filters": 8,
    "units": 16, "proposals": 9, "convolutions": 1,
}  # fmt: skip
BATCH_NORMS = 5 * 26_560  # parameters of the body that torchvision does not count


def test_parameters_of_torchvision():
    """44,401,393, with offsets and a mask for the background."""
    with shapes_only():
        model = mask_rcnn(classes=90)
    expected = 44_401_393 + BATCH_NORMS - 4 * (1024 + 1) - (256 + 1)
    assert model.count_params() == expected == 44_529_836


def test_parameters_of_keypoints():
    """59,137,258, with offsets for the background."""
    with shapes_only():
        model = keypoint_rcnn()
    assert model.count_params() == 59_137_258 + BATCH_NORMS - 4 * 1025 == 59_265_958
    assert model.output["keypoints"].shape == (None, 300, 56, 56, 17)


@pytest.mark.slow
def test_masks_are_of_moved_proposals():
    model = mask_rcnn((64, 96, 3), 3, mask_filters=8, **THIN)
    images = pictures(2, (64, 96))
    randomize(model, images)
    found = model(images)
    shapes = {name: x.shape[1:] for name, x in model.output.items()}
    assert shapes["masks"] == (9, 28, 28, 3) and shapes["mask_boxes"] == (9, 4)
    parts = (found[name] for name in ("proposals", "scores", "offsets"))
    expected = best_boxes(*parts, (64, 96))
    np.testing.assert_allclose(found["mask_boxes"], expected, atol=1e-4)
    assert np.ptp(found["masks"], axis=0).max() > 0.01


def test_levels_and_keypoints():
    with shapes_only():
        model = keypoint_rcnn((64, 96, 3), 2, keypoints=4, keypoint_filters=8, **THIN)
    assert model.output["keypoints"].shape == (None, 9, 56, 56, 4)
    names = set(model.get_layer("keypoint_head").input)
    assert names == {"P2", "P3", "P4", "boxes"}
    number = model.output["proposal_scores"].shape[1]
    for anchors in (keypoint_rcnn_anchors, mask_rcnn_anchors):
        assert anchors((64, 96, 3), THIN["sides"]).shape == (number, 4)


@pytest.mark.parametrize("builder", [mask_rcnn, keypoint_rcnn])
def test_every_weight_has_a_name_of_its_own(builder):
    """Also beside a body that calls its first convolution conv1."""
    options = THIN | {"body": "darknet19", "sides": (8, 16, 32, 48)}
    with shapes_only():
        model = builder((64, 64, 3), 2, **options)
    paths = [weight.path for weight in model.weights]
    assert len(set(paths)) == len(paths)
