"""Bodies of detectors by name: classifiers without what follows their last maps.

Paper: J. Huang et al., "Speed/accuracy trade-offs for modern convolutional object
detectors", 2017, section 3, https://arxiv.org/abs/1611.10012, where any body stands
under any detector.

Images are in [-1, 1] for all of them. `inception_v3` and `inception_resnet_v2` do not
pad: their maps are a few pixels smaller than the image over the stride.
"""

import functools
import math
from typing import NamedTuple

from keras import layers

from kcv.boxes.anchors import map_size
from kcv.models.classification.densenet import densenet_features
from kcv.models.classification.inception_resnet_v2 import inception_resnet_v2_features
from kcv.models.classification.inception_v2 import inception_v2_features
from kcv.models.classification.inception_v3 import inception_v3_features
from kcv.models.classification.mobilenet_v1 import mobilenet_v1_features
from kcv.models.classification.mobilenet_v2 import mobilenet_v2_features
from kcv.models.classification.mobilenet_v3 import (
    mobilenet_v3_large_features,
    mobilenet_v3_small_features,
)
from kcv.models.classification.resnet import BLOCKS, resnet_features
from kcv.models.classification.vgg import vgg_features
from kcv.models.detection.yolo_v2 import darknet19_features

UNPADDED = None


class Body(NamedTuple):
    """One classifier's maps.

    Args:
        features: function of (images, output_stride=32) to {"C1": ..., "C5": ...}.
        scaled: the function also takes `alpha`, a width multiplier.
        rounded_up: of how many levels, from the first, odd sides are halved upwards;
            those of later ones are halved downwards. UNPADDED: sides also lose what
            the kernels need.
        minimum: smallest side of an image, in pixels.
    """

    features: object
    scaled: bool
    rounded_up: int | None = 5
    minimum: int = 32


BODIES = {
    **{
        f"resnet{depth}": Body(functools.partial(resnet_features, depth=depth), False)
        for depth in BLOCKS
    },
    "darknet19": Body(darknet19_features, True, rounded_up=0),
    "densenet121": Body(densenet_features, False, rounded_up=2),
    "inception_resnet_v2": Body(inception_resnet_v2_features, True, UNPADDED, 75),
    "inception_v2": Body(inception_v2_features, True),
    "inception_v3": Body(inception_v3_features, True, UNPADDED, 75),
    "mobilenet_v1": Body(mobilenet_v1_features, True, rounded_up=1),
    "mobilenet_v2": Body(mobilenet_v2_features, True),
    "mobilenet_v3_large": Body(mobilenet_v3_large_features, True),
    "mobilenet_v3_small": Body(mobilenet_v3_small_features, True),
    "vgg16": Body(vgg_features, True, rounded_up=0),
}


def body_of(name, alpha=1.0) -> Body:
    """The row of a body.

    Args:
        name: a key of BODIES.
        alpha: width multiplier that it is to have.

    Raises:
        ValueError: no such body, or it has no width multiplier.
    """
    if name not in BODIES:
        raise ValueError(f"no body {name!r}; known: {', '.join(BODIES)}")
    if alpha != 1 and not BODIES[name].scaled:
        known = ", ".join(key for key, body in BODIES.items() if body.scaled)
        raise ValueError(f"{name} has no alpha, got {alpha}; these have: {known}")
    return BODIES[name]


def body_features(images, name, alpha=1.0, output_stride=32):
    """Maps images to {"C1": ..., "C5": ...}, the last maps at strides 2 to 32.

    Args:
        images: (batch, height, width, channels) in [-1, 1].
        name: a key of BODIES.
        alpha: width multiplier, of a body that has one.
        output_stride: 32, 16 or 8: the last levels stay at that stride, and kernels
            behind it dilate.

    Returns:
        Maps by level.

    Raises:
        ValueError: as `body_of`.
    """
    body = body_of(name, alpha)
    options = {"alpha": alpha} if body.scaled else {}
    return body.features(images, output_stride=output_stride, **options)


def body_maps(
    images, name, alpha=1.0, output_stride=32, levels=("C2", "C3", "C4", "C5")
):
    """Some maps of a body, each with a place for every anchor.

    Where a body rounds its maps down or does not pad, they lack rows and columns; zeros
    stand in for them, half before and half behind.

    Args:
        images: (batch, height, width, channels), height and width known.
        name: a key of BODIES.
        alpha: as for `body_features`.
        output_stride: likewise; with 16, "C5" has the stride of "C4".
        levels: of the maps.

    Returns:
        {"C4": ..., ...}, each of the image's size over its stride, rounded up. Layers
        that do nothing have these names, so that `model.get_layer("C4").output` is the
        map of a loaded model, too.

    Raises:
        ValueError: as `body_of`.
    """
    maps, found = body_features(images, name, alpha, output_stride), {}
    for level in levels:
        stride = min(2 ** int(level[1:]), output_stride)
        x, wanted = maps[level], map_size(images.shape[1:3], stride)
        missing = [want - got for want, got in zip(wanted, x.shape[1:3])]
        if any(missing):
            pads = [(n // 2, n - n // 2) for n in missing]
            x = layers.ZeroPadding2D(pads, name=f"{level}_pad")(x)
        found[level] = layers.Identity(name=level)(x)
    return found


def map_sizes(image_size, name, output_stride=32) -> dict[str, tuple[int, int]]:
    """(height, width) of a body's own maps, without building it.

    Args:
        image_size: (height, width) in pixels.
        name: a key of BODIES.
        output_stride: as for `body_features`.

    Returns:
        {"C1": (height, width), ..., "C5": (height, width)}.
    """
    rounded_up, last = body_of(name).rounded_up, int(math.log2(output_stride))
    sides = [_sides(side, rounded_up) for side in image_size]
    return {
        f"C{level}": tuple(of[min(level, last) - 1] for of in sides)
        for level in range(1, 6)
    }


def _sides(side, rounded_up):
    """What is left of a side of the image at levels 1 to 5."""
    if rounded_up is UNPADDED:  # 3x3 kernels, one of stride 1 after each of two others
        first = (side - 1) // 2 - 2
        sides = [first, (first - 1) // 2 - 2]
        while len(sides) < 5:
            sides.append((sides[-1] - 1) // 2)
        return sides
    sides = []
    for level in range(1, 6):
        side = (side + (level <= rounded_up)) // 2
        sides.append(side)
    return sides
