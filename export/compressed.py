"""What pruning and clustering leave in a model, and what it weighs compressed.

A .tflite file stores a zero as dearly as any number: sparse and clustered weights pay
where the file is compressed, as in an app's download (APK, IPA and ZIP use DEFLATE).
"""

import pathlib
import zlib

import keras
import numpy as np

from kcv.export import functional


def kernels(model) -> dict[str, np.ndarray]:
    """Returns {"layer/kernel": array} of every layer, sub-models opened."""
    found = {}
    for name, layer in functional.leaf_operations(model).items():
        if isinstance(layer, keras.layers.Layer):
            for weight in layer.weights:
                if weight.name.endswith("kernel"):
                    found[f"{name}/{weight.name}"] = np.asarray(weight)
    return found


def sparsity(model) -> dict[str, float]:
    """Returns {"layer/kernel": share of weights that are exactly 0}."""
    return {name: float(np.mean(x == 0)) for name, x in kernels(model).items()}


def unique_values(model) -> dict[str, int]:
    """Returns {"layer/kernel": how many different numbers it holds}."""
    return {name: len(np.unique(x)) for name, x in kernels(model).items()}


def compressed_bytes(path: str | pathlib.Path) -> int:
    """Returns the size of a file as DEFLATE at its best packs it, in bytes."""
    return len(zlib.compress(pathlib.Path(path).read_bytes(), level=9))
