"""The layer of a classifier whose output stands for a picture."""

import keras
from keras import layers

from kcv.viz.gradients import check_layer


def default_layer(model):
    """Name of the layer that the classifier, the last one with weights, looks at.

    Raises:
        ValueError: if no layer has weights.
    """
    names = [layer.name for layer in model.layers]
    with_weights = [layer for layer in model.layers if layer.weights]
    if not with_weights:
        raise ValueError(
            f"{model.name} has no weights, so no classifier: give --layer, one of "
            f"{', '.join(names)}"
        )
    classifier = with_weights[-1]
    if "predictions" in names and model.get_layer("predictions").weights:
        classifier = model.get_layer("predictions")  # one of several outputs
    layer = keras.tree.flatten(classifier.input)[0]._keras_history.operation
    while isinstance(layer, layers.Dropout):  # does nothing here
        layer = layer.input._keras_history.operation
    return layer.name


def feature_network(model, name):
    """Returns the model from images to features (n, d); maps (n, h, w, d) are averaged.

    Raises:
        ValueError: if there is no such layer or it gives several things.
    """
    check_layer(model, name)
    x = model.get_layer(name).output
    if not isinstance(x, keras.KerasTensor) or len(x.shape) < 2:
        raise ValueError(f"layer {name!r} gives no features, but several things")
    if len(x.shape) > 2:
        x = keras.ops.mean(x, axis=tuple(range(1, len(x.shape) - 1)))
    return keras.Model(model.inputs[0], x)
