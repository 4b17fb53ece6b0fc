"""Grad-CAM: where in the picture a class was seen.

Paper: R. Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via
Gradient-based Localization", 2017, section 3, https://arxiv.org/abs/1610.02391
"""

import numpy as np
from PIL import Image

from kcv.viz import colors, tiles
from kcv.viz.gradients import gradients, last_maps, maps_of


def grad_cam(model, images, classes=None, layer=None):
    """Weighs the maps of a layer by how much each of them raises the score of a class.

    Args:
        model: functional classifier, images to (n, classes).
        images: float (n, height, width, channels), in the model's range.
        classes: int (n,), the class to look for in each image; None: its answer.
        layer: name of a layer with maps; None: the last one that has.

    Returns:
        float32 (n, h, w) in [0, 1], as large as the maps, the largest value of each 1;
        all zeros where no place speaks for the class.

    Raises:
        ValueError: if the model has no such layer or the layer no maps.
    """
    layer = last_maps(model) if layer is None else layer
    maps = maps_of(model, images, layer)  # (n, h, w, c)
    if maps.ndim != 4:
        raise ValueError(
            f"layer {layer!r} gives {maps.shape[1:]}, not (h, w, channels)"
        )
    answers = np.asarray(model.predict_on_batch(np.asarray(images, "float32")))
    classes = answers.argmax(axis=-1) if classes is None else np.asarray(classes)
    chosen = np.eye(answers.shape[-1], dtype="float32")[classes]
    slopes = gradients(model, images, chosen, layer).mean(axis=(1, 2), keepdims=True)
    heat = np.maximum((slopes * maps).sum(axis=-1), 0)
    highest = heat.max(axis=(1, 2), keepdims=True)
    return np.divide(heat, highest, out=np.zeros_like(heat), where=highest > 0)


def heat_over(image, heat, share=0.5, pixel_range=(0.0, 1.0)):
    """Lays a map of heat over a picture.

    Args:
        image: (h, w, 1 or 3), uint8, or float in `pixel_range`.
        heat: float (h', w') in [0, 1]; stretched over the picture, bilinear.
        share: of the heat's colour in the mixture, 0..1.
        pixel_range: values of black and white in a float image.

    Returns:
        uint8 (h, w, 3).
    """
    pixels = tiles.as_uint8(image, pixel_range)
    size = (pixels.shape[1], pixels.shape[0])
    heat = Image.fromarray(np.asarray(heat, "float32")).resize(size, Image.BILINEAR)
    grey = pixels.mean(axis=-1, keepdims=True)
    mixed = (1 - share) * grey + share * colors.heat(np.asarray(heat))
    return np.round(mixed).astype("uint8")
