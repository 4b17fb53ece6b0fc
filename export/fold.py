"""Folds batch normalisation into the convolution before it, in Keras 3.

In inference BN(W x + b) is (s W) x + s (b - mean) + beta with s = gamma /
sqrt(variance + epsilon): the same convolution with other numbers.
"""

import keras
import numpy as np
from keras import layers

from kcv.export import functional

TRANSPOSED = (layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose)
FOLDABLE = (
    *TRANSPOSED,
    layers.Conv1D,
    layers.Conv2D,
    layers.Conv3D,
    layers.DepthwiseConv1D,
    layers.DepthwiseConv2D,
    layers.SeparableConv1D,
    layers.SeparableConv2D,
    layers.Dense,
)


def fold_batch_norm(model, only=None):
    """Returns a copy of a model with its batch normalisations folded away.

    A BatchNormalization is folded when it follows a convolution or Dense layer
    (FOLDABLE) directly, that layer has no activation, and nothing else reads its
    output. All others are kept. Sub-models are folded inside.

    Args:
        model: functional or built Sequential Keras 3 model; left as it is.
        only: function (layer, batch_norm) -> bool that may refuse a pair;
            None folds all.

    Returns:
        A new keras.Model with equal inference outputs, layer names kept.
    """
    folds = [pair for pair in pairs(model) if only is None or only(*pair)]
    batch_norms = {id(layer): batch_norm for layer, batch_norm in folds}
    return _fold(model, batch_norms, {id(batch_norm) for _, batch_norm in folds}, {})


def _fold(model, batch_norms, folded, copies):
    """Copies a model: `batch_norms` {id(layer): its batch norm}, `folded` their ids."""

    def call(operation, *args, **kwargs):
        if id(operation) in folded:
            return args[0]
        if id(operation) not in copies:
            if isinstance(operation, keras.Model):
                copies[id(operation)] = _fold(operation, batch_norms, folded, copies)
            elif id(operation) in batch_norms:
                copies[id(operation)] = copy_layer(operation, use_bias=True)
            else:
                copies[id(operation)] = copy_layer(operation)
        return copies[id(operation)](*args, **kwargs)

    inputs = functional.copy_inputs(model)
    outputs = functional.replay(model, keras.tree.flatten(inputs), call)
    for node in functional.nodes(model):
        operation = node.operation
        if id(operation) in batch_norms:
            weights = folded_weights(operation, batch_norms[id(operation)])
            copies[id(operation)].set_weights(weights)
        elif id(operation) not in folded:
            copy_weights(operation, copies[id(operation)])
    return keras.Model(inputs, outputs, name=model.name)


def copy_layer(layer, **changes):
    """Returns a new, unbuilt layer of the same configuration, with changes to it."""
    if not isinstance(layer, layers.Layer):
        return layer  # a keras.ops operation has no state
    return type(layer).from_config({**layer.get_config(), **changes})


def copy_weights(layer, copy):
    """Copies the weights of a layer; sub-models and operations have none of their own.

    Raises:
        ValueError: from Keras, when the copy has other shapes.
    """
    if isinstance(layer, layers.Layer) and not isinstance(layer, keras.Model):
        copy.set_weights(layer.get_weights())


def pairs(model):
    """Returns [(layer, BatchNormalization)] of all that can fold, sub-models included.

    Args:
        model: functional or built Sequential Keras 3 model.
    """
    consumers, calls = functional.consumers(model), functional.calls(model)
    found, opened = [], set()
    for node in functional.nodes(model):
        batch_norm = node.operation
        if isinstance(batch_norm, keras.Model) and id(batch_norm) not in opened:
            opened.add(id(batch_norm))
            found += pairs(batch_norm)
        if not isinstance(batch_norm, layers.BatchNormalization):
            continue
        tensor = node.input_tensors[0]
        layer = tensor._keras_history.operation
        if (
            type(layer) in FOLDABLE
            and keras.activations.serialize(layer.activation) == "linear"
            and consumers[id(tensor)] == 1
            and calls[id(layer)] == calls[id(batch_norm)] == 1
            and batch_norm.axis in (-1, len(tensor.shape) - 1)
            and getattr(layer, "data_format", "channels_last") == "channels_last"
            and node.arguments.kwargs.get("training") is not True
            and node.arguments.kwargs.get("mask") is None
        ):
            found.append((layer, batch_norm))
    return found


