"""What one row of the zoo says."""

import importlib
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import keras


class Entry(NamedTuple):
    """What the zoo knows of a model; counts are at the builder's defaults."""

    build: Callable[..., "keras.Model"]
    ids: tuple[str, ...]  # of the systems it implements
    task: str
    paper: str
    input_shape: tuple[int, int, int]  # (height, width, channels)
    parameters: int  # all weights, batch statistics included
    multiply_adds: int  # of one image; see kcv.models.multiply_adds
    pixel_range: tuple[float, float] = (-1.0, 1.0)  # of black and white
    recipe: str | None = None  # name of a flagfile in tools/recipes
    method: str = ""  # of a detector of train_detector: see kcv.train.detector
    anchors: Callable | None = None  # of a detector: input_shape, ... -> (n, 4)
    stride: int = 0  # of a detector: side of its cells in pixels, where it has cells

    @property
    def mean(self) -> float:
        """Of x = (pixel - mean) / std, with pixels in 0..255."""
        low, high = self.pixel_range
        return round((0 - low) * 255 / (high - low), 6)

    @property
    def std(self) -> float:
        """Of x = (pixel - mean) / std, with pixels in 0..255."""
        low, high = self.pixel_range
        return round(255 / (high - low), 6)

    @property
    def function(self) -> Callable[..., "keras.Model"]:
        """The builder itself, its file imported; `build` has this row's arguments."""
        return _function(*self.build.args)


def builder(folder, module, function, **kwargs):
    """The builder of a file in kcv/models, not imported yet, with `kwargs` given."""
    return partial(_import_and_build, f"{folder}.{module}", function, **kwargs)


def _import_and_build(module, function, **kwargs):
    return _function(module, function)(**kwargs)


def _function(module, name):
    return getattr(importlib.import_module(f"kcv.models.{module}"), name)
