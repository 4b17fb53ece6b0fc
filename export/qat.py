"""Quantisation-aware training: weights learn to live on 256 levels.

    trained = train_quantization_aware(model, batches, epochs=3, learning_rate=1e-4)
    kcv.export.convert(trained, "model.tflite", quantize="int8", probes=images)
    bridge.weights_back(trained, model)

Paper: B. Jacob et al., "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference", 2018, https://arxiv.org/abs/1712.05877

The model is rebuilt in tf_keras with the fake quantisers of
tensorflow-model-optimization, and every quantiser stands where the TFLite file will
round: on kernels, on the input and on what an integer operator writes. So the trained
model already answers as the file will. The toolkit's own `quantize_apply` places them
by patterns of layer classes, which miss squeeze-and-excitation, hard swish, ReLU6 in a
layer, dilated and transposed convolutions; here they are placed along the graph.

Differs from the paper: ranges start from calibration, not from -6 and 6, so that the
first evaluation is as good as post-training quantisation.
"""

from collections.abc import Callable, Iterable

import keras
import numpy as np
import tensorflow as tf
import tf_keras
from keras import layers

from kcv.export import bridge, fold, functional
from kcv.export.fine_tune import fine_tune, images_of
from kcv.export.tfmot import QuantizeLayer, quant_ops, quantization

# Layers with a kernel in 8 bits.
WEIGHTED = (
    layers.Conv2D,
    layers.DepthwiseConv2D,
    layers.Conv2DTranspose,
    layers.SeparableConv2D,
    layers.Dense,
)
# Layers that write the very levels they read.
TRANSPARENT = (
    layers.Cropping2D,
    layers.Dropout,
    layers.Flatten,
    layers.GaussianDropout,
    layers.GaussianNoise,
    layers.GlobalMaxPooling2D,
    layers.Identity,
    layers.InputLayer,
    layers.MaxPooling2D,
    layers.Permute,
    layers.RepeatVector,
    layers.Reshape,
    layers.Softmax,  # its range is fixed in TFLite: 1/256 a level
    layers.SpatialDropout2D,
    layers.ZeroPadding2D,
)
# Layers whose output has a range of its own.
RANGED = (
    layers.Add,
    layers.AveragePooling2D,
    layers.Concatenate,
    layers.GlobalAveragePooling2D,
    layers.LeakyReLU,
    layers.Maximum,
    layers.Minimum,
    layers.Multiply,
    layers.PReLU,
    layers.ReLU,
    layers.Resizing,
    layers.Subtract,
    layers.UpSampling2D,
)
# keras.ops operations, by class name, with a range of their own or an activation's.
RANGED_OPERATIONS = (  # noqa: SIM905
    "Add Concatenate Divide LeakyRelu Maximum Mean Minimum Multiply Relu Relu6 "
    "Subtract TrueDivide"
).split()
OPERATION_ACTIVATIONS = {
    "HardSigmoid": "hard_sigmoid",
    "HardSilu": "hard_silu",
    "Sigmoid": "sigmoid",
    "Silu": "silu",
    "Tanh": "tanh",
}
# Activations that TFLite fuses into the operator before.
FUSED = ("relu", "relu6")
# What TFLite's integer kernels write, whatever the data: (lowest, highest).
FIXED_RANGES = {"sigmoid": (0.0, 255 / 256), "tanh": (-1.0, 127 / 128)}
ACTIVATIONS = ("linear", "softmax", "silu", "hard_silu", "hard_sigmoid",
               *FUSED, *FIXED_RANGES)  # fmt: skip


