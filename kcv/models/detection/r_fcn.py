"""R-FCN: score maps for each part of an object, of which each proposal takes the mean.

Paper: J. Dai, Y. Li, K. He, J. Sun, "R-FCN: Object Detection via Region-based Fully
Convolutional Networks", 2016, https://arxiv.org/abs/1605.06409

Differs from the paper: all layers of the body are trained; an RPN has one logit an
anchor; offsets, which are the same for all classes, have four maps for each part, not
eight; the 1x1 convolution before the maps starts as K. He et al. have it, not near 0.
What is behind the proposals has no weights.
"""

import keras
from keras import layers, ops

from kcv.boxes import anchors
from kcv.layers.ps_roi_pool import PSRoIPool
from kcv.models.detection.bodies import body_maps, body_of
from kcv.models.detection.faster_rcnn import two_stages
from kcv.models.detection.rpn import map_levels, rpn, rpn_anchors, small
from kcv.models.image_input import image_input

SIDES = anchors.FASTER_RCNN_SIDES


def r_fcn(
    input_shape=(512, 512, 3), classes=80, weights=None, body="resnet50", alpha=1.0,
    stride=16, sides=SIDES, rpn_filters=512, filters=1024, size=7, proposals=300,
    level="C5",
):  # fmt: skip
    """Builds R-FCN.

    Args:
        input_shape: (height, width, channels) of one image, at least 32x32, and 75x75
            for a body that does not pad.
        classes: number of classes of objects, without the background.
        weights: None or the path of a `.weights.h5` or `.keras` file of this model.
        body: a key of bodies.BODIES.
        alpha: width multiplier, of a body that has one.
        stride: of all maps behind "C3", 16 or 8; proposals are made of "C4".
        sides: of square anchors, in pixels; each also comes as 2:1 and 1:2.
        rpn_filters: of the 3x3 convolution of the region proposal network.
        filters: d of section 2, of the 1x1 convolution before the score maps.
        size: k of section 2: an object has size x size parts.
        proposals: of an image.
        level: that score maps are made of: "C5", whose convolutions are dilated, or
            "C4", which leaves the body's last level out.

    Returns:
        A model from images, float32 (batch, height, width, channels) in [-1, 1], to a
        dict as that of `faster_rcnn`, n in the order of `r_fcn_anchors`. The offsets of
        a proposal are the same for all classes.

    Raises:
        ValueError: no such body, stride or level.
    """
    if stride not in (8, 16) or level not in ("C4", "C5"):
        raise ValueError(
            f"no map {level!r} at stride {stride}: take 'C4' or 'C5' at 16 or 8"
        )
    images = image_input(input_shape, minimum=body_of(body, alpha).minimum)
    maps = body_maps(images, body, alpha, stride, sorted({"C4", level}))
    x = layers.Conv2D(
        filters, 1, activation="relu", kernel_initializer="he_normal", name="reduce"
    )(maps[level])
    parts = {"class_maps": 1 + classes, "offset_maps": 4}
    score_maps = {
        name: layers.Conv2D(
            count * size**2, 1, kernel_initializer=small(), name=name
        )(x)
        for name, count in parts.items()
    }  # fmt: skip
    head = _vote(score_maps, stride, size, classes)
    levels = map_levels(stride, sides)
    outputs = rpn([maps["C4"]], input_shape[:2], levels, rpn_filters, proposals)
    return two_stages(images, score_maps, outputs, head, weights, "r_fcn")


def r_fcn_anchors(input_shape=(512, 512, 3), stride=16, sides=SIDES):
    """Anchors in the order of `r_fcn`'s "proposal_scores"; as `faster_rcnn_anchors`."""
    return rpn_anchors(input_shape[:2], map_levels(stride, sides))


def _vote(score_maps, stride, size, classes):
    """Figure 1: each part of a proposal from its own maps, and the mean of all."""
    inputs = {k: keras.Input(x.shape[1:], name=k) for k, x in score_maps.items()}
    boxes = keras.Input((None, 4), name="proposals")
    votes = {
        name: ops.mean(
            PSRoIPool(size, stride, dtype="float32", name=f"{name}_regions")(x, boxes),
            axis=(2, 3),
        )
        for name, x in inputs.items()
    }
    offsets = layers.Reshape((-1, 1, 4), name="offset_vote")(votes["offset_maps"])
    same = layers.Concatenate(axis=2, name="offsets_by_class")([offsets] * classes)
    outputs = {"scores": votes["class_maps"], "offsets": same}
    return keras.Model({**inputs, "proposals": boxes}, outputs, name="roi_head")
