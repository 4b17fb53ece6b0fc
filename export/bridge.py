"""Rebuilds a Keras 3 model in tf_keras, where the optimisation toolkit works.

tensorflow-model-optimization takes tf_keras (Keras 2) models only. `to_tf_keras`
walks the functional graph, makes the tf_keras twin of every layer and copies the
weights; `weights_back` brings trained weights home.
"""

import re

import keras
import numpy as np
import tf_keras

from kcv.export import fold, functional
from kcv.export.twins import depthwise_part, is_tensor, twin

# tf_keras name of a weight -> its Keras 3 name, where they differ.
WEIGHT_NAMES = {
    "DepthwiseConv1D": {"depthwise_kernel": "kernel"},
    "DepthwiseConv2D": {"depthwise_kernel": "kernel"},
    # In quantisation-aware training it is two layers; see qat.py.
    "SeparableConv2D": {"kernel": "pointwise_kernel"},
}

# Layers that hold the weights of a composite layer, by attribute, in both libraries.
PARTS = {
    "Bidirectional": ("forward_layer", "backward_layer"),
    "MultiHeadAttention": (
        "_query_dense",
        "_key_dense",
        "_value_dense",
        "_output_dense",
    ),
    "TimeDistributed": ("layer",),
}


def to_tf_keras(model, twins=None):
    """Returns the tf_keras model of equal outputs, sub-models opened into one graph.

    Args:
        model: functional or built Sequential Keras 3 model. Shared layers stay shared;
            any structure of inputs and outputs. Everything is computed in float32.
        twins: {Keras 3 layer class: function (layer, name) -> tf_keras layer} for
            layers of your own. A twin's weights are matched by name and shape.

    Raises:
        ValueError: a layer has no twin, or a configuration key of it would be lost.
    """
    return assemble(model, lambda *node: [twin(*node, twins)])


def assemble(model, make, inputs=lambda tensor: tensor):
    """Replays a Keras 3 model with tf_keras layers and copies its weights.

    Args:
        model: functional or built Sequential Keras 3 model.
        make: function (layer or operation, name, args of its call) -> list of tf_keras
            layers to call one after the other; made once, however often it is called.
        inputs: function applied to each input tensor first.
    """
    names = {id(op): name for name, op in functional.leaf_operations(model).items()}
    made = {}

    def call(operation, *args, **kwargs):
        if isinstance(operation, keras.Model):
            return functional.replay(operation, keras.tree.flatten(args), call)
        if id(operation) not in made:
            made[id(operation)] = operation, make(operation, names[id(operation)], args)
        kwargs = {key: value for key, value in kwargs.items() if value is not None}
        if not isinstance(operation, keras.layers.Layer):
            # Constants went into the layer, so that only the tensors are left.
            tensors = [x for x in keras.tree.flatten(args) if is_tensor(x)]
            args, kwargs = (tensors if len(tensors) == 1 else [tensors]), {}
        first, *rest = made[id(operation)][1]
        outputs = first(*args, **kwargs)
        for layer in rest:
            outputs = layer(outputs)
        return outputs

    images = keras.tree.map_structure(
        lambda x: tf_keras.Input(
            x.shape[1:], batch_size=x.shape[0], dtype=x.dtype, name=x.name
        ),
        functional.functional(model)._inputs_struct,
    )
    tensors = [inputs(tensor) for tensor in keras.tree.flatten(images)]
    outputs = functional.replay(model, tensors, call)
    for operation, layers in made.values():
        for source, targets in _leaves(operation, layers):
            for value, variable in _matched(source, targets):
                variable.assign(np.asarray(value))
    return tf_keras.Model(images, outputs, name=model.name)


def weights_back(tf_keras_model, model):
    """Copies the weights of a trained tf_keras model into its Keras 3 original.

    Layers are matched by name, their weights by name and shape, also through the
    wrappers of quantisation-aware training, pruning and clustering. A batch
    normalisation that was folded away for training is set such that it and its
    convolution compute what the folded convolution does.

    Args:
        tf_keras_model: made from `model` by this package, then trained.
        model: the Keras 3 model; its weights are changed.

    Raises:
        ValueError: a layer of `model` that has weights has no counterpart.
    """
    trained = {unwrapped(layer).name: layer for layer in tf_keras_model.layers}
    operations = functional.leaf_operations(model)
    names = {id(operation): name for name, operation in operations.items()}
    done = set()
    for layer, batch_norm in fold.pairs(model):
        if names[id(batch_norm)] not in trained:
            found = _variables(layer, _trained_layers(layer, names[id(layer)], trained))
            values = {name: variable.numpy() for name, variable in found.items()}
            fold.unfold(layer, batch_norm, values)
            done |= {id(layer), id(batch_norm)}
    for name, operation in operations.items():
        if id(operation) in done or not getattr(operation, "weights", None):
            continue
        if isinstance(operation, keras.layers.Normalization):
            continue  # constants in tf_keras: nothing was trained
        targets = _trained_layers(operation, name, trained)
        for source, parts in _leaves(operation, targets):
            for value, variable in _matched(source, parts):
                value.assign(variable.numpy())


