"""Counts multiply-adds, the measure of work in the papers of small networks."""

import math

import keras
from keras import layers

from kcv.layers.class_token import ClassToken
from kcv.layers.position_embedding import PositionEmbedding

# They scale, shift or join what is there: no sum of products.
_COST_NOTHING = (
    layers.BatchNormalization
    | layers.LayerNormalization
    | layers.GroupNormalization
    | ClassToken
    | PositionEmbedding
)


def multiply_adds(model):
    """Returns the multiply-adds of one image through a model of fixed input size.

    As in the MobileNet papers, one multiplication with one addition is one, and only
    convolutions, dense layers and the matrix products of attention count: not biases,
    batch normalisation (it folds into the convolution before it), other normalisations,
    activations, pooling or additions. A layer that is called twice counts twice. A
    layer of one's own that has a method `multiply_adds(input_shape)` is asked; with
    several inputs it gets a list.

    Args:
        model: functional `keras.Model` with fixed height and width.

    Returns:
        An int.

    Raises:
        ValueError: if a size is not fixed or a layer is of a kind it cannot count.
    """
    return sum(
        _of_call(node.operation, node.input_tensors, node.output_tensors)
        for node in _calls(model)
    )


def _calls(model):
    nodes = [node for nodes in model._nodes_by_depth.values() for node in nodes]
    return [node for node in nodes if not node.is_input]


def _of_size(model, inputs):
    """A model of any size at the size of one call; its weights have no values."""
    if all(None not in x.shape[1:] for x in model.inputs):
        return model
    fixed = [
        keras.Input(x.shape[1:], name=own.name) for own, x in zip(model.inputs, inputs)
    ]
    fixed = keras.tree.pack_sequence_as(model.input, fixed)
    with keras.StatelessScope(initialize_variables=False):
        return keras.models.clone_model(model, input_tensors=fixed)


def _of_call(layer, inputs, outputs):
    if hasattr(layer, "multiply_adds"):
        shapes = [x.shape for x in inputs]
        return layer.multiply_adds(shapes if len(shapes) > 1 else shapes[0])
    if not layer.weights or isinstance(layer, _COST_NOTHING):
        return 0
    if hasattr(layer, "_nodes_by_depth"):  # a model inside the model
        return multiply_adds(_of_size(layer, inputs))
    shape = outputs[0].shape[1:]
    if None in shape:
        raise ValueError(f"layer {layer.name!r} has no fixed output size: {shape}")
    positions = math.prod(shape[:-1])
    if isinstance(layer, layers.SeparableConv2D):
        depthwise, pointwise = layer.depthwise_kernel, layer.pointwise_kernel
        return positions * (math.prod(depthwise.shape) + math.prod(pointwise.shape))
    if isinstance(layer, layers.Conv2DTranspose):  # the kernel meets each input
        return math.prod(inputs[0].shape[1:-1]) * math.prod(layer.kernel.shape)
    # The kernel's size is what one position costs, in a grouped convolution too:
    # (height, width, channels / groups, filters).
    if isinstance(layer, layers.DepthwiseConv2D | layers.Conv2D | layers.Dense):
        return positions * math.prod(layer.kernel.shape)
    raise ValueError(
        f"cannot count the multiply-adds of layer {layer.name!r}, a "
        f"{type(layer).__name__}: add its kind to kcv.models.multiply_adds"
    )
