"""Faster R-CNN: proposals from the same map that they are looked at in.

Papers: S. Ren et al., "Faster R-CNN: Towards Real-Time Object Detection with Region
Proposal Networks", 2015, https://arxiv.org/abs/1506.01497; T. Lin et al., "Feature
Pyramid Networks for Object Detection", 2017, https://arxiv.org/abs/1612.03144

Differs from the papers: RoIAlign in place of RoI pooling, unless asked for; class heads
answer four offsets for each class of objects, none for the background; all of the body
is trained, its batch normalisations, too; an RPN has one logit an anchor, not two; 1000
anchors of a map are compared, as in later code, not 6000.
"""

import keras
from keras import layers

from kcv.boxes import anchors
from kcv.layers.multilevel_roi_align import MultilevelRoIAlign
from kcv.models.detection.bodies import body_maps, body_of
from kcv.models.detection.fast_rcnn import (
    BINS,
    class_and_box,
    dense_layers,
    one_map,
    one_map_head,
)
from kcv.models.detection.fpn import FILTERS, add_pooled_level, fpn
from kcv.models.detection.rpn import map_levels, pyramid_levels, rpn, rpn_anchors
from kcv.models.image_input import image_input

SIDES = anchors.FASTER_RCNN_SIDES
PYRAMID_SIDES = (32, 64, 128, 256, 512)  # pixels, from P2 to P6
HIGHEST_ROIS = 5  # P6 makes proposals, and none is looked at there


def faster_rcnn(
    input_shape=(512, 512, 3), classes=80, weights=None, body="resnet50", alpha=1.0,
    stride=16, level="C4", sides=SIDES, rpn_filters=512, regions="align", units=None,
    proposals=300,
):  # fmt: skip
    """Builds Faster R-CNN on one map.

    `body="vgg16", units=4096, regions="pool"` is that of the first paper, ResNet-50
    that of He et al.

    Args:
        input_shape: (height, width, channels) of one image, at least 32x32, and 75x75
            for a body that does not pad.
        classes: number of classes of objects, without the background.
        weights: None or the path of a `.weights.h5` or `.keras` file of this model.
        body: a key of bodies.BODIES.
        alpha: width multiplier, of a body that has one.
        stride: of the map, 16 or 8.
        level: that map, "C4" or "C5"; "C4" of VGG-16 is the paper's conv5.
        sides: of square anchors, in pixels; each also comes as 2:1 and 1:2.
        rpn_filters: of the 3x3 convolution of the region proposal network.
        regions: "align", or "pool" as in the paper.
        units: of both hidden layers of the head; None takes the blocks conv5 of a
            ResNet in their place, which read "C4".
        proposals: of an image.

    Returns:
        A model from images, float32 (batch, height, width, channels) in [-1, 1], to
        {"scores": float32 (batch, proposals, 1 + classes), logits of a softmax, the
        background first, "offsets": float32 (batch, proposals, classes, 4), of
        coding.encode from the proposal, over coding.SSD_VARIANCES, "proposals": float32
        (batch, proposals, 4), x1, y1, x2, y2 in pixels, 0 where there are fewer,
        "proposal_scores": float32 (batch, n), logits, "proposal_offsets": float32
        (batch, n, 4), without variances}, n in the order of `faster_rcnn_anchors`.

    Raises:
        ValueError: no such body, map, stride or kind of regions, or a head does not
            fit.

    Parameters of VGG-16 with 20 classes: 137,057,234.
    """
    images = image_input(input_shape, minimum=body_of(body, alpha).minimum)
    maps = one_map(images, body, alpha, stride, level)
    head = one_map_head(maps, classes, body, stride, regions, units)
    levels = map_levels(stride, sides)
    outputs = rpn(list(maps.values()), input_shape[:2], levels, rpn_filters, proposals)
    return two_stages(images, maps, outputs, head, weights, "faster_rcnn")


def faster_rcnn_anchors(input_shape=(512, 512, 3), stride=16, sides=SIDES):
    """Anchors in the order of `faster_rcnn`'s "proposal_scores".

    Args:
        input_shape: (height, width, channels) of one image.
        stride: as for `faster_rcnn`.
        sides: likewise.

    Returns:
        float32 (n, 4), x1, y1, x2, y2 in pixels; 9,216 at the defaults.
    """
    return rpn_anchors(input_shape[:2], map_levels(stride, sides))


