"""Fast R-CNN: one feature map an image, pooled in each proposal, and two answers each.

Papers: R. Girshick, "Fast R-CNN", 2015, https://arxiv.org/abs/1504.08083; K. He et al.,
"Deep Residual Learning for Image Recognition", 2015, appendix A (conv5 as the head),
https://arxiv.org/abs/1512.03385

Differs from the paper: no dropout in the head; its layers are not truncated by SVD.
"""

import keras
from keras import layers

from kcv.layers.roi_align import RoIAlign
from kcv.layers.roi_batch import BatchToRoIs, RoIsToBatch
from kcv.layers.roi_pool import RoIPool
from kcv.models.classification.resnet import BLOCKS, basic_block, bottleneck
from kcv.models.detection.bodies import body_maps, body_of
from kcv.models.detection.rpn import small
from kcv.models.image_input import image_input

REGIONS = {"align": RoIAlign, "pool": RoIPool}
BINS = 7  # along each side of a box


def fast_rcnn(
    input_shape=(512, 512, 3), classes=20, weights=None, body="vgg16", alpha=1.0,
    stride=16, level="C4", regions="pool", units=4096, proposals=2000,
):  # fmt: skip
    """Builds Fast R-CNN, whose proposals come from outside.

    Args:
        input_shape: (height, width, channels) of one image, at least 32x32, and 75x75
            for a body that does not pad.
        classes: number of classes of objects, without the background.
        weights: None or the path of a `.weights.h5` or `.keras` file of this model.
        body: a key of bodies.BODIES.
        alpha: width multiplier, of a body that has one.
        stride: of the map that is pooled, 16 or 8.
        level: that map, "C4" or "C5"; "C4" of VGG-16 is the paper's conv5.
        regions: a key of REGIONS: "pool" as in the paper, or "align".
        units: of both hidden layers of the head; None takes the blocks conv5 of a
            ResNet in their place, which read "C4".
        proposals: of an image.

    Returns:
        A model from {"images": float32 (batch, height, width, channels) in [-1, 1],
        "proposals": float32 (batch, proposals, 4), x1, y1, x2, y2 in pixels, box 0 in
        empty places} to {"scores": float32 (batch, proposals, 1 + classes), logits of a
        softmax, the background first, "offsets": float32 (batch, proposals, classes,
        4), of coding.encode from the proposal, over coding.SSD_VARIANCES}.

    Raises:
        ValueError: no such body, map, stride or kind of regions, or a head does not
            fit.
    """
    images = image_input(input_shape, minimum=body_of(body, alpha).minimum)
    maps = one_map(images, body, alpha, stride, level)
    head = one_map_head(maps, classes, body, stride, regions, units)
    boxes = keras.Input((proposals, 4), name="proposals")
    inputs = {"images": images, "proposals": boxes}
    model = keras.Model(inputs, head({**maps, "proposals": boxes}), name="fast_rcnn")
    if weights is not None:
        model.load_weights(weights)
    return model


def one_map(images, body, alpha, stride, level):
    """{level: map} of the body at a stride of 16 or 8.

    At 8 the convolutions behind that stride are dilated, as for a "C5" at 16.

    Raises:
        ValueError: no such body, map or stride.
    """
    if stride not in (8, 16) or level not in ("C4", "C5"):
        raise ValueError(
            f"no map {level!r} at stride {stride}: take 'C4' or 'C5' at 16 or 8"
        )
    output_stride = 32 if (stride, level) == (16, "C4") else stride
    return body_maps(images, body, alpha, output_stride, (level,))


def one_map_head(maps, classes, body, stride, regions, units):
    """The RoI head on one map: a model from it and "proposals" to scores and offsets.

    Raises:
        ValueError: no such kind of regions, or conv5 is not there to be the head.
    """
    if regions not in REGIONS:
        raise ValueError(f"no regions {regions!r}; known: {', '.join(REGIONS)}")
    ((name, features),) = maps.items()
    inputs = keras.Input(features.shape[1:], name=name)
    boxes = keras.Input((None, 4), name="proposals")
    # conv5 halves its bins.
    bins = BINS if units else 2 * BINS
    x = REGIONS[regions](bins, stride, name="regions")(inputs, boxes)
    x = dense_layers(x, units) if units else _conv5(x, body, name)
    outputs = class_and_box(x, classes)
    return keras.Model({name: inputs, "proposals": boxes}, outputs, name="roi_head")


def dense_layers(x, units, count=2):
    """(batch, n, bins, bins, channels) to (batch, n, units) by fc6 and fc7."""
    x = layers.Reshape((-1, x.shape[2] * x.shape[3] * x.shape[4]), name="flat")(x)
    for i in range(6, 6 + count):
        x = layers.Dense(
            units, activation="relu", kernel_initializer="he_normal", name=f"fc{i}"
        )(x)
    return x


def class_and_box(x, classes):
    """The two last layers, side by side, on (batch, n, units)."""
    scores = layers.Dense(
        1 + classes, kernel_initializer=small(), dtype="float32", name="scores"
    )(x)
    offsets = layers.Dense(
        4 * classes, kernel_initializer=small(0.001), dtype="float32", name="offsets"
    )(x)
    offsets = layers.Reshape((-1, classes, 4), name="offsets_by_class")(offsets)
    return {"scores": scores, "offsets": offsets}


def _conv5(regions, body, level):
    """The last blocks of a ResNet on every RoI, then their mean."""
    depths = {f"resnet{depth}": depth for depth in BLOCKS}
    if body not in depths or level != "C4":
        raise ValueError(
            f"{body} has no conv5 behind {level}: give units of the head, such as 1024"
        )
    block = basic_block if depths[body] < 50 else bottleneck
    x = RoIsToBatch(name="rois_to_batch")(regions)
    for i in range(1, BLOCKS[depths[body]][-1] + 1):
        x = block(x, 512, 2 if i == 1 else 1, (1, 1), f"conv5_{i}")
    x = layers.GlobalAveragePooling2D(name="mean")(x)
    return BatchToRoIs(name="batch_to_rois")(x, regions)
