"""Deconvnet: what in the picture made a unit speak.

Paper: M. Zeiler, R. Fergus, "Visualizing and Understanding Convolutional Networks",
2014, section 2.1, https://arxiv.org/abs/1311.2901

The way back through the layers: unpool to where the maxima were, rectify, convolve with
the transposed kernels. The first and the last are what a gradient does, too; only the
rectification differs, which looks at the signal coming back and not at the one that
went forth (K. Simonyan et al., 2014, section 4, https://arxiv.org/abs/1312.6034).
"""

import keras
import numpy as np

from kcv.viz.gradients import check_layer, gradients, maps_of


def deconvnet(model, images, layer, channel):
    """Projects the strongest unit of a channel back into the image.

    Args:
        model: functional `keras.Model` with one input.
        images: float (n, height, width, channels), in the model's range.
        layer: name of a layer with maps (h, w, c), after its activation.
        channel: number of the map, 0 to c - 1.

    Returns:
        (pictures, values): float32 (n, height, width, channels), signed, in the units
        of the images times that of the unit; and float32 (n,), the strongest value.

    Raises:
        ValueError: if there is no such layer or channel.
    """
    check_layer(model, layer)
    maps = maps_of(model, images, layer)
    if maps.ndim != 4 or not 0 <= channel < maps.shape[-1]:
        raise ValueError(
            f"layer {layer!r} gives {maps.shape[1:]}: no channel {channel}"
        )
    flat = maps[..., channel].reshape(len(maps), -1)
    best, rows = flat.argmax(axis=1), np.arange(len(maps))
    alone = np.zeros_like(maps)  # the strongest unit, all others zero
    places = np.unravel_index(best, maps.shape[1:3])
    alone[(rows, *places, channel)] = flat[rows, best]
    part = keras.Model(model.inputs[0], model.get_layer(layer).output)
    pictures = gradients(part, images, alone, backward_relu=True)
    return pictures, flat[rows, best]


def signed_picture(projection):
    """Returns uint8 (h, w, 1 or 3) of signed numbers: zero is grey, three sigma full.

    Were the largest value full, the few large ones would leave the others grey.
    """
    projection = np.asarray(projection, "float64")
    sigma = projection.std()
    level = projection / (6 * sigma) + 0.5 if sigma > 0 else projection * 0 + 0.5
    return np.round(np.clip(level, 0, 1) * 255).astype("uint8")
