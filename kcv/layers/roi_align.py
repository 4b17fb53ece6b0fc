"""RoIAlign: features averaged inside boxes, without rounding the boxes.

Paper: K. He et al., "Mask R-CNN", 2017, section 3, https://arxiv.org/abs/1703.06870

Differs from the paper's code: the centre of pixel i lies at i + 0.5, not at i. The
rules are those of torchvision with `aligned=True`.

Samples are taken by two matrix products, which on a CPU take less time than a gather
of four neighbours for each sample (benchmarks/roi_align.py). The work grows with the
map: for maps of more than about 100x100 see kcv.layers.multilevel_roi_align, which may
have one level.
"""

import keras
from keras import layers, ops

from kcv.layers.roi_products import product_samples
from kcv.layers.roi_sampling import check_shapes, check_sizes, check_stride


def roi_align(features, boxes, size, stride, sampling_ratio=2):
    """Splits each box into size x size bins and averages bilinear samples in each.

    Args:
        features: float (batch, height, width, channels).
        boxes: float32 (batch, n, 4), (x1, y1, x2, y2) in pixels of the input image;
            without gradient.
        size: bins along each side of a box.
        stride: pixels of the input image for one of `features`, 8 for "P3".
        sampling_ratio: samples along each side of a bin.

    Returns:
        (batch, n, size, size, channels), of the type of `features`. A sample more than
        a pixel outside of the outermost centres is 0; a box without area repeats one
        sample; a box with a coordinate that is no number gives 0.

    Raises:
        ValueError: a size, the stride or a shape is wrong.
    """
    check_sizes(size=size, sampling_ratio=sampling_ratio)
    check_stride(stride)
    check_shapes(features.shape, boxes.shape)
    return product_samples(features, boxes, size, stride, sampling_ratio)


@keras.saving.register_keras_serializable("kcv")
class RoIAlign(layers.Layer):
    """Layer of `roi_align`, with its arguments; called with (features, boxes)."""

    def __init__(self, size, stride, sampling_ratio=2, **kwargs):
        kwargs["autocast"] = False  # half precision has no 2049, bfloat16 no 257
        super().__init__(**kwargs)
        check_sizes(size=size, sampling_ratio=sampling_ratio)
        check_stride(stride)
        self.size, self.stride = size, stride
        self.sampling_ratio = sampling_ratio

    def call(self, features, boxes):
        """(b, h, w, c) and (b, n, 4) to (b, n, size, size, c), of the compute type."""
        features = ops.cast(features, self.compute_dtype)
        return roi_align(features, boxes, self.size, self.stride, self.sampling_ratio)

    def compute_output_shape(self, features_shape, boxes_shape):  # noqa: D102
        check_shapes(features_shape, boxes_shape)
        return (*boxes_shape[:2], self.size, self.size, features_shape[-1])

    def get_config(self):  # noqa: D102
        names = ("size", "stride", "sampling_ratio")
        return super().get_config() | {name: getattr(self, name) for name in names}
