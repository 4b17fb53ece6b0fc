"""What rounds: activations, kernels, and where a layer keeps its kernel.

In the form that tensorflow-model-optimization's wrappers take.
"""

import numpy as np
import tensorflow as tf
import tf_keras

from kcv.export.interpreter import HALF
from kcv.export.tfmot import quant_ops, quantization


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
class PixelQuantizer(quantization.quantizers.FixedQuantizer):
    """Rounds an input to 256 levels between two numbers, all pixels the same way.

    Pixels of [-1, 1] lie halfway between two levels, where errors of 1e-7 decide which
    is taken, in smooth areas to and fro. A device gives pixel p as level p; here they
    are moved towards that one a little first. While `exporting` they are not: what the
    file is given are levels.
    """

    exporting = False

    def __init__(self, low, high):
        self.low, self.high = low, high
        step = (high - low) / 255
        # Zero is a level, so the others lie up to half a step beside the pixels.
        exact = -low / step
        zero_point = np.clip(np.floor(exact + 0.5 + HALF), 0, 255)
        lowest = -float(zero_point) * step
        super().__init__(8, lowest, lowest + 255 * step, narrow_range=False)
        beside = zero_point - exact
        self._shift = -HALF * step * np.sign(beside) if abs(beside) > 0.25 else 0.0

    def __call__(self, inputs, training, weights, **kwargs):  # noqa: D102
        if not self.exporting:
            inputs = inputs + self._shift
        return super().__call__(inputs, training, weights, **kwargs)

    def get_config(self):  # noqa: D102
        return {"low": self.low, "high": self.high}


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


def start_weight_ranges(layer):
    """Sets the ranges of kernels to their values; the toolkit starts at -6 and 6."""
    if isinstance(layer, quantization.QuantizeWrapperV2):
        for weight, quantizer, variables in layer._weight_vars:
            quantizer(weight, True, variables)
