"""SSD: classes and offsets of boxes straight from feature maps of falling size.

Paper: W. Liu et al., "SSD: Single Shot MultiBox Detector", 2016,
https://arxiv.org/abs/1512.02325; the body is VGG-16 with fc6 and fc7 as convolutions
(L.-C. Chen et al., 2015, https://arxiv.org/abs/1412.7062).

Differs from the paper: sides other than 300 or 512 are taken, too, by boxes that scale
with the shorter one; convolutions of stride 2 pad at the end where the maps are even,
not at both ends.
"""

import keras
import numpy as np
from keras import layers

from kcv.boxes import anchors, default_boxes
from kcv.layers.unit_norm import UnitNorm
from kcv.models.classification.vgg import FILTERS, REPEATS
from kcv.models.image_input import image_input
from kcv.models.pixel_mean import CAFFE_MEAN, subtract_mean
from kcv.models.weights import load_weights

# Figure 2, the layers behind fc7: (1x1 filters, filters, kernel size, padding). "half"
# halves the map; the others give the map size - 2 and, in SSD512, size - 1.
EXTRAS = {
    "ssd300": ((256, 512, 3, "half"), (128, 256, 3, "half"),
               (128, 256, 3, "valid"), (128, 256, 3, "valid")),
    "ssd512": ((256, 512, 3, "half"), (128, 256, 3, "half"), (128, 256, 3, "half"),
               (128, 256, 3, "half"), (128, 256, 4, "pad 1")),
}  # fmt: skip
MAPS = {"ssd300": default_boxes.SSD300, "ssd512": default_boxes.SSD512}
SIDE = {"ssd300": 300, "ssd512": 512}  # that the boxes of MAPS are made for
LOSES = {"half": 0, "valid": 2, "pad 1": 1}  # rows, beyond what a stride takes
FIRST_SCALE = 20.0  # of the normalised conv4_3 (section 3.1)
MINIMUM = 257  # pixels, below which the last map has no row left


def ssd300(input_shape=(300, 300, 3), classes=20, weights=None, alpha=1.0):
    """Builds SSD300: six maps of 38 to 1 places a side.

    Args:
        input_shape: (height, width, channels) of one image, at least 257x257.
        classes: number of classes of objects, without the background.
        weights: None or the path of a weight file; see `load_weights`.
        alpha: width multiplier, not in the paper; scales all filters but the heads'.

    Returns:
        A model from images, float32 (batch, height, width, channels) in [-1, 1], to
        {"scores": float32 (batch, n, 1 + classes), logits of a softmax, the background
        first, "offsets": float32 (batch, n, 4)}, from the n boxes of `ssd300_anchors`,
        over coding.SSD_VARIANCES.

    Parameters with 20 classes: 26,285,486; 35,641,826 with 90.
    """
    return _ssd("ssd300", input_shape, classes, weights, alpha)


def ssd512(input_shape=(512, 512, 3), classes=20, weights=None, alpha=1.0):
    """Builds SSD512, seven maps, as `ssd300`; 20 classes: 27,188,676 parameters."""
    return _ssd("ssd512", input_shape, classes, weights, alpha)


def ssd300_anchors(input_shape=(300, 300, 3)) -> np.ndarray:
    """The default boxes of SSD300, 8,732 of 300 x 300, in the order of its outputs.

    Args:
        input_shape: of the model.

    Returns:
        float32 (n, 4), x1, y1, x2, y2 in pixels, not clipped.
    """
    return _anchors("ssd300", input_shape)


def ssd512_anchors(input_shape=(512, 512, 3)) -> np.ndarray:
    """As `ssd300_anchors`: 24,564 default boxes of 512 x 512."""
    return _anchors("ssd512", input_shape)


def spread(image_size, map_size, shapes) -> np.ndarray:
    """Puts boxes in the middle of cells that share the image out evenly.

    Args:
        image_size: (height, width) in pixels.
        map_size: (height, width) in cells, which need not divide the image.
        shapes: float (k, 2), width and height in pixels.

    Returns:
        float32 (height * width * k, 4), in the order of `anchors.grid`.
    """
    cell = np.array(image_size[::-1]) / np.array(map_size[::-1])  # width, height
    boxes = anchors.grid(map_size, 1, np.asarray(shapes) / cell) * np.tile(cell, 2)
    return boxes.astype("float32")


