"""Finer feature maps from a classifier: its last strides become dilations.

Paper: L.-C. Chen et al., "Semantic Image Segmentation with Deep Convolutional Nets and
Fully Connected CRFs", 2015, https://arxiv.org/abs/1412.7062, section 3.1.
"""

# output stride -> (stride, dilation) of level 4, then of level 5: the stride is that of
# the layer which enters the level, the dilation that of the layers behind it.
_LEVELS = {
    32: ((2, 1), (2, 1)),
    16: ((2, 1), (1, 2)),
    8: ((1, 2), (1, 4)),
}


def by_level(output_stride):
    """Returns {level: (stride, dilation)} for levels 1 to 5, in the same meaning."""
    level4, level5 = strides_and_dilations(output_stride)
    return {1: (2, 1), 2: (2, 1), 3: (2, 1), 4: level4, 5: level5}


def strides_and_dilations(output_stride):
    """Returns ((stride, dilation) of level 4, (stride, dilation) of level 5).

    Args:
        output_stride: pixels of the image from one position of the last map to the
            next: 8, 16 or 32.

    Raises:
        ValueError: if it is another number.
    """
    if output_stride not in _LEVELS:
        raise ValueError(f"output_stride must be 8, 16 or 32, got {output_stride!r}")
    return _LEVELS[output_stride]
