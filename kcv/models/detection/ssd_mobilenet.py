"""SSD on MobileNets, and SSDLite, whose heads are depthwise separable, too.

Papers: A. Howard et al., "MobileNets", 2017, section 4.6,
https://arxiv.org/abs/1704.04861; M. Sandler et al., "MobileNetV2: Inverted Residuals
and Linear Bottlenecks", 2018, section 6.2 (SSDLite), https://arxiv.org/abs/1801.04381;
W. Liu et al., "SSD", 2016, section 2.2 (boxes), https://arxiv.org/abs/1512.02325

Differs from the papers: what they do not say (extra layers, 1x1 heads of plain SSD,
scales of 0.2 to 0.95, three boxes at a place of the first map, the smallest a tenth of
the image) follows the authors' code, the TensorFlow Object Detection API. MobileNetV1
rounds the half of an odd side down: 300 pixels give 18 and 9 places, not 19 and 10.
"""

import keras
import numpy as np
from keras import layers

from kcv.boxes import anchors, default_boxes
from kcv.layers.batch_norm import batch_norm
from kcv.models.classification.mobilenet_v1 import mobilenet_v1_features
from kcv.models.classification.mobilenet_v2 import make_divisible, mobilenet_v2_features
from kcv.models.detection.ssd import multibox_outputs, spread
from kcv.models.image_input import image_input
from kcv.models.weights import load_weights

EXTRAS = (512, 256, 256, 128)  # filters of the maps behind the body, each half as large
LOW, HIGH = 0.2, 0.95  # scales of the first and the last map, shares of the image
FIRST_SQUARE = 0.1  # in place of 0.2 on the first map
FIRST_RATIOS, RATIOS = (2,), (2, 3)
BOXES = (3, 6, 6, 6, 6, 6)  # at a place of each map


def ssd_mobilenet_v1(input_shape=(300, 300, 3), classes=90, weights=None, alpha=1.0):
    """Builds SSD on MobileNetV1.

    Args:
        input_shape: (height, width, channels) of one image, at least 32x32.
        classes: number of classes of objects, without the background.
        weights: None or the path of a weight file; see `load_weights`.
        alpha: width multiplier of the body and of the extra layers.

    Returns:
        A model from images, float32 (batch, height, width, channels) in [-1, 1], to
        {"scores": float32 (batch, n, 1 + classes), logits of a softmax, the background
        first, "offsets": float32 (batch, n, 4)}, from the n boxes of
        `ssd_mobilenet_v1_anchors`, over coding.SSD_VARIANCES.

    Parameters with 90 classes, batch statistics included: 6,845,183.
    """
    images = image_input(input_shape, minimum=32)
    features = mobilenet_v1_features(images, alpha)
    maps = extra_maps(features["C4"], features["C5"], alpha)
    return _model(images, maps, classes, weights, False, "ssd_mobilenet_v1")


def ssd_mobilenet_v2(input_shape=(300, 300, 3), classes=90, weights=None, alpha=1.0):
    """Builds SSD on MobileNetV2, as `ssd_mobilenet_v1`; it has 1,917 boxes.

    Parameters with 90 classes, batch statistics included: 6,103,999.
    """
    images = image_input(input_shape, minimum=32)
    maps = extra_maps(*_maps_of_v2(images, alpha), alpha)
    return _model(images, maps, classes, weights, False, "ssd_mobilenet_v2")


def ssdlite_mobilenet_v2(
    input_shape=(320, 320, 3), classes=90, weights=None, alpha=1.0
):
    """Builds SSDLite on MobileNetV2, as `ssd_mobilenet_v1`; it has 2,034 boxes.

    Parameters with 90 classes, batch statistics included: 4,551,295; 4,387,765 with 80.
    Multiply-adds with 80 classes: 0.79 billion, the paper's 0.8.
    """
    images = image_input(input_shape, minimum=32)
    maps = extra_maps(*_maps_of_v2(images, alpha), alpha, separable=True)
    return _model(images, maps, classes, weights, True, "ssdlite_mobilenet_v2")


