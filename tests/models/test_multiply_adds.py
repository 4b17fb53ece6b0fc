import keras
import pytest
from keras import layers

from kcv.layers.attention import Attention
from kcv.layers.group_convolution import GroupConvolution
from kcv.models.multiply_adds import multiply_adds

LAYERS = {  # on an 8x6 map of 4 channels: (layer, multiply-adds by hand)
    "conv": (layers.Conv2D(5, 3, padding="same"), 8 * 6 * 3 * 3 * 4 * 5),
    "valid": (layers.Conv2D(5, 3), 6 * 4 * 3 * 3 * 4 * 5),
    "strided": (layers.Conv2D(5, 3, 2, padding="same"), 4 * 3 * 3 * 3 * 4 * 5),
    "grouped": (layers.Conv2D(6, 3, groups=2, padding="same"), 8 * 6 * 9 * 2 * 6),
    "depthwise": (layers.DepthwiseConv2D(3, padding="same"), 8 * 6 * 9 * 4),
    "multiplier": (layers.DepthwiseConv2D(1, depth_multiplier=2), 8 * 6 * 8),
    "separable": (layers.SeparableConv2D(5, 3), 6 * 4 * (9 * 4 + 4 * 5)),
    "transposed": (layers.Conv2DTranspose(5, 2, 2), 8 * 6 * 4 * 4 * 5),
    "dense": (layers.Dense(7), 8 * 6 * 4 * 7),
    "batch norm": (layers.BatchNormalization(), 0),
    "layer norm": (layers.LayerNormalization(), 0),
    "pool": (layers.MaxPooling2D(), 0),
    "asked": (GroupConvolution(5, 3, lifting=True), 6 * 4 * 3 * 3 * 4 * (4 * 5)),
}


@pytest.mark.parametrize("kind", LAYERS)
def test_one_layer_by_hand(kind):
    layer, expected = LAYERS[kind]
    images = keras.Input((8, 6, 4))
    assert multiply_adds(keras.Model(images, layer(images))) == expected


def test_layer_of_several_inputs_is_asked():
    """Attention of 5 tokens of width 6: queries with keys, then maps with values."""
    inputs = [keras.Input((5, 6)) for _ in range(3)]
    attended, _ = Attention(2)(inputs)
    assert multiply_adds(keras.Model(inputs, attended)) == 2 * 5 * 5 * 6


def test_twice_and_inside():
    """A layer called twice counts twice, and so does a model inside a model."""
    images = keras.Input((8, 6, 4))
    conv = layers.Conv2D(4, 1)
    inner = keras.Model(images, conv(conv(images)))
    assert multiply_adds(inner) == 2 * 8 * 6 * 16
    outer = keras.Input((8, 6, 4))
    assert multiply_adds(keras.Model(outer, inner(inner(outer)))) == 4 * 8 * 6 * 16


def test_unknown_kinds_and_open_sizes_are_refused():
    images = keras.Input((8, 6, 4))
    prelu = keras.Model(images, layers.PReLU(name="p")(images))
    with pytest.raises(ValueError, match="cannot count .* 'p', a PReLU"):
        multiply_adds(prelu)
    images = keras.Input((None, None, 4))
    with pytest.raises(ValueError, match="'c' has no fixed output size"):
        multiply_adds(keras.Model(images, layers.Conv2D(4, 1, name="c")(images)))