def scale_and_shift(batch_norm):
    """Returns (scale, shift), float64 (channels,), of a batch norm at inference."""
    mean = np.asarray(batch_norm.moving_mean, np.float64)
    variance = np.asarray(batch_norm.moving_variance, np.float64)
    gamma = np.asarray(batch_norm.gamma) if batch_norm.scale else np.ones_like(mean)
    beta = np.asarray(batch_norm.beta) if batch_norm.center else np.zeros_like(mean)
    scale = gamma / np.sqrt(variance + batch_norm.epsilon)
    return scale, beta - mean * scale


def folded_weights(layer, batch_norm):
    """Returns the weights of `layer`, built with a bias, that do both layers' work."""
    scale, shift = scale_and_shift(batch_norm)
    bias = shift
    if layer.use_bias:
        bias = shift + np.asarray(layer.bias, np.float64) * scale
    *others, kernel = [np.asarray(weight, np.float64) for weight in _kernels(layer)]
    weights = [*others, _scaled(layer, kernel, scale), bias]
    return [weight.astype("float32") for weight in weights]


def _scaled(layer, kernel, scale):
    """Returns a kernel whose output channels are multiplied by `scale`."""
    if isinstance(layer, (layers.DepthwiseConv1D, layers.DepthwiseConv2D)):
        # (..., channels, multiplier): output channel c * multiplier + m.
        return kernel * scale.reshape(kernel.shape[-2:])
    if isinstance(layer, TRANSPOSED):
        return kernel * scale[:, None]  # (..., filters, channels)
    return kernel * scale  # (..., channels, filters)


def _kernels(layer):
    """Returns the kernels of a layer, the one before the batch norm last."""
    if isinstance(layer, (layers.SeparableConv1D, layers.SeparableConv2D)):
        return [layer.depthwise_kernel, layer.pointwise_kernel]
    return [layer.kernel]


def unfold(layer, batch_norm, values):
    """Sets a layer and its batch norm so that both together compute the folded layer.

    The moving statistics stay. Where gamma is almost 0 the folded kernel cannot be
    divided by it: there the batch norm is made to change nothing but the shift.

    Args:
        layer: the layer before `batch_norm`, with or without a bias.
        batch_norm: BatchNormalization; gamma and beta are changed.
        values: {"kernel" or "pointwise_kernel", ...: array, "bias": array} of the
            folded layer.

    Raises:
        ValueError: neither the layer nor the batch norm has a bias to take the shift.
    """
    if batch_norm.scale:
        gamma = np.asarray(batch_norm.gamma)
        deviation = np.sqrt(np.asarray(batch_norm.moving_variance) + batch_norm.epsilon)
        batch_norm.gamma.assign(np.where(np.abs(gamma) < 1e-3, deviation, gamma))
    scale, _ = scale_and_shift(batch_norm)
    mean = np.asarray(batch_norm.moving_mean, np.float64)
    *others, last = _kernels(layer)
    for weight in others:
        weight.assign(values[weight.name])
    last.assign(_scaled(layer, values[last.name].astype(np.float64), 1 / scale))
    shift = values["bias"].astype(np.float64)
    if batch_norm.center:
        batch_norm.beta.assign(shift + mean * scale)
        if layer.use_bias:
            layer.bias.assign(np.zeros_like(shift))
    elif layer.use_bias:
        layer.bias.assign(shift / scale + mean)
    else:
        raise ValueError(
            f"layer {layer.name!r} and {batch_norm.name!r} have no bias to hold the "
            "folded shift: build BatchNormalization with center=True."
        )
