"""Grouped convolutions as plain ones, for training on a CPU.

TensorFlow has no gradient of a grouped convolution on a CPU, so Keras compiles it with
XLA, which takes minutes for a deep network and is slow afterwards; and the convolution
behind it can abort the process (TensorFlow 2.21, where a graph rewrite wants a shape
that is lost there). A plain convolution whose kernel is zero between the groups gives
the same answers and gradients.
"""

import contextlib
import functools

import numpy as np
import tensorflow as tf


@contextlib.contextmanager
def training_grouped_convolutions(model):
    """While it is open, 2-D convolutions in groups run as plain ones, on a CPU.

    Args:
        model: of Keras or tf_keras; its layers are as they were afterwards.
    """
    grouped = []
    if not tf.config.list_physical_devices("GPU"):
        grouped = [x for x in model._flatten_layers() if _is_grouped(x)]
    for layer in grouped:
        object.__setattr__(layer, _method(layer), functools.partial(_plain, layer))
    try:
        yield
    finally:
        for layer in grouped:
            vars(layer).pop(_method(layer))


def _is_grouped(layer):
    return getattr(layer, "groups", 1) > 1 and getattr(layer, "rank", 0) == 2


def _method(layer):
    """The name of what the layer calls with (inputs, kernel)."""
    jit = "_jit_compiled_convolution_op"  # of tf_keras, for groups
    return jit if hasattr(layer, jit) else "convolution_op"


def _plain(layer, inputs, kernel):
    """The convolution of all channels, (h, w, channels, filters)."""
    _, _, channels, filters = kernel.shape  # channels of one group
    of_input = np.repeat(np.arange(layer.groups), channels)
    of_filter = np.repeat(np.arange(layer.groups), filters // layer.groups)
    same = tf.constant(of_input[:, None] == of_filter)
    kernel = tf.tile(tf.convert_to_tensor(kernel), (1, 1, layer.groups, 1))
    return tf.nn.conv2d(
        inputs,
        tf.cast(kernel, inputs.dtype) * tf.cast(same, inputs.dtype),
        layer.strides,
        layer.padding.upper(),
        dilations=layer.dilation_rate,
    )
