"""RetinaNet: one stage, anchors on every level of a pyramid, and the focal loss.

Paper: T. Lin, P. Goyal, R. Girshick, K. He, P. Dollar, "Focal Loss for Dense Object
Detection", 2017, https://arxiv.org/abs/1708.02002

Differs from the paper: P6 is made of P5 and not of C5, as in later code, which saves
4.1 million parameters of ResNet-50 (`p6_from="C5"` is the paper's). The body's batch
normalisations are trained like all else; the authors froze them.
"""

import math

import keras
import numpy as np
from keras import layers

from kcv.boxes import anchors
from kcv.models.detection.bodies import body_features, body_of
from kcv.models.detection.fpn import FILTERS, add_strided_levels, fpn
from kcv.models.image_input import image_input

CONVOLUTIONS = 4  # of each head, before the last one
PRIOR = 0.01  # pi of section 4.1: what an untrained head thinks of every anchor


def retinanet(
    input_shape=(512, 512, 3), classes=80, weights=None, body="resnet50", alpha=1.0,
    levels=anchors.RETINANET_LEVELS, anchors_per_place=9, filters=FILTERS,
    convolutions=CONVOLUTIONS, p6_from="P5",
):  # fmt: skip
    """Builds RetinaNet.

    Args:
        input_shape: (height, width, channels) of one image, at least 32x32.
        classes: number of classes; there is none for the background.
        weights: None or the path of a `.weights.h5` or `.keras` file of this model.
        body: a key of `bodies.BODIES`, one that pads.
        alpha: width multiplier, of a body that has one.
        levels: of the pyramid, one after the other, from 2 to 7; level l has the
            stride 2^l.
        anchors_per_place: as `retinanet_anchors` has them.
        filters: channels of the pyramid and of the heads.
        convolutions: of each head, before the last one.
        p6_from: map that P6 is made of, "P5" or "C5".

    Returns:
        A model from images, float32 (batch, height, width, channels) in [-1, 1], to
        {"scores": float32 (batch, n, classes), logits for a sigmoid each, "offsets":
        float32 (batch, n, 4), of `kcv.boxes.coding.encode` without variances}, n in the
        order of `retinanet_anchors`.

    Raises:
        ValueError: no such body, width or level, or maps do not fit the anchors.

    Parameters with 91 classes: 34,147,799. Without 26,560 biases before batch
    normalisations and 106,240 of their own, 34,014,999, which torchvision counts.
    """
    levels = _checked_levels(levels)
    if p6_from not in ("P5", "C5"):
        raise ValueError(f"p6_from must be 'P5' or 'C5', got {p6_from!r}")
    images = image_input(input_shape, minimum=body_of(body, alpha).minimum)
    features = body_features(images, body, alpha)
    used = {f"C{level}": features[f"C{level}"] for level in levels if level <= 5}
    _check_sizes(used, input_shape, body)
    pyramid = fpn(used, filters)
    if levels[-1] > 5:
        source = pyramid["P5"] if p6_from == "P5" else features["C5"]
        pyramid = add_strided_levels(pyramid, source, levels[-1] - 5)
    unlikely = -math.log((1 - PRIOR) / PRIOR)
    heads = {
        "scores": (classes, unlikely, "class_head"),
        "offsets": (4, 0.0, "box_head"),
    }
    outputs = {}
    for name, (size, bias, head_name) in heads.items():
        head = _head(filters, convolutions, anchors_per_place * size, bias, head_name)
        flat = [
            layers.Reshape((-1, size), name=f"{name}_{level}")(head(maps))
            for level, maps in pyramid.items()
        ]
        outputs[name] = layers.Concatenate(1, name=name, dtype="float32")(flat)
    model = keras.Model(images, outputs, name="retinanet")
    if weights is not None:
        model.load_weights(weights)
    return model


def retinanet_anchors(
    input_shape=(512, 512, 3), levels=anchors.RETINANET_LEVELS,
    sides=anchors.RETINANET_SIDES, ratios=anchors.RATIOS, base=4,
) -> np.ndarray:  # fmt: skip
    """Anchors in the order of the model's outputs.

    Args:
        input_shape: (height, width, channels) of one image.
        levels: as for `retinanet`.
        sides: of squares, in sides of the level's own square.
        ratios: width / height; sides times ratios are the anchors per place.
        base: side of a level's own square, in strides.

    Returns:
        float32 (n, 4), x1, y1, x2, y2 in pixels; 49,104 at the defaults.
    """
    levels = _checked_levels(levels)
    return np.concatenate(anchors.pyramid(input_shape[:2], levels, sides, ratios, base))


def _head(filters, convolutions, outputs, bias, name):
    """Figure 3 c and d: one network, called on every level with the same weights."""
    x = maps = keras.Input((None, None, filters), name="maps")
    for i in range(1, convolutions + 1):
        x = layers.Conv2D(
            filters, 3, padding="same", activation="relu",
            kernel_initializer=_small(), name=f"{name}_conv{i}",
        )(x)  # fmt: skip
    x = layers.Conv2D(
        outputs, 3, padding="same", kernel_initializer=_small(),
        bias_initializer=keras.initializers.Constant(bias), name=f"{name}_predictions",
    )(x)  # fmt: skip
    return keras.Model(maps, x, name=name)


def _small():
    """Section 4.1. A new one a layer: an initializer gives the same numbers again."""
    return keras.initializers.RandomNormal(stddev=0.01)


def _checked_levels(levels):
    levels = list(levels)
    follow = levels == list(range(levels[0], levels[0] + len(levels))) if levels else 0
    if not follow or not 2 <= levels[0] <= 5 or levels[-1] > 7:
        raise ValueError(
            f"levels must follow each other from 2..5 to at most 7, got {levels}"
        )
    return levels


def _check_sizes(features, input_shape, body):
    """Bodies that round down or do not pad have no place for some anchors."""
    for name, maps in features.items():
        wanted = anchors.map_size(input_shape[:2], 2 ** int(name[1:]))
        if tuple(maps.shape[1:3]) != wanted:
            raise ValueError(
                f"{body} makes {name} of {maps.shape[1]}x{maps.shape[2]}, anchors need "
                f"{wanted[0]}x{wanted[1]}: take height and width in multiples of 32, "
                f"not {input_shape}, or another body"
            )
