"""The activations by their names, each as a layer.

The piecewise linear ones were made for depth: their slope is 1 wherever they are on.
"""

from keras import layers

from kcv.layers.maxout import Maxout

# Name -> function (name of the layer) -> layer. Maxout halves the channels.
ACTIVATIONS = {
    "sigmoid": lambda name: layers.Activation("sigmoid", name=name),
    "tanh": lambda name: layers.Activation("tanh", name=name),
    "relu": lambda name: layers.ReLU(name=name),
    "leaky_relu": lambda name: layers.LeakyReLU(0.1, name=name),
    "elu": lambda name: layers.ELU(name=name),
    "maxout": lambda name: Maxout(2, name=name),
}


def activation_layer(activation, name=None):
    """Returns a layer for a name.

    Args:
        activation: a key of ACTIVATIONS.
        name: of the layer.

    Raises:
        ValueError: if the name is unknown.
    """
    if activation not in ACTIVATIONS:
        raise ValueError(
            f"no activation {activation!r}; known: {', '.join(ACTIVATIONS)}"
        )
    return ACTIVATIONS[activation](name)