def trained_copy(tf_keras_model, model):
    """Returns a copy of a Keras 3 model with the weights of its trained twin."""
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    weights_back(tf_keras_model, copy)
    return copy


def wrapped(tf_keras_model, kinds, wrap, only=None):
    """Wraps layers of a tf_keras model; the other layers stay the same objects.

    Args:
        tf_keras_model: from `to_tf_keras`.
        kinds: classes of layers to wrap, exactly these and not their subclasses.
        wrap: function layer -> wrapper.
        only: function layer -> bool that may leave layers out.

    Returns:
        (model, list of the wrappers).

    Raises:
        ValueError: there is no layer to wrap.
    """
    wrappers = []

    def clone(layer):
        if type(layer) not in kinds or (only is not None and not only(layer)):
            return layer
        wrappers.append(wrap(layer))
        return wrappers[-1]

    model = tf_keras.models.clone_model(tf_keras_model, clone_function=clone)
    if not wrappers:
        names = " or ".join(kind.__name__ for kind in kinds)
        raise ValueError(f"model {model.name!r} has no {names} layer left to change.")
    return model, wrappers


def unwrapped(layer):
    """Returns the layer inside a wrapper of tensorflow-model-optimization."""
    return getattr(layer, "layer", layer) if _is_toolkits(layer) else layer


def _is_toolkits(layer):
    return type(layer).__module__.startswith("tensorflow_model_optimization")


def _trained_layers(layer, name, trained):
    """Returns the tf_keras layers that hold the weights of a Keras 3 layer."""
    names = [name]
    if isinstance(layer, keras.layers.SeparableConv2D):
        names.append(depthwise_part(name))
    layers = [trained[name] for name in names if name in trained]
    if not layers:
        raise ValueError(
            f"layer {name!r} ({type(layer).__name__}) is not in the tf_keras model: "
            "bring weights back into the model it was made from."
        )
    return layers


def _leaves(layer, targets):
    """Yields (Keras 3 layer, its tf_keras layers) with composite layers taken apart."""
    parts = PARTS.get(type(layer).__name__)
    if isinstance(layer, keras.layers.Normalization) or not getattr(
        layer, "weights", None
    ):
        return
    if parts is None:
        yield layer, targets
        return
    for part in parts:
        target = getattr(unwrapped(targets[0]), part)
        yield from _leaves(getattr(layer, part), [target])


def _matched(layer, targets):
    """Returns [(Keras 3 variable, tf_keras variable)] of one layer, by name and shape.

    Raises:
        ValueError: the names or the shapes differ.
    """
    found = _variables(layer, targets)
    wanted = {variable.name: variable for variable in layer.weights}
    if set(wanted) != set(found) or len(wanted) != len(layer.weights):
        raise ValueError(
            f"layer {layer.name!r} ({type(layer).__name__}): weights "
            f"{sorted(wanted)} in Keras 3 but {sorted(found)} in tf_keras."
        )
    for name, variable in wanted.items():
        if tuple(variable.shape) != tuple(found[name].shape):
            raise ValueError(
                f"layer {layer.name!r}: {name} is {tuple(variable.shape)} in Keras 3 "
                f"but {tuple(found[name].shape)} in tf_keras."
            )
    return [(variable, found[name]) for name, variable in wanted.items()]


def _variables(layer, targets):
    """Returns {Keras 3 name: variable} of tf_keras layers, without wrappers' own."""
    renamed = WEIGHT_NAMES.get(type(layer).__name__, {})
    found = {}
    for target in targets:
        for variable in target.weights:
            name = re.sub(r":\d+$", "", variable.name).split("/")[-1]
            name = renamed.get(name, name)
            if _is_toolkits(target) and _TOOLKITS_OWN.fullmatch(name):
                continue
            if name in found and found[name] is not variable:
                raise ValueError(
                    f"layer {target.name!r} has two weights named {name!r}."
                )
            found[name] = variable
    return found


# Ranges and step counters of quantisation, masks and thresholds of pruning.
_TOOLKITS_OWN = re.compile(
    r".*_min|.*_max|optimizer_step|mask|threshold|pruning_step|cluster_centroids_.*"
    r"|pulling_indices_.*|original_.*"
)
