"""Another activation in every hidden layer of a model that a builder has just made."""

import collections

import keras
from keras import layers

from kcv.layers.activations import activation_layer

# Activations that stand between layers. A softmax is an answer; hard_sigmoid gates.
HIDDEN = {
    *("relu", "relu6", "leaky_relu", "elu", "selu", "gelu", "silu", "hard_silu"),
    *("tanh", "sigmoid"),
}
_LAYERS = (layers.ReLU, layers.LeakyReLU, layers.ELU, layers.PReLU)
_ALONE = (*_LAYERS, layers.Activation)
_WIDENED = {  # layers with weights, and what gives twice the channels for maxout
    layers.Dense: "units",
    layers.Conv1D: "filters",
    layers.Conv2D: "filters",
    layers.Conv3D: "filters",
    layers.Conv2DTranspose: "filters",
    layers.SeparableConv2D: "filters",
    layers.DepthwiseConv2D: "depth_multiplier",
}
_TRANSPARENT = (layers.BatchNormalization, layers.Dropout)  # between it and maxout


def swap_activations(model, activation):
    """Rebuilds a model with another activation, and fresh weights.

    The last layer keeps its own, and so does a sigmoid that goes straight into a
    product, a gate. Before a maxout of two pieces, the layer with weights is made twice
    as wide, so that all other layers keep their shapes.

    Args:
        model: functional `keras.Model`; it stays as it is.
        activation: a key of `kcv.layers.activations.ACTIVATIONS`.

    Returns:
        A model with the same input and output.

    Raises:
        ValueError: if the name is unknown, the model has no hidden activation, or a
            maxout has no layer with weights of its own before it.
    """
    activation_layer(activation)  # refuses unknown names
    producers, consumers = _neighbours(model)
    answers = {tensor._keras_history.operation.name for tensor in model.outputs}
    swapped = [
        layer
        for layer in model.layers
        if _is_hidden(layer)
        and layer.name not in answers
        and not _is_gate(layer, consumers[layer.name])
    ]
    if not swapped:
        raise ValueError(f"{model.name} has no hidden activation to replace")
    names = {layer.name for layer in swapped}
    widened = set()
    if activation == "maxout":
        widened = {_widened(la, producers, consumers, names) for la in swapped}

    def clone(layer):
        config = layer.get_config()
        if layer.name in names:
            if isinstance(layer, _ALONE):
                return activation_layer(activation, layer.name)
            config["activation"] = "linear"
        if layer.name in widened:
            config[_WIDENED[type(layer)]] *= 2
        return type(layer).from_config(config)

    def call(layer, *args, **kwargs):
        x = layer(*args, **kwargs)
        if layer.name in names and type(layer) in _WIDENED:
            x = activation_layer(activation, f"{layer.name}_{activation}")(x)
        return x

    return keras.models.clone_model(model, clone_function=clone, call_function=call)


def _is_hidden(layer):
    if isinstance(layer, _LAYERS):
        return True
    if not isinstance(layer, _ALONE) and type(layer) not in _WIDENED:
        return False  # a recurrent layer needs its own
    return getattr(layer.activation, "__name__", None) in HIDDEN


def _is_gate(layer, consumers):
    name = getattr(getattr(layer, "activation", None), "__name__", None)
    return name == "sigmoid" and any(
        isinstance(after, layers.Multiply) for after in consumers
    )


def _neighbours(model):
    """Returns two dicts: name of a layer -> the layers before it, and after it."""
    producers, consumers = collections.defaultdict(list), collections.defaultdict(list)
    for layer in model.layers:
        for node in layer._inbound_nodes:
            for tensor in node.input_tensors:
                before = tensor._keras_history.operation
                producers[layer.name].append(before)
                consumers[before.name].append(layer)
    return producers, consumers


def _widened(layer, producers, consumers, names):
    """Returns the name of the layer whose channels a maxout in this place halves."""
    start = layer.name
    while type(layer) not in _WIDENED:
        before = producers[layer.name]
        alone = len(before) == 1 and len(consumers[before[0].name]) == 1
        passes = layer.name == start or isinstance(layer, _TRANSPARENT)
        if not alone or not passes or before[0].name in names:
            raise ValueError(
                f"no maxout in place of {start!r}: the layer before it is none with "
                "weights of its own; use another activation"
            )
        layer = before[0]
    return layer.name
