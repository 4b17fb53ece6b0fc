"""RoIAlign on a feature pyramid: each box on the level that fits its area.

Papers: T.-Y. Lin et al., "Feature Pyramid Networks for Object Detection", 2017,
equation 1, https://arxiv.org/abs/1612.03144; K. He et al., "Mask R-CNN", 2017,
section 3, https://arxiv.org/abs/1703.06870

Small pyramids are sampled by matrix products, every box on every level; in large ones,
where the work of these grows with the first level, the samples of a box are gathered
from its own level. The limit is where both took the same time, forward and backward, on
a CPU: about 6000 pixels in 7x7 bins, of images of 270x270 from "P2" on.
"""

import keras
from keras import layers, ops

from kcv.layers.roi_align import roi_align
from kcv.layers.roi_gather import gather_samples
from kcv.layers.roi_sampling import (
    FAR,
    check_shapes,
    check_sizes,
    level_numbers,
    pyramid_levels,
)

PRODUCTS = 800  # pixels of all levels for each bin along a side of a box


def multilevel_roi_align(
    features, boxes, size, sampling_ratio=2, canonical_level=4, canonical_size=224
):
    """`roi_align` of each box on the level of a pyramid that fits its area.

    Args:
        features: {"P2": float (batch, height, width, channels), ...}; the number is
            log2 of the stride, none is left out, and all have the same channels.
        boxes: float32 (batch, n, 4), (x1, y1, x2, y2) in pixels of the input image;
            without gradient.
        size: bins along each side of a box.
        sampling_ratio: samples along each side of a bin.
        canonical_level: see `pyramid_levels`.
        canonical_size: likewise.

    Returns:
        (batch, n, size, size, channels), of the type of the features.

    Raises:
        ValueError: a size or a shape is wrong, or a level is left out.
    """
    check_sizes(size=size, sampling_ratio=sampling_ratio)
    numbers = level_numbers({name: level.shape for name, level in features.items()})
    maps = [features[name] for name in numbers.values()]
    for level in maps:
        check_shapes(level.shape, boxes.shape)
    levels = pyramid_levels(
        boxes, min(numbers), max(numbers), canonical_level, canonical_size
    )
    pixels = sum(level.shape[1] * level.shape[2] for level in maps)
    if pixels > PRODUCTS * size:
        strides = [2**number for number in numbers]
        which = levels - min(numbers)
        return gather_samples(maps, strides, which, boxes, size, sampling_ratio)
    # A box far from the map gives zeros, and so adds nothing on the other levels.
    return sum(
        roi_align(
            level,
            ops.where((levels == number)[..., None], boxes, FAR),
            size,
            2**number,
            sampling_ratio,
        )
        for number, level in zip(numbers, maps)
    )


@keras.saving.register_keras_serializable("kcv")
class MultilevelRoIAlign(layers.Layer):
    """Layer of `multilevel_roi_align`; called with ({"P2": features, ...}, boxes)."""

    def __init__(
        self, size, sampling_ratio=2, canonical_level=4, canonical_size=224, **kwargs
    ):
        kwargs["autocast"] = False  # half precision has no 2049, bfloat16 no 257
        super().__init__(**kwargs)
        check_sizes(size=size, sampling_ratio=sampling_ratio)
        self.size, self.sampling_ratio = size, sampling_ratio
        self.canonical_level = canonical_level
        self.canonical_size = canonical_size

    def call(self, features, boxes):
        """Maps (b, h, w, c) and (b, n, 4) to (b, n, size, size, c)."""
        own = {name: ops.cast(x, self.compute_dtype) for name, x in features.items()}
        return multilevel_roi_align(
            own,
            boxes,
            self.size,
            self.sampling_ratio,
            self.canonical_level,
            self.canonical_size,
        )

    def compute_output_shape(self, features_shape, boxes_shape):  # noqa: D102
        level_numbers(features_shape)
        for shape in features_shape.values():
            check_shapes(shape, boxes_shape)
        return (*boxes_shape[:2], self.size, self.size, shape[-1])

    def get_config(self):  # noqa: D102
        names = ("size", "sampling_ratio", "canonical_level", "canonical_size")
        return super().get_config() | {name: getattr(self, name) for name in names}
