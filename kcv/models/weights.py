"""Weights from files: ours, Keras' and the published ones of keras.applications.

Layers are matched by their order, not by name: along every network of the zoo it is the
order of the paper, and names differ between code bases. Every shape is checked.
"""

import collections
import io
import json
import pathlib
import zipfile

import h5py
import keras
import numpy as np
from absl import logging

from kcv.models.pixel_mean import MINUS_MEAN


def load_weights(model, weights, imagenet_file=None, first_layer=None):
    """Loads weights into a model that its builder has just made.

    A file for another number of classes fits all layers but the classifier, which is
    the last one with weights: it keeps its random start, to be trained, and a line in
    the log says so.

    Args:
        model: the model.
        weights: None to do nothing, "imagenet" for the published weights, or the path
            of a `.weights.h5` or `.keras` file, or of an HDF5 weight file in the older
            layout that keras.applications publishes.
        imagenet_file: function without arguments that returns the (URL, MD5 hash or
            None) of the published file or raises ValueError where there is none.
        first_layer: function from the arrays of the first layer of a file of
            keras.applications to those that the model wants, where the publishers had
            other pixels; a `.weights.h5` file is taken to be ours.

    Raises:
        FileNotFoundError: if there is no file at the path.
        ConnectionError: if the published file cannot be downloaded.
        ValueError: if the file holds no weights or those of another architecture.
    """
    if weights is None:
        return
    if weights == "imagenet":
        if imagenet_file is None:
            raise ValueError(f"no imagenet weights were published for {model.name}")
        path = _download(*imagenet_file())
    else:
        path = pathlib.Path(weights)
        if not path.is_file():
            raise FileNotFoundError(
                f"weights must be None, 'imagenet' or a file that exists, got {path}"
            )
    found, of_applications = _read(path, model)
    if of_applications and first_layer is not None:
        name, arrays = found[0]
        found[0] = name, first_layer(arrays)
    _assign(model, found, path)


def _download(url, md5):
    name = url.rsplit("/", 1)[1]
    try:
        path = keras.utils.get_file(name, url, cache_subdir="models", file_hash=md5)
    except Exception as error:  # Keras raises a bare Exception with the reason
        raise ConnectionError(
            f"cannot download {url} ({error}); download it elsewhere and give its path"
        ) from error
    return pathlib.Path(path)


def _read(path, model):
    """Returns ([(layer name, [array, ...]), ...], whether it is for their pixels).

    Layers without weights are left out.
    """
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                config = json.loads(archive.read("config.json"))
                weights = io.BytesIO(archive.read("model.weights.h5"))
            layers = config["config"]["layers"]
            with h5py.File(weights) as file:
                classes = [layer["class_name"] for layer in layers]
                ours = any(layer["config"]["name"] == MINUS_MEAN for layer in layers)
                return _read_keras3(file, classes), not ours
        with h5py.File(path) as file:
            group = file.get("model_weights", file)  # a whole model in one .h5 file
            if _attribute(group, "layer_names"):
                return _read_legacy(group), True
            classes = [type(layer).__name__ for layer in model.layers]
            return _read_keras3(file, classes), False
    except (OSError, KeyError, RuntimeError, ValueError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is not a file of Keras weights: {error}") from error


def _read_keras3(file, class_names):
    """Groups are named by class and count (conv2d, conv2d_1, ...), in layer order."""
    groups, keys, count = file["layers"], [], collections.Counter()
    for class_name in class_names:
        key = keras.src.utils.naming.to_snake_case(class_name)
        keys.append(f"{key}_{count[key]}" if count[key] else key)
        count[key] += 1
    keys += [key for key in groups if key not in keys]  # of another architecture
    found = []
    for key in keys:
        variables = groups[key].get("vars", {}) if key in groups else {}
        if len(variables):
            arrays = [np.asarray(variables[str(i)]) for i in range(len(variables))]
            found.append((groups[key].attrs.get("name", key), arrays))
    return found


def _read_legacy(group):
    found = []
    for name in _attribute(group, "layer_names"):
        layer = group[name]
        arrays = [np.asarray(layer[key]) for key in _attribute(layer, "weight_names")]
        found.append((name, arrays))
    return [(name, arrays) for name, arrays in found if arrays]


def _attribute(group, name):
    """A list of strings, which Keras splits over name0, name1, ... where it is long."""
    keys = [name] if name in group.attrs else []
    while f"{name}{len(keys)}" in group.attrs:
        keys.append(f"{name}{len(keys)}")
    texts = [text for key in keys for text in group.attrs[key]]
    return [text.decode() if isinstance(text, bytes) else text for text in texts]


def _assign(model, found, path):
    ours = [layer for layer in model.layers if layer.weights]
    if len(found) != len(ours):
        raise ValueError(
            f"{path} holds {len(found)} layers with weights, {model.name} has "
            f"{len(ours)}: weights of another architecture"
        )
    values = []  # nothing is assigned before everything fits
    for layer, (name, arrays) in zip(ours, found):
        shapes = [tuple(weight.shape) for weight in layer.weights]
        given = [_without_ones(array.shape, len(s)) for array, s in zip(arrays, shapes)]
        complete = len(arrays) == len(shapes)
        if complete and given == shapes:
            values.append([a.reshape(shape) for a, shape in zip(arrays, shapes)])
        elif complete and layer is ours[-1] and _inputs(given) == _inputs(shapes):
            logging.warning(
                "%s is for %d classes: %s keeps its random start for %d classes",
                path, given[-1][-1], layer.name, shapes[-1][-1],
            )  # fmt: skip
        else:
            raise ValueError(
                f"{path} does not fit {model.name}: its layer {name!r} has weights of "
                f"shape {[a.shape for a in arrays]}, {layer.name!r} needs {shapes}: "
                "weights of another architecture, width or number of channels"
            )
    for layer, arrays in zip(ours, values):
        layer.set_weights(arrays)


def _without_ones(shape, rank):
    """A 1x1 convolution on a pooled map, (1, 1, c, n), is a dense layer, (c, n)."""
    return shape[2:] if shape[:2] == (1, 1) and len(shape) == rank + 2 else shape


def _inputs(shapes):
    """Shapes without their last axis, the classes."""
    return [shape[:-1] for shape in shapes]
