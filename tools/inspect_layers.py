"""Which layers of a model tell most, where the user names none."""

import numpy as np
from keras import layers

from kcv.viz.gradients import has_maps, last_maps

SMALLEST = 4  # a map of fewer places a side says little of where
STAGES = 4  # layers whose maps are drawn


def first_kernels(model):
    """Name of the first layer with kernels, of more than a pixel if any; or None."""
    found = [
        (layer.name, max(weight.shape[:2]))
        for layer in model.layers
        for weight in layer.weights
        if len(weight.shape) == 4
    ]
    larger = [name for name, side in found if side > 1]
    return next(iter(larger + [name for name, _ in found]), None)


def stages(model):
    """Names of the last layers with maps at each resolution, at most `STAGES`.

    Raises:
        ValueError: if no layer gives maps.
    """
    last_maps(model)
    found = {tuple(la.output.shape[1:3]): la.name for la in _with_maps(model)}
    names = list(found.values())
    spread = np.linspace(0, len(names) - 1, min(STAGES, len(names)))
    return [names[int(i)] for i in spread.round()]


def last_large_maps(model):
    """Name of the last layer with maps of at least `SMALLEST` places a side.

    Papers take the last one of all, which has 7 x 7 places for images of 224 pixels; of
    small images it has 2 x 2 or fewer. Where all are small, it is the last one.

    Raises:
        ValueError: if no layer gives maps.
    """
    large = [la.name for la in _with_maps(model) if _is_large(la)]
    return large[-1] if large else last_maps(model)


def last_rectified(model):
    """Likewise of the layers that end in a ReLU; None where no layer does."""
    found = [la for la in _with_maps(model) if _is_rectified(la)]
    large = [la for la in found if _is_large(la)] or found
    return large[-1].name if large else None


def _with_maps(model):
    """Layers with maps but for dropout, which does nothing here."""
    return [
        layer
        for layer in model.layers
        if has_maps(layer) and not isinstance(layer, layers.Dropout)
    ]


def _is_large(layer):
    return all(side is None or side >= SMALLEST for side in layer.output.shape[1:3])


def _is_rectified(layer):
    activation = getattr(getattr(layer, "activation", None), "__name__", "")
    return isinstance(layer, layers.ReLU) or activation in ("relu", "relu6")
