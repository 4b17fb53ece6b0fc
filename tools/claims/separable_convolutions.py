"""Depthwise separable convolutions cost much less and lose little.

Paper: A. Howard et al., "MobileNets: Efficient Convolutional Neural Networks for Mobile
Vision Applications", 2017, section 3.1 and Table 4, https://arxiv.org/abs/1704.04861

Measured: two networks of the same widths, one of 3 x 3 convolutions and one of 3 x 3
depthwise and 1 x 1 pointwise convolutions, each with batch normalisation and ReLU:
multiply-adds, parameters and the accuracy on the test digits of 8 x 8 pixels after 200
steps of Adam. And, without training, the multiply-adds and parameters of MobileNet at
224 pixels with and without separable convolutions, which Table 4 gives: 569 and 4866
million, 4.2 and 29.3 million.

It holds if the full network takes at least five times the multiply-adds and the
separable one loses no more than two points of accuracy in the mean; the paper has a
factor of 8.6 and 1.1 points on ImageNet.
"""

import keras
from keras import layers
from matplotlib.ticker import PercentFormatter

from kcv.layers.batch_norm import batch_norm
from kcv.models.classification.mobilenet_v1 import BLOCKS
from kcv.models.multiply_adds import multiply_adds
from kcv.tools.claims import digits_runs, network_runs
from kcv.tools.claims.over_seeds import dots, of, told
from kcv.viz import style

CLAIM = (
    "At the same widths, depthwise separable convolutions take several times fewer "
    "multiply-adds than full ones and lose little accuracy."
)
IDS = ("C14", "C08")

KINDS = ("full", "separable")
DIGIT_BLOCKS = ((64, 1), (128, 2), (128, 1))  # (filters, strides)
STEPS, BATCH_SIZE = 200, 32
FEWER_TIMES, POINTS = 5, 0.02


def network(kind, size, channels, classes, stem, blocks):
    """Builds the network; the stem is a full convolution in both kinds.

    Args:
        kind: "full" or "separable".
        size: height and width of the images.
        channels: of the images.
        classes: of the last layer.
        stem: (filters, strides).
        blocks: (filters, strides) of each convolution or pair of them.
    """
    images = keras.Input((size, size, channels), name="images")
    x = _conv(images, stem[0], 3, stem[1], "stem")
    for i, (filters, strides) in enumerate(blocks, start=1):
        if kind == "full":
            x = _conv(x, filters, 3, strides, f"block{i}")
        else:
            x = layers.DepthwiseConv2D(3, strides, padding="same", use_bias=False,
                                       name=f"block{i}_depthwise")(x)  # fmt: skip
            x = layers.ReLU()(batch_norm(f"block{i}_depthwise_bn")(x))
            x = _conv(x, filters, 1, 1, f"block{i}_pointwise")
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    x = layers.Dense(classes, activation="softmax", name="predictions")(x)
    return keras.Model(images, x, name=kind)


def _conv(x, filters, kernel_size, strides, name):
    x = layers.Conv2D(
        filters, kernel_size, strides, padding="same", use_bias=False, name=name
    )(x)
    return layers.ReLU(name=f"{name}_relu")(batch_norm(f"{name}_bn")(x))


def run(seed, steps=STEPS):
    """Returns costs, accuracies and the costs of the paper's networks."""
    images, labels = digits_runs.digits("train")
    test_images, test_labels = digits_runs.digits("test")
    found = {}
    for kind in KINDS:
        arguments = (kind, 8, 1, 10, (32, 1), DIGIT_BLOCKS)
        model = network_runs.fresh(seed, network, network_runs.adam, *arguments)
        digits_runs.train(model, 2 * images - 1, labels, steps, BATCH_SIZE, seed)
        error = digits_runs.error(model, 2 * test_images - 1, test_labels)
        found[f"{kind}_accuracy"] = 1 - error
        found[f"{kind}_multiply_adds"] = float(multiply_adds(model))
        found[f"{kind}_parameters"] = float(model.count_params())
        paper = network(kind, 224, 3, 1000, (32, 2), BLOCKS)
        found[f"{kind}_mobilenet_multiply_adds"] = float(multiply_adds(paper))
        found[f"{kind}_mobilenet_parameters"] = float(paper.count_params())
    return found


def verdict(runs):
    """Holds if it is FEWER_TIMES cheaper and loses no more than POINTS."""
    full, separable = (of(runs, f"{kind}_accuracy") for kind in KINDS)
    lost = (sum(full) - sum(separable)) / len(runs)
    holds = _times(runs, "multiply_adds") >= FEWER_TIMES and lost <= POINTS
    return holds, (
        f"The full convolutions take {_times(runs, 'multiply_adds'):.1f} times the "
        f"multiply-adds and {_times(runs, 'parameters'):.1f} times the parameters (in "
        f"MobileNet {_times(runs, 'mobilenet_multiply_adds'):.1f} and "
        f"{_times(runs, 'mobilenet_parameters'):.1f} times); accuracy "
        f"{told(full, '.1%')} of the full and {told(separable, '.1%')} of the "
        f"separable ones."
    )


def _times(runs, what):
    full, separable = (runs[0][f"{kind}_{what}"] for kind in KINDS)
    return full / separable


def draw(runs, path):
    """Bars of the costs and of the accuracies."""
    colors = (style.ORANGE, style.BLUE)
    with style.looks():
        figure = style.figure(11, 2.6)
        for axis, (what, title, form, scale) in zip(
            figure.subplots(1, 3),
            (
                ("multiply_adds", "multiply-adds, millions", ".2f", 1e6),
                ("parameters", "parameters, thousands", ".0f", 1e3),
                ("accuracy", "test accuracy", ".1%", 1),
            ),
        ):
            groups = [[v / scale for v in of(runs, f"{kind}_{what}")] for kind in KINDS]
            dots(axis, KINDS, groups, colors, form)
            axis.set_title(title)
            if scale == 1:
                axis.xaxis.set_major_formatter(PercentFormatter(1))
        return style.save(figure, path)
