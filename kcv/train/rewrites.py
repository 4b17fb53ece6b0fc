"""Keeps TensorFlow from a rewrite of graphs that crashes some training steps."""

import tensorflow as tf


def avoid_crash_after_grouped_convolutions(model):
    """Switches the rewrite off for this process, if the model has such convolutions.

    On a CPU, Keras compiles a grouped convolution with XLA, whose output has no shape
    in the graph around it. TensorFlow's remapping fuses the convolution after it with
    bias and ReLU, asks for that shape, and aborts the process (TensorFlow 2.21). Other
    models keep the rewrite.

    Args:
        model: any Keras model, also of `tf_keras`.
    """
    layers = [getattr(layer, "layer", layer) for layer in model._flatten_layers()]
    if any(getattr(layer, "groups", 1) > 1 for layer in layers):
        tf.config.optimizer.set_experimental_options({"remapping": False})