def multibox_outputs(heads, classes):
    """Joins the maps' heads; nothing but reshapes behind their last convolutions.

    Args:
        heads: [(scores, offsets), ...], one pair a map: (batch, height, width, k * (1 +
            classes)) and (batch, height, width, k * 4) for k boxes a place.
        classes: without the background.

    Returns:
        {"scores": float32 (batch, n, 1 + classes), "offsets": float32 (batch, n, 4)},
        in the order of `anchors.grid`, map after map.
    """
    outputs, sizes = {}, {"scores": 1 + classes, "offsets": 4}
    for maps, (name, size) in zip(zip(*heads), sizes.items()):
        flat = [
            layers.Reshape((-1, size), name=f"{name}{i}_flat")(x)
            for i, x in enumerate(maps, start=1)
        ]
        join = layers.Concatenate(axis=1, name=name, dtype="float32")
        outputs[name] = join(flat)
    return outputs


def _ssd(name, input_shape, classes, weights, alpha):
    images = image_input(input_shape, MINIMUM)
    maps, heads = _maps(name, images, alpha), []
    for i, (x, boxes) in enumerate(zip(maps, MAPS[name]), start=1):
        count = 2 + 2 * len(boxes.ratios)
        heads.append([
            layers.Conv2D(count * size, 3, padding="same", name=f"{kind}{i}")(x)
            for kind, size in (("scores", 1 + classes), ("offsets", 4))
        ])  # fmt: skip
    model = keras.Model(images, multibox_outputs(heads, classes), name=name)
    load_weights(model, weights)
    return model


def _maps(name, images, alpha):
    """Returns the maps that the heads read."""
    x = subtract_mean(images, CAFFE_MEAN)
    for block, (repeats, filters) in enumerate(zip(REPEATS["vgg16"], FILTERS), start=1):
        for i in range(1, repeats + 1):
            x = _conv(x, alpha * filters, 3, name=f"block{block}_conv{i}")
        if block == 4:
            maps = [_scaled(x)]
        # "same" rounds 75 / 2 up to 38, as the paper's code does.
        size, strides = (2, 2) if block < 5 else (3, 1)
        x = layers.MaxPooling2D(size, strides, "same", name=f"block{block}_pool")(x)
    x = _conv(x, alpha * 1024, 3, name="fc6", dilation_rate=6)
    x = _conv(x, alpha * 1024, 1, name="fc7")
    maps.append(x)
    for i, (reduced, filters, size, padding) in enumerate(EXTRAS[name], start=8):
        x = _conv(x, alpha * reduced, 1, name=f"conv{i}_1")
        strides = 2 if padding == "half" else 1
        if padding == "pad 1":
            x = layers.ZeroPadding2D(1, name=f"conv{i}_pad")(x)
        x = _conv(x, alpha * filters, size, name=f"conv{i}_2", strides=strides,
                  padding="same" if padding == "half" else "valid")  # fmt: skip
        maps.append(x)
    return maps


def _scaled(x):
    """Vectors of length 1, times a learned scale of each channel (section 3.1).

    A depthwise convolution of one pixel is that scale, and has an int8 kernel.
    """
    x = UnitNorm(name="conv4_3_norm")(x)
    return layers.DepthwiseConv2D(
        1,
        use_bias=False,
        depthwise_initializer=keras.initializers.Constant(FIRST_SCALE),
        name="conv4_3_scale",
    )(x)


def _conv(x, filters, kernel_size, name, padding="same", **options):
    return layers.Conv2D(
        int(filters),
        kernel_size,
        padding=padding,
        activation="relu",
        kernel_initializer="he_normal",
        name=name,
        **options,
    )(x)


def _anchors(name, input_shape):
    image_size, boxes = tuple(input_shape[:2]), []
    scale = min(image_size) / SIDE[name]
    paddings = ["half", "half", *(padding for *_, padding in EXTRAS[name])]
    for row, padding in zip(MAPS[name], paddings):
        shapes = scale * default_boxes.shapes(row.smaller, row.larger, row.ratios)
        if padding == "half":
            map_size = anchors.map_size(image_size, row.stride)
            boxes.append(anchors.grid(map_size, row.stride, shapes))
        else:
            map_size = tuple(side - LOSES[padding] for side in map_size)
            boxes.append(spread(image_size, map_size, shapes))
    return np.concatenate(boxes)