def ssd_mobilenet_v1_anchors(input_shape=(300, 300, 3)) -> np.ndarray:
    """The default boxes of SSD-MobileNetV1, in the order of its outputs.

    Args:
        input_shape: of the model.

    Returns:
        float32 (n, 4), x1, y1, x2, y2 in pixels, not clipped.
    """
    image_size = tuple(input_shape[:2])
    half = anchors.map_size(image_size, 2)
    sizes = [tuple(side // stride for side in half) for stride in (8, 16)]
    return six_map_boxes(image_size, *sizes)


def ssd_mobilenet_v2_anchors(input_shape=(300, 300, 3)) -> np.ndarray:
    """As `ssd_mobilenet_v1_anchors`, of both nets on MobileNetV2."""
    image_size = tuple(input_shape[:2])
    sizes = [anchors.map_size(image_size, stride) for stride in (16, 32)]
    return six_map_boxes(image_size, *sizes)


def ssdlite_mobilenet_v2_anchors(input_shape=(320, 320, 3)) -> np.ndarray:
    """Those of `ssd_mobilenet_v2_anchors`."""
    return ssd_mobilenet_v2_anchors(input_shape)


def extra_maps(c4, c5, alpha=1.0, separable=False):
    """The six maps that the heads read: two of any body and four behind it.

    Args:
        c4: (batch, height, width, channels), at stride 16.
        c5: likewise, at stride 32.
        alpha: width multiplier.
        separable: 3x3 convolutions are depthwise separable ones (SSDLite).

    Returns:
        List of six maps.
    """
    maps = [c4, c5]
    for i, filters in enumerate(EXTRAS, start=3):
        half, filters = (make_divisible(alpha * n) for n in (filters / 2, filters))
        x = _conv_bn_relu6(maps[-1], half, 1, 1, f"extra{i}_reduce")
        if separable:
            x = _depthwise(x, 2, f"extra{i}_depthwise")
        size, strides = (1, 1) if separable else (3, 2)
        maps.append(_conv_bn_relu6(x, filters, size, strides, f"extra{i}"))
    return maps


def multibox_heads(maps, classes, separable=False):
    """Scores and offsets of the boxes at the places of six maps.

    Args:
        maps: of `extra_maps`.
        classes: without the background.
        separable: a head is a 3x3 depthwise convolution before its 1x1 one (SSDLite).

    Returns:
        The outputs of the model; see `ssd_mobilenet_v1`.
    """
    heads = []
    for i, (x, count) in enumerate(zip(maps, BOXES), start=1):
        pair = []
        for kind, size in (("scores", 1 + classes), ("offsets", 4)):
            y = _depthwise(x, 1, f"{kind}{i}_depthwise") if separable else x
            pair.append(layers.Conv2D(count * size, 1, name=f"{kind}{i}")(y))
        heads.append(pair)
    return multibox_outputs(heads, classes)


def six_map_boxes(image_size, c4_size, c5_size) -> np.ndarray:
    """Default boxes at the places of six maps, in the order of `multibox_heads`.

    Args:
        image_size: (height, width) in pixels; squares are shares of the shorter side.
        c4_size: (height, width) of the first map.
        c5_size: of the second; each later one is half as large, rounded up.

    Returns:
        float32 (n, 4), x1, y1, x2, y2 in pixels, not clipped.
    """
    sides = [*default_boxes.scales(len(BOXES), LOW, HIGH), 1.0]
    later = [anchors.map_size(c5_size, 2**k) for k in range(1, 1 + len(EXTRAS))]
    boxes = []
    for i, map_size in enumerate((c4_size, c5_size, *later)):
        if i == 0:  # no extra square
            shapes = default_boxes.shapes(sides[0], sides[1], FIRST_RATIOS)[[0, 2, 3]]
            shapes[0] = FIRST_SQUARE
        else:
            shapes = default_boxes.shapes(sides[i], sides[i + 1], RATIOS)
        boxes.append(spread(image_size, map_size, min(image_size) * shapes))
    return np.concatenate(boxes)


def _model(images, maps, classes, weights, separable, name):
    outputs = multibox_heads(maps, classes, separable)
    model = keras.Model(images, outputs, name=name)
    load_weights(model, weights)
    return model


def _maps_of_v2(images, alpha):
    """The expanded maps of the last block of stride 16 to 32, and the last ones."""
    last = mobilenet_v2_features(images, alpha)["C5"]
    inner = keras.Model(images, last).get_layer("block13_expand_relu6").output
    return inner, last


def _depthwise(x, strides, name):
    x = layers.DepthwiseConv2D(3, strides, padding="same", use_bias=False, name=name)(x)
    x = batch_norm(f"{name}_bn")(x)
    return layers.ReLU(6.0, name=f"{name}_relu6")(x)


def _conv_bn_relu6(x, filters, kernel_size, strides, name):
    x = layers.Conv2D(
        filters, kernel_size, strides, padding="same", use_bias=False, name=name
    )(x)
    x = batch_norm(f"{name}_bn")(x)
    return layers.ReLU(6.0, name=f"{name}_relu6")(x)