def faster_rcnn_fpn(
    input_shape=(512, 512, 3), classes=80, weights=None, body="resnet50", alpha=1.0,
    sides=PYRAMID_SIDES, filters=FILTERS, units=1024, proposals=1000,
    canonical_size=224,
):  # fmt: skip
    """Builds Faster R-CNN on a feature pyramid.

    Args:
        input_shape: as for `faster_rcnn`.
        classes: likewise.
        weights: likewise.
        body: likewise.
        alpha: likewise.
        sides: of square anchors, in pixels, one for each level: P2 to P6, or fewer.
        filters: channels of the pyramid and of the region proposal network.
        units: of both hidden layers of the head.
        proposals: of an image; from each level, 1000 anchors are looked at.
        canonical_size: side of the boxes that P4 is for, in pixels.

    Returns:
        A model, as `faster_rcnn`; n in the order of `faster_rcnn_fpn_anchors`.

    Raises:
        ValueError: no such body, or levels and sides do not fit.

    Parameters with 90 classes: 41,883,986. Without 26,560 biases before batch
    normalisations and 106,240 of their own, and with four offsets for the background,
    41,755,286, which torchvision counts.
    """
    images = image_input(input_shape, minimum=body_of(body, alpha).minimum)
    levels = pyramid_levels(_numbers(sides), sides)
    pyramid = pyramid_maps(images, body, alpha, filters, len(sides))
    head = pyramid_head(
        pyramid, lambda x: class_and_box(dense_layers(x, units), classes),
        "roi_head", "proposals", BINS, canonical_size,
    )  # fmt: skip
    maps = list(pyramid.values())
    outputs = rpn(maps, input_shape[:2], levels, filters, proposals)
    return two_stages(images, pyramid, outputs, head, weights, "faster_rcnn_fpn")


def faster_rcnn_fpn_anchors(input_shape=(512, 512, 3), sides=PYRAMID_SIDES):
    """As `faster_rcnn_anchors`, of P2 first; 65,472 at the defaults."""
    return rpn_anchors(input_shape[:2], pyramid_levels(_numbers(sides), sides))


def pyramid_maps(images, body, alpha, filters, count):
    """{"P2": ..., "P6": ...}: a pyramid of `count` levels; layers have these names."""
    names = [f"C{number}" for number in range(2, min(HIGHEST_ROIS, 1 + count) + 1)]
    pyramid = fpn(body_maps(images, body, alpha, 32, names), filters)
    if 1 + count > HIGHEST_ROIS:
        pyramid = add_pooled_level(pyramid)
    return {name: layers.Identity(name=name)(x) for name, x in pyramid.items()}


def pyramid_head(pyramid, answer, name, boxes, bins, canonical_size):
    """A head on the regions of boxes in P2 to P5.

    Args:
        pyramid: of `pyramid_maps`.
        answer: function from the regions, (batch, n, bins, bins, filters), to a dict.
        name: of the head.
        boxes: name of the input for boxes.
        bins: along each side of a box.
        canonical_size: side of the boxes that P4 is for, in pixels.

    Returns:
        A model from {"P2": ..., "P5": ..., boxes: (batch, n, 4)} to the dict.
    """
    inputs = {
        key: keras.Input(x.shape[1:], name=key)
        for key, x in pyramid.items()
        if int(key[1:]) <= HIGHEST_ROIS
    }
    own = keras.Input((None, 4), name=boxes)
    layer = MultilevelRoIAlign(bins, canonical_size=canonical_size, name="regions")
    return keras.Model({**inputs, boxes: own}, answer(layer(inputs, own)), name=name)


def two_stages(images, maps, outputs, head, weights, name):
    """The model of a body, an RPN with its outputs, and a head for its proposals."""
    inputs = {key: maps[key] for key in head.input if key in maps}
    outputs = {**head({**inputs, "proposals": outputs["proposals"]}), **outputs}
    model = keras.Model(images, outputs, name=name)
    if weights is not None:
        model.load_weights(weights)
    return model


def _numbers(sides):
    """Levels from P2 on."""
    if not 2 <= len(sides) <= 5:
        raise ValueError(f"sides must be of 2 to 5 levels from P2 on, got {sides}")
    return range(2, 2 + len(sides))
