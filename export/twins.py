"""The tf_keras twin of a Keras 3 layer, of the same name and the same effect.

Nothing is dropped silently: a configuration key without a place in tf_keras is an error
unless it is at its default.
"""

import inspect

import keras
import numpy as np
import tensorflow as tf
import tf_keras

from kcv.export import own_twins

# Layers whose tf_keras class of the same name takes the same keys to the same effect.
SAME = (  # noqa: SIM905
    "Add AlphaDropout Average AveragePooling1D AveragePooling2D AveragePooling3D "
    "BatchNormalization Concatenate Conv1D Conv1DTranspose Conv2D Conv2DTranspose "
    "Conv3D Conv3DTranspose ConvLSTM2D Cropping1D Cropping2D Cropping3D Dense "
    "DepthwiseConv1D DepthwiseConv2D Dot Dropout ELU Embedding Flatten GRU "
    "GaussianDropout GaussianNoise GlobalAveragePooling1D GlobalAveragePooling2D "
    "GlobalAveragePooling3D GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D "
    "GroupNormalization Identity LSTM LayerNormalization MaxPooling1D MaxPooling2D "
    "MaxPooling3D Maximum Minimum MultiHeadAttention Multiply PReLU Permute ReLU "
    "RepeatVector Reshape Resizing SeparableConv1D SeparableConv2D SimpleRNN Softmax "
    "SpatialDropout1D SpatialDropout2D SpatialDropout3D Subtract UnitNormalization "
    "UpSampling1D UpSampling2D UpSampling3D ZeroPadding1D ZeroPadding2D ZeroPadding3D"
).split()


@tf_keras.utils.register_keras_serializable("kcv")
def hard_sigmoid(x):
    """relu6(x + 3) / 6, as Keras 3 has it; tf_keras' own is 0.2 x + 0.5, clipped."""
    return tf.nn.relu6(x + 3.0) * (1.0 / 6.0)


@tf_keras.utils.register_keras_serializable("kcv")
def hard_swish(x):
    """X relu6(x + 3) / 6, in the form that converts to one HARD_SWISH operator."""
    return x * tf.nn.relu6(x + 3.0) * (1.0 / 6.0)


@tf_keras.utils.register_keras_serializable("kcv")
def relu6(x):
    """Clips to [0, 6]."""
    return tf.nn.relu6(x)


# Keras 3 name -> tf_keras activation. Others differ or do not exist there.
ACTIVATIONS = {
    **{
        name: name
        for name in (  # noqa: SIM905
            "elu exponential gelu linear mish relu selu sigmoid softmax softplus "
            "softsign tanh"
        ).split()
    },
    "relu6": relu6,
    "silu": "swish",
    "hard_silu": hard_swish,
    "hard_sigmoid": hard_sigmoid,
}


@tf_keras.utils.register_keras_serializable("kcv")
class Affine(tf_keras.layers.Layer):
    """Returns scale * x + offset; a factor of 1 or a summand of 0 costs no operator."""

    def __init__(self, scale=1.0, offset=0.0, **kwargs):
        super().__init__(**kwargs)
        self.scale = np.asarray(scale, np.float32)
        self.offset = np.asarray(offset, np.float32)

    def call(self, x):  # noqa: D102
        x = tf.cast(x, self.compute_dtype)
        if np.any(self.scale != 1):
            x = x * tf.constant(self.scale, x.dtype)
        if np.any(self.offset != 0):
            x = x + tf.constant(self.offset, x.dtype)
        return x

    def compute_output_shape(self, input_shape):  # noqa: D102
        return input_shape

    def get_config(self):  # noqa: D102
        scale, offset = self.scale.tolist(), self.offset.tolist()
        return {**super().get_config(), "scale": scale, "offset": offset}


# keras.ops operation -> tf_keras activation.
OPERATIONS = {
    "Elu": "elu",
    "Exp": "exponential",
    "HardSigmoid": hard_sigmoid,
    "HardSilu": hard_swish,
    "Sigmoid": "sigmoid",
    "Silu": "swish",
    "Softplus": "softplus",
    "Tanh": "tanh",
}

