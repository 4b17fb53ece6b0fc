"""Mask R-CNN: a mask of each class in each box, and its twin for keypoints.

Paper: K. He, G. Gkioxari, P. Dollar, R. Girshick, "Mask R-CNN", 2017,
https://arxiv.org/abs/1703.06870

Differs from the paper: masks are looked at in every proposal, moved as its best class
says, not in what is left of these after non-maximum suppression; a device that runs the
two halves apart may do that (`mask_stage`). As for Faster R-CNN all of the body is
trained.
"""

import keras
from keras import layers

from kcv.layers.best_boxes import BestBoxes
from kcv.layers.roi_batch import BatchToRoIs, RoIsToBatch
from kcv.models.detection import stages
from kcv.models.detection.faster_rcnn import (
    HIGHEST_ROIS,
    PYRAMID_SIDES,
    faster_rcnn_fpn,
    faster_rcnn_fpn_anchors,
    pyramid_head,
)
from kcv.models.detection.fpn import FILTERS
from kcv.models.detection.rpn import small

BINS = 14  # of the regions that masks and keypoints are made of


def mask_rcnn(
    input_shape=(512, 512, 3), classes=80, weights=None, body="resnet50", alpha=1.0,
    sides=PYRAMID_SIDES, filters=FILTERS, units=1024, proposals=300,
    canonical_size=224, mask_filters=256, convolutions=4,
):  # fmt: skip
    """Builds Mask R-CNN on a feature pyramid.

    Args:
        input_shape: as for `faster_rcnn_fpn`.
        classes: likewise.
        weights: likewise.
        body: likewise.
        alpha: likewise.
        sides: likewise.
        filters: likewise.
        units: likewise.
        proposals: likewise; the paper's 1000 make 1000 masks of each class.
        canonical_size: likewise.
        mask_filters: of all layers of the mask head.
        convolutions: of the mask head, 3x3, before it doubles its 14x14 bins.

    Returns:
        A model as `faster_rcnn_fpn` with two outputs more: {"mask_boxes": float32
        (batch, proposals, 4), x1, y1, x2, y2 in pixels, the proposals as their best
        classes move them; "masks": float32 (batch, proposals, 28, 28, classes), logits
        of a sigmoid each, spread over these boxes}.

    Parameters with 90 classes: 44,529,836, of which torchvision counts 44,401,393; see
    `faster_rcnn_fpn`, and a mask less, that of the background.
    """
    model = faster_rcnn_fpn(
        input_shape, classes, None, body, alpha, sides, filters, units, proposals,
        canonical_size,
    )  # fmt: skip

    def answer(regions):
        x = RoIsToBatch(name="rois_to_batch")(regions)
        x = _convolutions(x, mask_filters, convolutions, "mask")
        x = layers.Conv2DTranspose(
            mask_filters, 2, 2, activation="relu", kernel_initializer="he_normal",
            name="enlarge",
        )(x)  # fmt: skip
        x = layers.Conv2D(
            classes, 1, kernel_initializer=small(), dtype="float32", name="masks"
        )(x)
        back = BatchToRoIs(name="batch_to_rois", dtype="float32")
        return {"masks": back(x, regions)}

    return _with_head(model, answer, "mask_head", canonical_size, weights, "mask_rcnn")


