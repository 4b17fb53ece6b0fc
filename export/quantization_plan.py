"""Where a TFLite file rounds: the quantisers of every layer of a model.

The toolkit's own `quantize_apply` places them by patterns of layer classes, which miss
squeeze-and-excitation, hard swish, ReLU6 in a layer, dilated
convolutions; here they are placed along the graph.
"""

import keras
import numpy as np
import tf_keras
from keras import layers

from kcv.export import fold, functional, quantizers, twins
from kcv.export.tfmot import QuantizeLayer, quantization
from kcv.layers.pad_channels import PadChannels

# Layers with a kernel in 8 bits.
WEIGHTED = (
    layers.Conv2D,
    layers.DepthwiseConv2D,
    layers.SeparableConv2D,
    layers.Dense,
)

# Layers that write the very levels they read; a softmax has a fixed range in TFLite.
TRANSPARENT = (
    layers.Cropping2D, layers.Dropout, layers.Flatten, layers.GaussianDropout,
    layers.GaussianNoise, layers.GlobalMaxPooling2D, layers.Identity,
    layers.InputLayer, layers.MaxPooling2D, layers.Permute, layers.RepeatVector,
    layers.Reshape, layers.Softmax, layers.SpatialDropout2D, layers.ZeroPadding2D,
    PadChannels,
)  # fmt: skip

# Layers whose output has a range of its own.
RANGED = (
    layers.Add, layers.AveragePooling2D, layers.Concatenate,
    layers.GlobalAveragePooling2D, layers.LeakyReLU, layers.Maximum, layers.Minimum,
    layers.Multiply, layers.PReLU, layers.ReLU, layers.Resizing, layers.Subtract,
    layers.UpSampling2D,
)  # fmt: skip

MERGES = (layers.Add, layers.Maximum, layers.Minimum, layers.Multiply)

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


def must_fold(layer, batch_norm):
    """TFLite folds batch norm after Conv2D, DepthwiseConv2D and Dense by itself."""
    dilated = any(rate != 1 for rate in getattr(layer, "dilation_rate", ()))
    return dilated or not isinstance(
        layer, (layers.Conv2D, layers.DepthwiseConv2D, layers.Dense)
    )


class Plan:
    """Where the quantisers of one model stand."""

    def __init__(self, model):
        folded = fold.pairs(model)
        self.beside_batch_norm = {id(layer) for layer, _ in folded}
        self.after_weights = {id(batch_norm) for _, batch_norm in folded}
        self.next = _sole_readers(model)

    def inputs(self, input_range):
        """Returns the function that quantizes an input tensor."""

        def quantized(tensor):
            name = f"{tensor.node.layer.name}_range"
            return QuantizeLayer(quantizers.PixelQuantizer(*input_range), name=name)(
                tensor
            )

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
            return [twins.twin(operation, name), *self._range(operation, name)]
        if isinstance(operation, layers.Rescaling):
            return self._affine(operation, name, operation.scale, operation.offset)
        if isinstance(operation, layers.Normalization):
            affine = twins.twin(operation, name)
            return self._affine(operation, name, affine.scale, affine.offset)
        if type(operation) in TRANSPARENT:
            return [twins.twin(operation, name)]
        if type(operation) in MERGES and len(keras.tree.flatten(args)) > 2:
            # TFLite makes a chain of it, and the sums in between would have no range.
            raise _unquantizable(operation, name, "of more than two inputs")
        if type(operation) in RANGED:
            return [twins.twin(operation, name), *self._range(operation, name)]
        raise _unquantizable(operation, name)

    def _operation(self, operation, name, args):
        kind = type(operation).__name__
        if kind in OPERATION_ACTIVATIONS:
            activation = OPERATION_ACTIVATIONS[kind]
            return self._activation(operation, name, activation, first=True)
        twin = twins.twin(operation, name, args)
        if kind in ("Reshape", "Softmax"):
            return [twin]
        if kind == "Subtract" and isinstance(twin, twins.Affine):
            return self._affine(operation, name, twin.scale, twin.offset)
        if kind in RANGED_OPERATIONS:
            return [twin, *self._range(operation, name)]
        raise _unquantizable(operation, name)

    def _weighted(self, operation, name):
        """A kernel, then the range of the sum, then the activation if it is not fused.

        TFLite has ReLU and ReLU6 inside the operator; other activations need a range
        before them.
        """
        activation = keras.activations.serialize(operation.activation)
        fused = activation in ("relu", "relu6") and _fuses_relu(operation)
        config = {} if fused else {"activation": None}
        parts = [twins.twin(fold.copy_layer(operation, **config), name)]
        if isinstance(operation, layers.SeparableConv2D):
            parts = self._separated(operation, name, parts[0])
        *first, last = [
            quantization.QuantizeWrapperV2(x, quantizers.KernelConfig())
            if not isinstance(x, QuantizeLayer)
            else x
            for x in parts
        ]
        if fused or activation == "linear":
            return [*first, last, *self._range(operation, name)]
        return [*first, last, _range(name),
                *self._activation(operation, name, activation)]  # fmt: skip

    def _separated(self, operation, name, twin):
        """A SeparableConv2D rounds between its two convolutions: here they are two."""
        config = twin.get_config()
        part = twins.depthwise_part(name)
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
                twins.Affine(offset=3.0, name=f"{own}_shifted"),
                tf_keras.layers.ReLU(6.0, name=own),
                _range(f"{own}_shifted"),
                twins.Affine(1.0 / 6.0, name=f"{own}_scaled"),
                *self._range(operation, own),
            ]
        twin = twins.twin(layers.Activation(activation), own)
        if activation in FIXED_RANGES:
            return [twin, _fixed(*FIXED_RANGES[activation], f"{own}_range")]
        if activation in ("linear", "softmax"):
            return [twin]
        return [twin, *self._range(operation, own)]

    def _affine(self, operation, name, scale, offset):
        """A scale and a shift are two integer operators, each with its range."""
        parts = []
        if np.any(np.asarray(scale) != 1):
            parts.append(twins.Affine(scale, name=name))
        if np.any(np.asarray(offset) != 0):
            part = f"{name}_shift" if parts else name
            if parts:
                parts.append(_range(name))
            parts.append(twins.Affine(offset=offset, name=part))
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
    return QuantizeLayer(quantizers.ActivationQuantizer(), name=f"{name}_range")


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
        return isinstance(operation, (*WEIGHTED, *sums))
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
