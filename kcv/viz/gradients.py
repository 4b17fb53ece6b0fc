"""The gradient of a score with respect to the image or to the maps of a layer.

Keras has no operation for gradients that all its backends share, but all of them can
train: a zero is added to the maps, and one step of plain gradient descent at rate 1
turns it into the negative gradient.
"""

import keras
import numpy as np
from keras import layers, ops


def gradients(model, images, weights, layer=None, backward_relu=False):
    """Differentiates the weighted sum of a model's output.

    A softmax at the end is left out: the scores are the logits.

    Args:
        model: functional `keras.Model` with one input and one output; it stays as it
            is and runs in inference mode.
        images: float (n, height, width, channels), in the model's range.
        weights: float (n, ...), as many numbers as the output has. One-hot rows choose
            a class for each image.
        layer: name of the layer at whose output to differentiate; None: the images.
        backward_relu: whether a ReLU lets through what comes back if that is positive
            itself, as a deconvnet has it, in place of where its input was.

    Returns:
        float32, the shape of the layer's output for the n images.

    Raises:
        ValueError: if the model has no such layer.
    """
    images = np.asarray(images, "float32")
    if layer is not None:
        check_layer(model, layer)
    offset = _Offset(name="offset")
    copy = _copy(model, images.shape, layer, offset, backward_relu)
    probe = _Probe(copy, offset, at_input=layer is None)
    probe.compile(keras.optimizers.SGD(1.0), run_eagerly=True, jit_compile=False)
    probe.train_on_batch(images, np.asarray(weights, "float32"))
    return -ops.convert_to_numpy(offset.values)


def maps_of(model, images, layer):
    """Returns the output of a layer for images, float32 (n, ...)."""
    check_layer(model, layer)
    part = keras.Model(model.inputs[0], model.get_layer(layer).output)
    # Called once, so that compiling it, as predict does, would take longer.
    maps = part(ops.convert_to_tensor(images, "float32"), training=False)
    return ops.convert_to_numpy(maps)


def last_maps(model):
    """Returns the name of the last layer that gives maps (n, height, width, channels).

    Raises:
        ValueError: if there is none.
    """
    for layer in reversed(model.layers):
        if has_maps(layer):
            return layer.name
    raise ValueError(f"{model.name} has no layer with maps (height, width, channels)")


def has_maps(layer):
    """Whether a layer gives maps (n, height, width, channels); the images are none."""
    shape = getattr(layer.output, "shape", ())
    is_input = isinstance(layer, layers.InputLayer)
    return not is_input and len(shape) == 4 and shape[1:3] != (1, 1)


def check_layer(model, layer):
    """Raises ValueError if the model has no layer of this name."""
    names = [la.name for la in model.layers]
    if layer not in names:
        raise ValueError(f"{model.name} has no layer {layer!r}; it has {names}")


class _Probe(keras.Model):
    """A frozen model with the offset, trained towards lower scores.

    Not towards higher ones: what comes back has the sign of the weights, which a ReLU
    on the way back looks at.
    """

    def __init__(self, inner, offset, at_input):
        super().__init__()
        self.inner, self.offset, self.at_input = inner, offset, at_input

    def call(self, images):
        x = self.offset(images) if self.at_input else images
        return self.inner(x, training=False)

    def compute_loss(self, x, y, y_pred, sample_weight=None, training=True):
        return ops.sum(ops.cast(y_pred, "float32") * ops.reshape(y, ops.shape(y_pred)))


class _Offset(layers.Layer):
    def build(self, input_shape):
        self.values = self.add_weight(shape=input_shape, initializer="zeros")

    def call(self, x):
        return x + self.values


class _BackwardReLU(layers.Layer):
    """Forwards a ReLU, backwards a ReLU of the gradient."""

    def __init__(self, max_value=None, **kwargs):
        super().__init__(**kwargs)
        self.max_value = max_value

    def call(self, x):
        return _backward_relu(x, self.max_value)


def _backward_relu(x, max_value=None):
    @ops.custom_gradient
    def function(x):
        def gradient(*args, upstream=None):
            return ops.relu(args[0] if upstream is None else upstream)

        y = ops.relu(x)
        return (y if max_value is None else ops.minimum(y, max_value)), gradient

    return function(x)


_BACKWARD = {"relu": _backward_relu, "relu6": lambda x: _backward_relu(x, 6.0)}


def _copy(model, batch_shape, layer, offset, backward_relu):
    """A frozen copy of the model for a batch, with the offset behind the layer."""
    answers = {tensor._keras_history.operation.name for tensor in model.outputs}

    def clone(old):
        if backward_relu and isinstance(old, layers.ReLU):
            return _BackwardReLU(old.max_value, name=old.name)
        new = type(old).from_config(old.get_config())
        kind = getattr(getattr(new, "activation", None), "__name__", None)
        if kind == "softmax" and new.name in answers:
            new.activation = keras.activations.linear
        if backward_relu and kind in _BACKWARD:
            new.activation = _BACKWARD[kind]
        return new

    def call(new, *args, **kwargs):
        x = new(*args, **kwargs)
        return offset(x) if new.name == layer else x

    images = keras.Input(batch_shape=batch_shape, name="images")
    plain = keras.Model(
        model.inputs[0], model.outputs[0]
    )  # neither list nor Sequential
    copy = keras.models.clone_model(plain, images, clone, call)
    olds = {old.name: old for old in model.layers}
    for new in copy.layers:
        if new is not offset:
            new.trainable = False
            if new.weights:
                new.set_weights(olds[new.name].get_weights())
    return copy
