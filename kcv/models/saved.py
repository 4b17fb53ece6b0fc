"""Saved models, with the layers of this library known to Keras."""

import importlib
import pkgutil

import keras

from kcv import layers


def load_model(path):
    """Returns the model of a `.keras` file, not compiled.

    Keras finds a layer by its registered name, once its file is imported; this imports
    all of `kcv.layers`.
    """
    for module in pkgutil.iter_modules(layers.__path__):
        importlib.import_module(f"kcv.layers.{module.name}")
    return keras.saving.load_model(path, compile=False)