def train_quantization_aware(
    model: keras.Model,
    batches: Callable[[int], Iterable],
    *,
    epochs: int,
    learning_rate: float,
    input_range: tuple[float, float] = (-1.0, 1.0),
    loss: Callable | None = None,
    on_step: Callable[[int, float], None] | None = None,
    calibration_batches: int = 8,
):
    """Trains a copy of a model with its int8 rounding simulated.

    Args:
        model: trained functional Keras 3 model of one image input; left as it is.
            `bridge.weights_back(result, model)` brings the weights home.
        batches: function of the epoch's number, from 0, to its batches: {"images":
            float32 (b, h, w, c), "labels": int (b,)} or pairs of the two.
        epochs: passes over the batches.
        learning_rate: the first step's, falling to zero along a cosine; a tenth or a
            hundredth of what the model was trained with.
        input_range: what the darkest and the brightest pixel become.
        loss: function (labels, outputs) -> (b,); default: cross-entropy between int
            labels and probabilities.
        on_step: called as on_step(steps done, loss of the step).
        calibration_batches: how many batches the ranges start from.

    Returns:
        The trained tf_keras model. `kcv.export.convert(it, ..., quantize="int8")`
        needs no calibration.

    Raises:
        ValueError: a layer cannot be quantized, there is no batch, or the loss is not
            a finite number.
    """
    trained = quantization_aware(model, input_range=input_range)
    calibrate(trained, take(batches(0), calibration_batches))
    fine_tune(
        trained,
        batches,
        epochs=epochs,
        learning_rate=learning_rate,
        loss=loss,
        on_step=on_step,
    )
    return trained


def quantization_aware(model: keras.Model, *, input_range=(-1.0, 1.0)):
    """Returns the tf_keras model that simulates the int8 file of a Keras 3 model.

    Batch normalisation stays beside an ordinary convolution, so that it goes on
    learning; after others it is folded into the kernel first.

    Args:
        model: functional or built Sequential Keras 3 model; left as it is.
        input_range: (lowest, highest) value of the inputs, (-1, 1) for example.

    Returns:
        A tf_keras model whose ranges are still unknown: see `calibrate`.

    Raises:
        ValueError: a layer that has no int8 form here, by name.
    """
    model = fold.fold_batch_norm(model, only=_must_fold)
    plan = _Plan(model)
    quantized = bridge.assemble(model, plan.layers, inputs=plan.inputs(input_range))
    for layer in quantized.layers:
        _start_weight_ranges(layer)
    return quantized


def calibrate(model, batches: Iterable) -> None:
    """Sets the ranges of all activations to what they are on real images.

    Args:
        model: from `quantization_aware`.
        batches: images, float32 (b, h, w, c), or batches as for training.

    Raises:
        ValueError: there is no batch.
    """
    quantizers = [
        layer.quantizer
        for layer in model.layers
        if isinstance(layer, QuantizeLayer)
        and isinstance(layer.quantizer, ActivationQuantizer)
    ]
    count = 0
    for quantizer in quantizers:
        quantizer.calibrating = True  # read at each call: the loop is eager
    try:
        for batch in batches:
            model(tf.constant(images_of(batch)), training=False)
            count += 1
    finally:
        for quantizer in quantizers:
            quantizer.calibrating = False
    if count == 0:
        raise ValueError("no batch to calibrate with: give at least one.")


def take(batches, count):
    """Yields the first `count` of any iterable."""
    for _, batch in zip(range(count), batches):
        yield batch


@tf_keras.utils.register_keras_serializable("kcv")
class ActivationQuantizer(quantization.quantizers.MovingAverageQuantizer):
    """Rounds to 256 levels between a moving minimum and maximum.

    While `calibrating` it takes in the values it sees and lets them pass unrounded.
    """

    calibrating = False

    def __init__(self):
        super().__init__(8, per_axis=False, symmetric=False, narrow_range=False)

    def build(self, tensor_shape, name, layer):  # noqa: D102
        zeros = tf_keras.initializers.Zeros()
        return {
            f"{end}_var": layer.add_weight(f"{name}_{end}", initializer=zeros,
                                           trainable=False)
            for end in ("min", "max")
        }  # fmt: skip

    def __call__(self, inputs, training, weights, **kwargs):  # noqa: D102
        low, high = weights["min_var"], weights["max_var"]
        if self.calibrating:
            low.assign(tf.minimum(low, tf.reduce_min(inputs)))
            high.assign(tf.maximum(high, tf.reduce_max(inputs)))
            return inputs
        return quant_ops.MovingAvgQuantize(
            inputs, low, high, is_training=training, ema_decay=0.99
        )

    def get_config(self):  # noqa: D102
        return {}