# Defaults of Keras 3 that its signatures do not show.
DEFAULTS = {"data_format": "channels_last", "rms_scaling": False}


def twin(operation, name, args=(), twins=None):
    """Returns the tf_keras layer, without weights yet, of a Keras 3 layer.

    Args:
        operation: Keras 3 layer, or a keras.ops operation of a functional graph.
        name: name for the tf_keras layer.
        args: arguments of its call; an operation's constants are taken from them.
        twins: as in `to_tf_keras`.

    Raises:
        ValueError: no twin is known, or a configuration key would be lost.
    """
    kind = type(operation)
    if twins and kind in twins:
        return twins[kind](operation, name)
    if kind in own_twins.TWINS:
        return own_twins.TWINS[kind](operation, name)
    if not isinstance(operation, keras.layers.Layer):
        return _operation_twin(operation, name, args)
    if kind is not getattr(keras.layers, kind.__name__, None):
        raise _no_twin(operation, name)
    if isinstance(operation, keras.layers.Bidirectional):
        return tf_keras.layers.Bidirectional(
            twin(operation.forward_layer, operation.forward_layer.name),
            operation.merge_mode,
            backward_layer=twin(
                operation.backward_layer, operation.backward_layer.name
            ),
            name=name,
        )
    if isinstance(operation, keras.layers.TimeDistributed):
        inner = twin(operation.layer, operation.layer.name)
        return tf_keras.layers.TimeDistributed(inner, name=name)
    if isinstance(operation, keras.layers.Normalization):
        return _normalization(operation, name)
    config = {**operation.get_config(), "name": name}
    if isinstance(operation, keras.layers.Activation):
        activation = _activation(operation, config["activation"])
        return tf_keras.layers.Activation(activation, name=name)
    if isinstance(operation, keras.layers.Rescaling):
        return Affine(operation.scale, operation.offset, name=name)
    if isinstance(operation, keras.layers.LeakyReLU):
        config["alpha"] = config.pop("negative_slope")
    elif kind.__name__ not in SAME:
        raise _no_twin(operation, name)
    tf_kind = getattr(tf_keras.layers, kind.__name__)
    return tf_kind(**_translated(operation, config, tf_kind))


def depthwise_part(name):
    """Returns the name of the first of the two layers a SeparableConv2D becomes."""
    return f"{name}_depthwise"


def _no_twin(operation, name):
    kind = type(operation)
    return ValueError(
        f"layer {name!r} ({kind.__module__}.{kind.__name__}) has no tf_keras twin: "
        "build the model from stock layers, or pass twins={"
        f"{kind.__name__}: function (layer, name) -> tf_keras layer}}."
    )


def _translated(layer, config, tf_kind):
    """Returns the configuration of a tf_keras layer from a Keras 3 one's."""
    accepted, defaults = _parameters(tf_kind), _parameters(type(layer))
    translated = {}
    for key, value in config.items():
        if key == "dtype" or key.endswith("_initializer"):
            continue  # float32 everywhere; the weights are copied
        if key.endswith("activation"):
            value = _activation(layer, value)
        elif key.endswith("_regularizer") and value is not None:
            value = _counterpart(layer, key, value, tf_keras.regularizers)
        elif key.endswith("_constraint") and value is not None:
            value = _counterpart(layer, key, value, tf_keras.constraints)
        if key in accepted:
            translated[key] = value
        elif not (value is None or _equal(value, _default(defaults, key))):
            raise ValueError(
                f"layer {layer.name!r} ({type(layer).__name__}): {key}={value!r} has "
                "no counterpart in tf_keras and would be lost: leave it at its default."
            )
    return translated


def _parameters(kind):
    """Returns {name: parameter} of a class's constructor, its bases' included."""
    parameters = {}
    for base in kind.__mro__:
        if "__init__" in vars(base):
            for name, parameter in inspect.signature(base.__init__).parameters.items():
                parameters.setdefault(name, parameter)
    # tf_keras takes these through **kwargs.
    parameters |= {"name": None, "trainable": None}
    if issubclass(kind, tf_keras.layers.RNN):
        parameters["zero_output_for_mask"] = None
    return parameters


