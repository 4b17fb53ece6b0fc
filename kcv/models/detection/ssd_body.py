"""SSD on any body: the meta-architecture, with the body by argument.

Papers: J. Huang et al., "Speed/accuracy trade-offs for modern convolutional object
detectors", 2017, section 3, https://arxiv.org/abs/1611.10012; W. Liu et al., "SSD",
2016, https://arxiv.org/abs/1512.02325

Differs from the paper: every body gives its last maps at strides 16 and 32, or one
level finer for small images, and the layers behind them are those of `ssd_mobilenet`;
the paper takes inner layers of some bodies (of VGG-16 conv4_3, at stride 8, as `ssd300`
does; of MobileNetV2 see `ssd_mobilenet_v2`).
"""

import keras
import numpy as np

from kcv.models.detection.bodies import body_features, body_of, map_sizes
from kcv.models.detection.ssd_mobilenet import (
    extra_maps,
    multibox_heads,
    six_map_boxes,
)
from kcv.models.image_input import image_input
from kcv.models.weights import load_weights


def ssd(
    input_shape=(300, 300, 3), classes=90, weights=None, body="mobilenet_v1", alpha=1.0,
    first_level=4,
):  # fmt: skip
    """Builds SSD on a body.

    Args:
        input_shape: (height, width, channels) of one image, at least 32x32, or 75x75
            for `inception_v3` and `inception_resnet_v2`.
        classes: number of classes of objects, without the background.
        weights: None or the path of a weight file; see `load_weights`.
        body: a key of `bodies.BODIES`.
        alpha: width multiplier of the extra layers and of the body, if it has one.
        first_level: of the first map: 4, at stride 16, or 3, at stride 8, which leaves
            the body's last level out.

    Returns:
        A model from images, float32 (batch, height, width, channels) in [-1, 1], to
        {"scores": float32 (batch, n, 1 + classes), logits of a softmax, the background
        first, "offsets": float32 (batch, n, 4)}, from the n boxes of `ssd_anchors`,
        over coding.SSD_VARIANCES.

    Raises:
        ValueError: no such body or first level, or it has no width multiplier.
    """
    first, second = _levels(first_level)
    images = image_input(input_shape, minimum=body_of(body, alpha).minimum)
    features = body_features(images, body, alpha)
    maps = extra_maps(features[first], features[second], alpha)
    model = keras.Model(images, multibox_heads(maps, classes), name=f"ssd_{body}")
    load_weights(model, weights)
    return model


def ssd_anchors(
    input_shape=(300, 300, 3), body="mobilenet_v1", first_level=4
) -> np.ndarray:
    """The default boxes of `ssd`, in the order of its outputs.

    Args:
        input_shape: of the model.
        body: likewise.
        first_level: likewise.

    Returns:
        float32 (n, 4), x1, y1, x2, y2 in pixels, not clipped.
    """
    first, second = _levels(first_level)
    image_size = tuple(input_shape[:2])
    sizes = map_sizes(image_size, body)
    return six_map_boxes(image_size, sizes[first], sizes[second])


def _levels(first):
    if first not in (3, 4):
        raise ValueError(f"first_level must be 4 or 3, got {first!r}")
    return f"C{first}", f"C{first + 1}"