@tf_keras.utils.register_keras_serializable("kcv")
class DepthwiseQuantizer(quantization.quantizers.LastValueQuantizer):
    """Rounds a depthwise kernel on one scale for each output channel."""

    def __init__(self):
        super().__init__(8, per_axis=True, symmetric=True, narrow_range=True)

    def build(self, tensor_shape, name, layer):  # noqa: D102
        height, width, channels, multiplier = tensor_shape
        shape = (height, width, 1, channels * multiplier)
        return super().build(shape, name, layer)

    def __call__(self, inputs, training, weights, **kwargs):  # noqa: D102
        height, width, channels, multiplier = inputs.shape
        outputs = tf.reshape(inputs, (height, width, 1, channels * multiplier))
        outputs = super().__call__(outputs, training, weights, **kwargs)
        return tf.reshape(outputs, inputs.shape)

    def get_config(self):  # noqa: D102
        return {}


@tf_keras.utils.register_keras_serializable("kcv")
class KernelConfig(quantization.QuantizeConfig):
    """Quantizes the kernel of a layer and nothing else."""

    def get_weights_and_quantizers(self, layer):  # noqa: D102
        attribute, quantizer = _kernel(layer)
        return [(getattr(layer, attribute), quantizer)]

    def set_quantize_weights(self, layer, quantize_weights):  # noqa: D102
        setattr(layer, _kernel(layer)[0], quantize_weights[0])

    def get_activations_and_quantizers(self, layer):  # noqa: D102
        return []

    def set_quantize_activations(self, layer, quantize_activations):  # noqa: D102
        pass

    def get_output_quantizers(self, layer):  # noqa: D102
        return []

    def get_config(self):  # noqa: D102
        return {}


def _kernel(layer):
    """Returns (attribute, quantizer) of a tf_keras layer's kernel."""
    if isinstance(layer, tf_keras.layers.DepthwiseConv2D):
        return "depthwise_kernel", DepthwiseQuantizer()
    # TFLite has one scale for each filter of a convolution, one for a Dense layer.
    per_axis = type(layer) is tf_keras.layers.Conv2D
    return "kernel", quantization.quantizers.LastValueQuantizer(
        8, per_axis=per_axis, symmetric=True, narrow_range=True
    )


def _start_weight_ranges(layer):
    """Sets the ranges of kernels to their values; the toolkit starts at -6 and 6."""
    if isinstance(layer, quantization.QuantizeWrapperV2):
        for weight, quantizer, variables in layer._weight_vars:
            quantizer(weight, True, variables)


def _must_fold(layer, batch_norm):
    """TFLite folds batch norm after Conv2D, DepthwiseConv2D and Dense by itself."""
    dilated = any(rate != 1 for rate in getattr(layer, "dilation_rate", ()))
    return dilated or not isinstance(
        layer, (layers.Conv2D, layers.DepthwiseConv2D, layers.Dense)
    )


