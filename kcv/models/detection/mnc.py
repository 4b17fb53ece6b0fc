"""Multi-task network cascade: boxes, then a mask in each, then a class of the masked.

Paper: J. Dai, K. He, J. Sun, "Instance-aware Semantic Segmentation via Multi-task
Network Cascades", 2016, https://arxiv.org/abs/1512.04412

Differs from the paper: RoIAlign in place of RoI warping, so no gradient goes back to
the places of boxes: a later stage teaches the masks and the features of earlier ones,
not their boxes. Class and box are learned together in stage 3 also where no stage
follows, and stages 4 and 5 have the weights of 2 and 3 without training of their own.
Masks are made smaller by their mean before they meet the features; masked features are
halved to the 7x7 bins that VGG-16's fc6 reads, as in the authors' code. As for Faster
R-CNN an RPN has one logit an anchor, and 1000 of these are compared.
"""

import keras
from keras import layers

from kcv.layers.best_boxes import BestBoxes
from kcv.layers.roi_align import RoIAlign
from kcv.layers.roi_batch import BatchToRoIs, RoIsToBatch
from kcv.models.detection.bodies import body_of
from kcv.models.detection.fast_rcnn import class_and_box, one_map
from kcv.models.detection.faster_rcnn import SIDES, faster_rcnn_anchors
from kcv.models.detection.rpn import map_levels, rpn, small
from kcv.models.image_input import image_input

BINS = 14  # along each side of a box, of what masks are made of and laid upon
STAGES = (3, 5)


def mnc(
    input_shape=(512, 512, 3), classes=20, weights=None, body="vgg16", alpha=1.0,
    stride=16, level="C4", sides=SIDES, rpn_filters=512, mask_size=28, mask_units=256,
    units=4096, proposals=300, stages=3,
):  # fmt: skip
    """Builds the cascade on one map.

    Args:
        input_shape: as for `faster_rcnn`.
        classes: likewise.
        weights: likewise.
        body: likewise.
        alpha: likewise.
        stride: likewise.
        level: likewise; "C4" of VGG-16 is the paper's conv5_3.
        sides: likewise.
        rpn_filters: likewise.
        mask_size: of a mask, 14 or a multiple.
        mask_units: of the hidden layer that masks are made by.
        units: of both hidden layers of each pathway to the classes.
        proposals: of an image.
        stages: 3, or 5: the boxes that stage 3 has moved go through stages 2 and 3 once
            more, as Figure 3 of the paper has it.

    Returns:
        A model as `faster_rcnn` with two outputs more: {"mask_boxes": float32 (batch,
        proposals, 4), x1, y1, x2, y2 in pixels; "masks": float32 (batch, proposals,
        mask_size, mask_size, 1), logits of a sigmoid, of whatever class, spread over
        these boxes}. They are the boxes of "proposals", which with five stages are
        those of stage 3.

    Raises:
        ValueError: as for `faster_rcnn`, or no such size of masks or number of stages.

    Parameters of VGG-16 with 20 classes: 282,908,642.
    """
    if stages not in STAGES:
        raise ValueError(f"stages={stages} is none of 3 and 5")
    if mask_size < 1 or mask_size % BINS:
        raise ValueError(f"mask_size={mask_size} is no multiple of {BINS}")
    images = image_input(input_shape, minimum=body_of(body, alpha).minimum)
    maps = one_map(images, body, alpha, stride, level)
    head = _head(maps, classes, stride, mask_size, mask_units, units)
    levels = map_levels(stride, sides)
    outputs = rpn(list(maps.values()), input_shape[:2], levels, rpn_filters, proposals)
    boxes = outputs.pop("proposals")
    answers = head({**maps, "proposals": boxes})
    if stages == 5:
        parts = (boxes, answers["scores"], answers["offsets"])
        boxes = BestBoxes(input_shape[:2], name="moved_proposals")(*parts)
        answers = head({**maps, "proposals": boxes})
    where = layers.Identity(name="mask_boxes", dtype="float32")(boxes)
    outputs = {**answers, "proposals": boxes, **outputs, "mask_boxes": where}
    model = keras.Model(images, outputs, name="mnc")
    if weights is not None:
        model.load_weights(weights)
    return model


def mnc_anchors(input_shape=(512, 512, 3), stride=16, sides=SIDES):
    """As `faster_rcnn_anchors`, in the order of `mnc`'s "proposal_scores"."""
    return faster_rcnn_anchors(input_shape, stride, sides)


def _head(maps, classes, stride, mask_size, mask_units, units):
    """Stages 2 and 3: a model from the map and boxes to scores, offsets and masks.

    It is the `roi_head` of `kcv.models.detection.stages`, which cuts it behind its
    regions: what is left has no box in it.
    """
    ((name, features),) = maps.items()
    inputs = keras.Input(features.shape[1:], name=name)
    boxes = keras.Input((None, 4), name="proposals")
    regions = RoIAlign(BINS, stride, name="regions")(inputs, boxes)
    x = RoIsToBatch(name="rois_to_batch")(regions)
    masks = _masks(x, mask_size, mask_units)
    shares = layers.Activation("sigmoid", name="mask_shares")(masks)
    if mask_size > BINS:
        shares = layers.AveragePooling2D(mask_size // BINS, name="mask_means")(shares)
    masked = layers.Multiply(name="masked")([x, shares])  # equation 5
    x = [_pathway(x, units, "box"), _pathway(masked, units, "masked")]
    x = layers.Concatenate(name="pathways")(x)
    outputs = class_and_box(BatchToRoIs(name="batch_to_rois")(x, regions), classes)
    back = BatchToRoIs(name="masks_to_rois", dtype="float32")
    outputs["masks"] = back(masks, regions)
    return keras.Model({name: inputs, "proposals": boxes}, outputs, name="roi_head")


def _masks(x, size, units):
    """Section 3.2: (n, 14, 14, channels) to logits (n, size, size, 1)."""
    x = layers.Flatten(name="mask_flat")(x)
    x = layers.Dense(
        units, activation="relu", kernel_initializer="he_normal", name="mask_fc"
    )(x)
    x = layers.Dense(
        size * size, kernel_initializer=small(), dtype="float32", name="mask_logits"
    )(x)
    return layers.Reshape((size, size, 1), name="masks", dtype="float32")(x)


def _pathway(x, units, name):
    """Section 3.3: 14x14 bins halved, then fc6 and fc7; (n, units)."""
    x = layers.MaxPooling2D(2, name=f"{name}_pool")(x)
    x = layers.Flatten(name=f"{name}_flat")(x)
    for layer in ("fc6", "fc7"):
        x = layers.Dense(
            units, activation="relu", kernel_initializer="he_normal",
            name=f"{name}_{layer}",
        )(x)  # fmt: skip
    return x
