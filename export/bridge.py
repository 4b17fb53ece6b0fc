"""Rebuilds a Keras 3 model in tf_keras, where the optimisation toolkit works.

tensorflow-model-optimization takes tf_keras (Keras 2) models only. `to_tf_keras`
walks the functional graph, makes the tf_keras twin of every layer and copies the
weights; `weights_back` brings trained weights home. Nothing is dropped silently: a
configuration key without a place in tf_keras is an error unless it is at its default.
"""

import inspect
import re

import keras
import numpy as np
import tensorflow as tf
import tf_keras

from kcv.export import fold, functional

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
            tensors = [x for x in keras.tree.flatten(args) if _is_tensor(x)]
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


def unwrapped(layer):
    """Returns the layer inside a wrapper of tensorflow-model-optimization."""
    return getattr(layer, "layer", layer) if _is_toolkits(layer) else layer


def _is_toolkits(layer):
    return type(layer).__module__.startswith("tensorflow_model_optimization")


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
    constants = [np.asarray(x) for x in args if not _is_tensor(x)]
    constant_first = bool(args) and not _is_tensor(args[0])
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


def _is_tensor(x):
    return isinstance(x, tf.Tensor) or type(x).__name__ == "KerasTensor"


def _spatial(axis):
    return isinstance(axis, (list, tuple)) and sorted(a % 4 for a in axis) == [1, 2]


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