class _Plan:
    """Where the quantisers of one model stand."""

    def __init__(self, model):
        folded = fold.pairs(model)
        self.beside_batch_norm = {id(layer) for layer, _ in folded}
        self.after_weights = {id(batch_norm) for _, batch_norm in folded}
        self.next = _sole_readers(model)

    def inputs(self, input_range):
        """Returns the function that quantizes an input tensor."""
        low, high = input_range

        def quantized(tensor):
            return _fixed(low, high, f"{tensor.node.layer.name}_range")(tensor)

        return quantized

    def layers(self, operation, name, args):
        """Returns the tf_keras layers of an operation, quantisers included."""
        if not isinstance(operation, layers.Layer):
            return self._operation(operation, name, args)
        if isinstance(operation, layers.Activation):
            activation = keras.activations.serialize(operation.activation)
            return self._activation(operation, name, activation, first=True)
        if isinstance(operation, WEIGHTED):
            return self._weighted(operation, name)
        if isinstance(operation, layers.BatchNormalization):
            if id(operation) not in self.after_weights:
                raise _unquantizable(operation, name, "no convolution right before it")
            return [bridge.twin(operation, name), *self._range(operation, name)]
        if isinstance(operation, layers.Rescaling):
            return self._affine(operation, name, operation.scale, operation.offset)
        if isinstance(operation, layers.Normalization):
            affine = bridge.twin(operation, name)
            return self._affine(operation, name, affine.scale, affine.offset)
        if type(operation) in TRANSPARENT:
            return [bridge.twin(operation, name)]
        if type(operation) in RANGED:
            return [bridge.twin(operation, name), *self._range(operation, name)]
        raise _unquantizable(operation, name)

    def _operation(self, operation, name, args):
        kind = type(operation).__name__
        if kind in OPERATION_ACTIVATIONS:
            activation = OPERATION_ACTIVATIONS[kind]
            return self._activation(operation, name, activation, first=True)
        twin = bridge.twin(operation, name, args)
        if kind in ("Reshape", "Softmax"):
            return [twin]
        if kind == "Subtract" and isinstance(twin, bridge.Affine):
            return self._affine(operation, name, twin.scale, twin.offset)
        if kind in RANGED_OPERATIONS:
            return [twin, *self._range(operation, name)]
        raise _unquantizable(operation, name)

    def _weighted(self, operation, name):
        """A kernel, then the range of the sum, then the activation if it is not fused.

        TFLite has ReLU and ReLU6 inside the operator, but for the transposed
        convolution; other activations need a range before them.
        """
        activation = keras.activations.serialize(operation.activation)
        fused = activation in ("relu", "relu6") and _fuses_relu(operation)
        config = {} if fused else {"activation": None}
        twins = [bridge.twin(fold.copy_layer(operation, **config), name)]
        if isinstance(operation, layers.SeparableConv2D):
            twins = self._separated(operation, name, twins[0])
        *first, last = [
            quantization.QuantizeWrapperV2(x, KernelConfig())
            if not isinstance(x, QuantizeLayer)
            else x
            for x in twins
        ]
        if fused or activation == "linear":
            return [*first, last, *self._range(operation, name)]
        return [*first, last, _range(name),
                *self._activation(operation, name, activation)]  # fmt: skip

    def _separated(self, operation, name, twin):
        """A SeparableConv2D rounds between its two convolutions: here they are two."""
        config = twin.get_config()
        part = bridge.depthwise_part(name)
        keys = (
            "kernel_size",
            "strides",
            "padding",
            "dilation_rate",
            "depth_multiplier",
        )
        depthwise = tf_keras.layers.DepthwiseConv2D(
            use_bias=False, name=part, **{key: config[key] for key in keys}
        )
        pointwise = tf_keras.layers.Conv2D(
            config["filters"], 1, activation=twin.activation,
            use_bias=config["use_bias"], name=name,
        )  # fmt: skip
        return [depthwise, _range(part), pointwise]

    def _activation(self, operation, name, activation, first=False):
        """An activation with what TFLite makes of it; `first`: it is a layer by itself.

        Hard sigmoid is two integer operators there: relu6(x + 3), then the sixth.
        """
        if activation not in ACTIVATIONS:
            raise _unquantizable(operation, name, f"activation {activation}")
        own = name if first else f"{name}_{activation}"
        if activation == "hard_sigmoid":
            return [
                bridge.Affine(offset=3.0, name=f"{own}_shifted"),
                tf_keras.layers.ReLU(6.0, name=own),
                _range(f"{own}_shifted"),
                bridge.Affine(1.0 / 6.0, name=f"{own}_scaled"),
                *self._range(operation, own),
            ]
        twin = bridge.twin(layers.Activation(activation), own)
        if activation in FIXED_RANGES:
            return [twin, _fixed(*FIXED_RANGES[activation], f"{own}_range")]
        if activation in ("linear", "softmax"):
            return [twin]
        return [twin, *self._range(operation, own)]

    def _affine(self, operation, name, scale, offset):
        """A scale and a shift are two integer operators, each with its range."""
        parts = []
        if np.any(np.asarray(scale) != 1):
            parts.append(bridge.Affine(scale, name=name))
        if np.any(np.asarray(offset) != 0):
            part = f"{name}_shift" if parts else name
            if parts:
                parts.append(_range(name))
            parts.append(bridge.Affine(offset=offset, name=part))
            return [*parts, *self._range(operation, part)]
        if not parts:
            return [tf_keras.layers.Identity(name=name)]
        return [*parts, *self._range(operation, name)]

    def _range(self, operation, name):
        """Returns the quantiser after an operation; none where TFLite does not round.

        It does not between a convolution and its batch norm, nor before a ReLU that it
        fuses; what only a concatenation reads takes the concatenation's range.
        """
        reader = self.next.get(id(operation))
        if id(operation) in self.beside_batch_norm:
            return []
        if _is_fused_relu(reader) and _fuses_relu(operation):
            return []
        if _is_concatenation(reader):
            return []
        return [_range(name)]