def _default(parameters, key):
    if key in DEFAULTS:
        return DEFAULTS[key]
    return getattr(parameters.get(key), "default", inspect.Parameter.empty)


def _equal(value, default):
    if isinstance(value, (list, tuple)) and isinstance(default, (list, tuple)):
        return list(value) == list(default)
    return type(value) is type(default) and value == default


def _activation(layer, value):
    """Returns the tf_keras activation of a serialised Keras 3 one."""
    name = value if value is None or isinstance(value, str) else value.get("config")
    if name is None or (isinstance(name, str) and name in ACTIVATIONS):
        return ACTIVATIONS[name or "linear"]
    raise ValueError(
        f"layer {layer.name!r} ({type(layer).__name__}): activation {value!r} has no "
        f"counterpart in tf_keras: use one of {', '.join(ACTIVATIONS)} or a layer."
    )


def _counterpart(layer, key, value, module):
    """Returns the tf_keras regularizer or constraint of a serialised Keras 3 one."""
    kind = getattr(module, value["class_name"], None)
    if kind is None or not value["module"].startswith("keras."):
        raise ValueError(
            f"layer {layer.name!r} ({type(layer).__name__}): {key} "
            f"{value['class_name']!r} has no counterpart in tf_keras: leave it out."
        )
    return kind(**value["config"])


def _normalization(layer, name):
    """Normalization has fixed numbers: (x - mean) / deviation, or its inverse."""
    mean = np.asarray(layer.mean, np.float64)
    deviation = np.sqrt(np.asarray(layer.variance, np.float64))
    deviation = np.maximum(deviation, keras.config.epsilon())
    if layer.invert:
        return Affine(deviation, mean, name=name)
    return Affine(1 / deviation, -mean / deviation, name=name)


def _operation_twin(operation, name, args):
    """Returns the tf_keras layer of a keras.ops operation inside a functional graph."""
    kind, layers = type(operation).__name__, tf_keras.layers
    args = keras.tree.flatten(args)
    constants = [np.asarray(x) for x in args if not is_tensor(x)]
    constant_first = bool(args) and not is_tensor(args[0])
    if not constants and kind in ("Add", "Subtract", "Multiply", "Maximum", "Minimum"):
        return getattr(layers, kind)(name=name)
    if len(constants) == 1:
        (constant,) = constants
        if kind == "Add":
            return Affine(offset=constant, name=name)
        if kind == "Subtract" and constant_first:
            return Affine(-1.0, constant, name=name)
        if kind == "Subtract":
            return Affine(offset=-constant, name=name)
        if kind == "Multiply":
            return Affine(constant, name=name)
        if kind in ("Divide", "TrueDivide") and not constant_first:
            return Affine(1 / constant, name=name)
    elif not constants:
        if kind in OPERATIONS:
            return layers.Activation(OPERATIONS[kind], name=name)
        if kind == "Relu6":
            return layers.ReLU(6.0, name=name)
        if kind == "Relu":
            return layers.ReLU(name=name)
        if kind == "LeakyRelu":
            return layers.LeakyReLU(operation.negative_slope, name=name)
        if kind in ("Softmax", "Concatenate"):
            return getattr(layers, kind)(operation.axis, name=name)
        if kind == "Reshape":
            return layers.Reshape(operation.newshape[1:], name=name)
        if kind == "Mean" and len(args[0].shape) == 4 and _spatial(operation.axis):
            keepdims = operation.keepdims
            return layers.GlobalAveragePooling2D(keepdims=keepdims, name=name)
    raise ValueError(
        f"operation {name!r} (keras.ops {kind}) with constants {constants} has no "
        "tf_keras twin: use a layer of keras.layers in its place."
    )


def is_tensor(x):
    """True for a tensor or its symbol in a functional graph."""
    return isinstance(x, tf.Tensor) or type(x).__name__ == "KerasTensor"


def _spatial(axis):
    return isinstance(axis, (list, tuple)) and sorted(a % 4 for a in axis) == [1, 2]