def keypoint_rcnn(
    input_shape=(512, 512, 3), classes=1, weights=None, keypoints=17, body="resnet50",
    alpha=1.0, sides=PYRAMID_SIDES, filters=FILTERS, units=1024, proposals=300,
    canonical_size=224, keypoint_filters=512, convolutions=8,
):  # fmt: skip
    """Builds Mask R-CNN with keypoints in place of masks (section 5).

    Args:
        input_shape: as for `mask_rcnn`.
        classes: likewise; of persons alone in the paper.
        weights: likewise.
        keypoints: of an object.
        body: as for `mask_rcnn`.
        alpha: likewise.
        sides: likewise.
        filters: likewise.
        units: likewise.
        proposals: likewise.
        canonical_size: likewise.
        keypoint_filters: of the convolutions of the keypoint head.
        convolutions: of the keypoint head, 3x3.

    Returns:
        A model as `faster_rcnn_fpn` with two outputs more: "mask_boxes" as of
        `mask_rcnn`, and {"keypoints": float32 (batch, proposals, 56, 56, keypoints),
        logits of a softmax over the 56x56 bins of a box}.

    Parameters with the defaults: 59,265,958, of which torchvision counts 59,137,258.
    """
    model = faster_rcnn_fpn(
        input_shape, classes, None, body, alpha, sides, filters, units, proposals,
        canonical_size,
    )  # fmt: skip

    def answer(regions):
        x = RoIsToBatch(name="rois_to_batch")(regions)
        x = _convolutions(x, keypoint_filters, convolutions, "keypoint")
        x = layers.Conv2DTranspose(
            keypoints, 4, 2, padding="same", kernel_initializer="he_normal",
            name="enlarge",
        )(x)  # fmt: skip
        size = 4 * BINS
        x = layers.Resizing(size, size, dtype="float32", name="enlarge_again")(x)
        back = BatchToRoIs(name="batch_to_rois", dtype="float32")
        return {"keypoints": back(x, regions)}

    return _with_head(
        model, answer, "keypoint_head", canonical_size, weights, "keypoint_rcnn"
    )


def mask_rcnn_anchors(input_shape=(512, 512, 3), sides=PYRAMID_SIDES):
    """Anchors of `mask_rcnn`'s proposals; as `faster_rcnn_fpn_anchors`."""
    return faster_rcnn_fpn_anchors(input_shape, sides)


def keypoint_rcnn_anchors(input_shape=(512, 512, 3), sides=PYRAMID_SIDES):
    """Anchors of `keypoint_rcnn`'s proposals; as `faster_rcnn_fpn_anchors`."""
    return faster_rcnn_fpn_anchors(input_shape, sides)


def mask_stage(model, count):
    """The last part alone: feature maps and detected boxes to masks or keypoints.

    Args:
        model: of `mask_rcnn` or `keypoint_rcnn`, or loaded.
        count: of boxes.

    Returns:
        A model from the maps of `stages.proposal_stage` and "boxes", float32 (batch,
        count, 4), x1, y1, x2, y2 in pixels, to {"masks"} or {"keypoints"} of the model.

    Raises:
        ValueError: the model has no such head.
    """
    head = stages.instance_head(model)
    if head is None:
        raise ValueError(f"{model.name} has neither masks nor keypoints")
    return stages.stage(model, head, "boxes", count, f"{model.name}_masks")


def _convolutions(x, filters, count, name):
    # Weights inside of a head are known by these names alone: bodies have a "conv1".
    for i in range(1, count + 1):
        x = layers.Conv2D(
            filters, 3, padding="same", activation="relu",
            kernel_initializer="he_normal", name=f"{name}_conv{i}",
        )(x)  # fmt: skip
    return x


def _with_head(model, answer, head, canonical_size, weights, name):
    """The model with a head more, on the proposals that its best classes moved."""
    pyramid = {
        layer.name: layer.output
        for layer in model.layers
        if layer.name in [f"P{k}" for k in range(2, HIGHEST_ROIS + 1)]
    }
    own = pyramid_head(pyramid, answer, head, "boxes", BINS, canonical_size)
    outputs = dict(model.output)
    parts = [outputs[key] for key in ("proposals", "scores", "offsets")]
    boxes = BestBoxes(model.input.shape[1:3], name="mask_boxes")(*parts)
    outputs |= {"mask_boxes": boxes, **own({**pyramid, "boxes": boxes})}
    model = keras.Model(model.input, outputs, name=name)
    if weights is not None:
        model.load_weights(weights)
    return model