def _range(name):
    return QuantizeLayer(ActivationQuantizer(), name=f"{name}_range")


def _fixed(low, high, name):
    quantizer = quantization.quantizers.FixedQuantizer(
        8, init_min=low, init_max=high, narrow_range=False
    )
    return QuantizeLayer(quantizer, name=name)


def _sole_readers(model):
    """Returns {id of an operation: the only operation that reads it, where it is one}.

    Operations that are called twice, or whose output leaves a model, are left out.
    """
    consumers, calls = functional.consumers(model), functional.calls(model)
    readers = {}
    opened = set()
    for node in functional.nodes(model):
        if isinstance(node.operation, keras.Model):
            if id(node.operation) not in opened:
                opened.add(id(node.operation))
                readers |= _sole_readers(node.operation)
            continue
        for tensor in node.input_tensors:
            source = tensor._keras_history.operation
            if (
                consumers[id(tensor)]
                == calls[id(source)]
                == calls[id(node.operation)]
                == 1
            ):
                readers[id(source)] = node.operation
    return readers


def _is_fused_relu(operation):
    if isinstance(operation, layers.ReLU):
        slope, limit = operation.negative_slope, operation.max_value
        return not slope and not operation.threshold and limit in (None, 6)
    if isinstance(operation, layers.Activation):
        return keras.activations.serialize(operation.activation) in FUSED
    return type(operation).__name__ in ("Relu", "Relu6")


def _fuses_relu(operation):
    """Tells whether TFLite's operator for it has room for a ReLU after it."""
    if isinstance(operation, layers.Layer):
        sums = (layers.BatchNormalization, layers.Add, layers.Subtract)
        transposed = isinstance(operation, layers.Conv2DTranspose)
        return isinstance(operation, (*WEIGHTED, *sums)) and not transposed
    return type(operation).__name__ in ("Add", "Subtract")


def _is_concatenation(operation):
    return type(operation).__name__ == "Concatenate"


def _unquantizable(operation, name, detail=None):
    kind = type(operation).__name__
    what = f"{kind}, {detail}" if detail else kind
    return ValueError(
        f"layer {name!r} ({what}) cannot be trained with int8 rounding: replace the "
        "layer, or quantize after training."
    )
