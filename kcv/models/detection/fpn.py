"""Feature pyramid: maps of one width at every scale, each knowing what is above it.

Paper: T. Lin et al., "Feature Pyramid Networks for Object Detection", 2017,
https://arxiv.org/abs/1612.03144; the strided levels are from T. Lin et al., "Focal Loss
for Dense Object Detection", 2017, footnote 2, https://arxiv.org/abs/1708.02002

Differs from the paper: nothing. Where a map's side is odd, the enlarged map above it
loses its last row or column, so that images of any size fit.
"""

from keras import layers

FILTERS = 256  # d of section 3


def fpn(features, filters=FILTERS):
    """The top-down pathway and its lateral connections (figure 3).

    Args:
        features: {"C3": ..., "C4": ..., "C5": ...} or other levels that follow each
            other, maps (batch, height, width, channels); a level has half the height
            and width of the one below, rounded up.
        filters: channels of all levels.

    Returns:
        {"P3": ..., "P4": ..., "P5": ...}, maps (batch, height, width, filters) of the
        sizes of the features.

    Raises:
        ValueError: a level is missing between the others.
    """
    levels = sorted(int(name[1:]) for name in features)
    if levels != list(range(levels[0], levels[-1] + 1)):
        names = ", ".join(sorted(features))
        raise ValueError(
            f"levels must follow each other, got {names}: add those between"
        )
    pyramid, above = {}, None
    for level in reversed(levels):
        x = layers.Conv2D(filters, 1, name=f"fpn_lateral{level}")(features[f"C{level}"])
        if above is not None:
            above = _enlarge(above, x.shape[1:3], f"fpn_up{level}")
            x = layers.Add(name=f"fpn_add{level}")([x, above])
        above = x
        x = layers.Conv2D(filters, 3, padding="same", name=f"fpn_output{level}")(x)
        pyramid[f"P{level}"] = x
    return {f"P{level}": pyramid[f"P{level}"] for level in levels}


def add_pooled_level(pyramid):
    """One level more: every second pixel of the highest, for large anchors alone.

    Args:
        pyramid: {"P2": ..., "P5": ...}, maps (batch, height, width, filters).

    Returns:
        The pyramid and one level more, "P6" above "P5".
    """
    top = max(int(name[1:]) for name in pyramid)
    x = layers.MaxPooling2D(1, strides=2, name=f"fpn_pool{top + 1}")(pyramid[f"P{top}"])
    return {**pyramid, f"P{top + 1}": x}


def add_strided_levels(pyramid, source, count=2):
    """Levels more by 3x3 convolutions of stride 2, with a ReLU between them.

    Args:
        pyramid: {"P3": ..., "P5": ...}, maps (batch, height, width, filters).
        source: map (batch, height, width, channels) of the size of the highest level:
            that level itself, or what it was made of.
        count: of levels.

    Returns:
        The pyramid and `count` levels more, "P6" and "P7" above "P5".
    """
    top = max(int(name[1:]) for name in pyramid)
    filters, pyramid, x = pyramid[f"P{top}"].shape[-1], dict(pyramid), source
    for level in range(top + 1, top + 1 + count):
        if level > top + 1:
            x = layers.ReLU(name=f"fpn_relu{level}")(x)
        # "same" would centre an even map's kernels half a pixel beside its anchors.
        x = layers.ZeroPadding2D(1, name=f"fpn_pad{level}")(x)
        x = layers.Conv2D(filters, 3, strides=2, name=f"fpn_output{level}")(x)
        pyramid[f"P{level}"] = x
    return pyramid


def _enlarge(x, size, name):
    """Twice the size by nearest neighbours, cut to (height, width).

    `UpSampling2D` does the same; on a device it becomes TILE and RESHAPE, this becomes
    RESIZE_NEAREST_NEIGHBOR, which Coral boards have.
    """
    twice = [2 * side for side in x.shape[1:3]]
    x = layers.Resizing(*twice, interpolation="nearest", name=name)(x)
    more = [got - want for got, want in zip(twice, size)]
    if not any(more):
        return x
    return layers.Cropping2D([(0, n) for n in more], name=f"{name}_crop")(x)
