"""LeNet: the first convolutional networks trained by back-propagation.

Papers: Y. LeCun et al., "Backpropagation Applied to Handwritten Zip Code Recognition",
1989, https://doi.org/10.1162/neco.1989.1.4.541 (`lenet_1989`);
Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-Based Learning Applied to Document
Recognition", 1998, https://doi.org/10.1109/5.726791 (`lenet5`, `lenet5_1998`).

Differs from the papers: softmax outputs in place of ten tanh units (1989) and of
fixed radial basis functions (1998). `lenet_1989` has one bias a map, not one a unit:
8,824 parameters, and 756 + 180 biases more make the paper's 9,760; the border is zero,
not -1; the paper keeps back which 8 maps each H2 map sees, here they are two of three
groups of four. `lenet5` is the form that most code bases call LeNet-5: C3 sees every
map, subsampling has no parameters; `lenet5_1998` has the paper's Table I and trainable
subsampling.
"""

import keras
from keras import layers

from kcv.models.image_input import image_input
from kcv.models.weights import load_weights

# Table I of 1998: the S2 maps that each of the 16 maps of C3 sees.
C3_MAPS = (
    (0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (0, 4, 5), (0, 1, 5),
    (0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5), (0, 3, 4, 5), (0, 1, 4, 5), (0, 1, 2, 5),
    (0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5),
    (0, 1, 2, 3, 4, 5),
)  # fmt: skip


def lenet_1989(
    input_shape=(16, 16, 1), classes=10, classifier_activation="softmax", weights=None
):
    """Builds the network of 1989, Figure 3: H1, H2, H3 and the output.

    Args:
        input_shape: (height, width, channels) of one image, at least 4x4.
        classes: size of the last layer.
        classifier_activation: "softmax" for probabilities, None for logits.
        weights: None or the path of a weight file; see `load_weights`.

    Returns:
        A model from images, float32 (batch, height, width, channels) in [-1, 1], to
        float32 (batch, classes). It has 8,824 parameters at the defaults.
    """
    images = image_input(input_shape, minimum=4)
    x = lenet_1989_features(images)["C2"]
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(30, activation="tanh", name="H3")(x)
    x = layers.Dense(classes, activation=classifier_activation, name="predictions")(x)
    model = keras.Model(images, x, name="lenet_1989")
    load_weights(model, weights)
    return model


def lenet_1989_features(images):
    """Maps images to {"C1": H1, "C2": H2}, 12 maps each, at strides 2 and 4."""
    h1 = {group: _conv4(images, name=f"H1_{group}") for group in "abc"}
    h1 = {k: layers.Activation("tanh", name=f"H1_{k}_tanh")(x) for k, x in h1.items()}
    h2 = []
    for i, j in ("ab", "bc", "ac"):
        x = _conv4(h1[i], name=f"H2_{i}{j}_{i}")
        y = _conv4(h1[j], use_bias=False, name=f"H2_{i}{j}_{j}")
        h2.append(layers.Add(name=f"H2_{i}{j}")([x, y]))
    h2 = layers.Concatenate(name="H2")(h2)
    return {
        "C1": layers.Concatenate(name="H1")(list(h1.values())),
        "C2": layers.Activation("tanh", name="H2_tanh")(h2),
    }


def _conv4(x, name, use_bias=True):
    return layers.Conv2D(4, 5, strides=2, padding="same", use_bias=use_bias, name=name)(
        x
    )


def lenet5(
    input_shape=(28, 28, 1),
    classes=10,
    classifier_activation="softmax",
    weights=None,
    activation="tanh",
):
    """Builds LeNet-5 as it is usually drawn: conv, pool, conv, pool and three dense.

    Args:
        input_shape: (height, width, channels) of one image, at least 12x12. C1 pads by
            two pixels: the paper's 32x32 input is a 28x28 image with this border.
        classes: size of the last layer.
        classifier_activation: "softmax" for probabilities, None for logits.
        weights: None or the path of a weight file; see `load_weights`.
        activation: of all hidden layers.

    Returns:
        A model from images, float32 (batch, height, width, channels), ink 1.175 on
        paper -0.1, to float32 (batch, classes). It has 61,706 parameters at the
        defaults.
    """
    images = image_input(input_shape, minimum=12)
    x = lenet5_features(images, activation)["C2"]
    return _lenet5_head("lenet5", images, x, classes, classifier_activation, weights,
                        activation)  # fmt: skip


def lenet5_features(images, activation="tanh"):
    """Maps images to {"C1": S2, "C2": S4}, 6 and 16 maps, at strides 2 and 4."""
    x = layers.Conv2D(6, 5, padding="same", activation=activation, name="C1")(images)
    s2 = layers.AveragePooling2D(2, name="S2")(x)
    x = layers.Conv2D(16, 5, activation=activation, name="C3")(s2)
    return {"C1": s2, "C2": layers.AveragePooling2D(2, name="S4")(x)}


def lenet5_1998(
    input_shape=(28, 28, 1), classes=10, classifier_activation="softmax", weights=None
):
    """Builds LeNet-5 layer by layer as section II.B has it.

    Args:
        input_shape: as for `lenet5`.
        classes: size of the last layer.
        classifier_activation: "softmax" for probabilities, None for logits.
        weights: None or the path of a weight file; see `load_weights`.

    Returns:
        A model like `lenet5`. Up to F6 it has the paper's 60,000 trainable parameters:
        C1 156, S2 12, C3 1,516, S4 32, C5 48,120, F6 10,164. The softmax adds 850.
    """
    images = image_input(input_shape, minimum=12)
    x = lenet5_1998_features(images)["C2"]
    return _lenet5_head("lenet5_1998", images, x, classes, classifier_activation,
                        weights, "tanh")  # fmt: skip


def lenet5_1998_features(images):
    """Maps images to {"C1": S2, "C2": S4}, 6 and 16 maps, at strides 2 and 4."""
    s2 = []  # map by map: Table I picks from them
    for i in range(6):
        x = layers.Conv2D(1, 5, padding="same", activation="tanh", name=f"C1_{i}")
        s2.append(_subsample(x(images), name=f"S2_{i}"))
    c3 = []
    for i, maps in enumerate(C3_MAPS):
        # A sum of convolutions, one of them with the bias: the int8 converter cannot
        # give a map that enters several concatenations one scale. Two at a time, for
        # every sum has a scale of its own.
        first, *rest = maps
        x = layers.Conv2D(1, 5, name=f"C3_{i}_{first}")(s2[first])
        for j in rest:
            y = layers.Conv2D(1, 5, use_bias=False, name=f"C3_{i}_{j}")(s2[j])
            x = layers.Add(name=f"C3_{i}_{j}_sum")([x, y])
        c3.append(x)
    x = layers.Activation("tanh", name="C3_tanh")(layers.Concatenate(name="C3")(c3))
    return {"C1": layers.Concatenate(name="S2")(s2), "C2": _subsample(x, name="S4")}


def _subsample(x, name):
    """Mean of 2x2 units, times a trainable coefficient, plus a trainable bias."""
    x = layers.AveragePooling2D(2, name=f"{name}_mean")(x)
    return layers.DepthwiseConv2D(1, activation="tanh", name=name)(x)


def _lenet5_head(name, images, x, classes, classifier_activation, weights, activation):
    """C5 is a 5x5 convolution on 5x5 maps, so a dense layer; F6 and the output."""
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(120, activation=activation, name="C5")(x)
    x = layers.Dense(84, activation=activation, name="F6")(x)
    x = layers.Dense(classes, activation=classifier_activation, name="predictions")(x)
    model = keras.Model(images, x, name=name)
    load_weights(model, weights)
    return model
