"""R-CNN: what a convolutional network says of each warped region proposal.

Paper: R. Girshick, J. Donahue, T. Darrell, J. Malik, "Rich feature hierarchies for
accurate object detection and semantic segmentation", 2014,
https://arxiv.org/abs/1311.2524

Differs from the paper: machines and regressors are dense layers of one graph with the
body, which the authors' code keeps apart. Bodies of small regions, in place of AlexNet
("T-Net") and VGG-16 ("O-Net", version 5), end at the last maps of 4 x 4 pixels or more.
"""

from functools import partial

import keras
from keras import layers

from kcv.models.classification.alexnet import alexnet_features
from kcv.models.classification.cifar_resnet import cifar_resnet_features
from kcv.models.classification.mobilenet_v1 import mobilenet_v1_features
from kcv.models.classification.vgg import vgg_features
from kcv.models.image_input import image_input
from kcv.models.weights import load_weights

SMALLEST_MAP = 4  # pixels: of less, nothing tells where in a region an object lies


def _cifar_resnet20(images, alpha):
    if alpha != 1:
        raise ValueError(f"cifar_resnet20 has no width multiplier, got alpha={alpha}")
    return cifar_resnet_features(images, 20)


BODIES = {  # name -> (images, alpha) -> {"C1": ..., ...}
    "alexnet": lambda images, alpha: alexnet_features(images, alpha=alpha),
    "vgg16": partial(vgg_features, variant="vgg16"),
    "vgg11_bn": partial(vgg_features, variant="vgg11_bn"),
    "mobilenet_v1": mobilenet_v1_features,
    "cifar_resnet20": _cifar_resnet20,
}
SMALLEST_IMAGE = {"alexnet": 67, "cifar_resnet20": 4}  # of all others 32


def rcnn(
    input_shape=(227, 227, 3), classes=20, weights=None, body="alexnet", alpha=1.0,
    units=4096, dropout=0.5,
):  # fmt: skip
    """Builds what is run on every region at test time.

    Args:
        input_shape: (height, width, channels) of a warped region, see
            `kcv.classic.warp`.
        classes: number of classes, without the background.
        weights: None or the path of a weight file; see `load_weights`.
        body: a key of BODIES.
        alpha: width multiplier of the body.
        units: of each of the two hidden dense layers, fc6 and fc7.
        dropout: share of them dropped while training.

    Returns:
        A model from regions, float32 (batch, height, width, channels) in [-1, 1], to
        {"scores": float32 (batch, classes), of linear support vector machines, around
        1 where an object is and -1 where none is, "offsets": float32 (batch, classes,
        4), of `kcv.boxes.coding.decode` from the proposal to the object of each class,
        without variances}.

    Raises:
        ValueError: no such body, or an image too small for it.

    Parameters at the defaults: 57,687,524.
    """
    images = image_input(input_shape, SMALLEST_IMAGE.get(body, 32))
    features = rcnn_features(images, body, alpha, units, dropout)
    scores = layers.Dense(classes, dtype="float32", name="scores")(features["fc7"])
    offsets = layers.Dense(4 * classes, dtype="float32", name="regressors")(
        features["maps"]
    )
    offsets = layers.Reshape((classes, 4), dtype="float32", name="offsets")(offsets)
    model = keras.Model(images, {"scores": scores, "offsets": offsets}, name="rcnn")
    load_weights(model, weights)
    return model


def rcnn_classifier(
    input_shape=(227, 227, 3), classes=20, weights=None, body="alexnet", alpha=1.0,
    units=4096, dropout=0.5,
):  # fmt: skip
    """Builds the network of the fine-tuning of section 2.3; arguments as for `rcnn`.

    Returns:
        A model from regions to the probabilities of the background, first, and of the
        classes, float32 (batch, 1 + classes). Its other layers have the names that
        they have in `rcnn`.
    """
    images = image_input(input_shape, SMALLEST_IMAGE.get(body, 32))
    x = rcnn_features(images, body, alpha, units, dropout)["fc7"]
    x = layers.Dropout(dropout, name="fc7_dropout")(x)
    x = layers.Dense(
        1 + classes, activation="softmax", dtype="float32", name="predictions"
    )(x)
    model = keras.Model(images, x, name="rcnn_classifier")
    load_weights(model, weights)
    return model


def rcnn_features(images, body="alexnet", alpha=1.0, units=4096, dropout=0.5):
    """Maps regions to {"maps": flat, "fc7": (batch, units)}.

    The maps are the body's last ones of 4 x 4 pixels or more, pool5 of the paper, which
    the regressors read; the machines read fc7, after its ReLU.
    """
    if body not in BODIES:
        raise ValueError(f"no body {body!r}; known: {', '.join(BODIES)}")
    maps = BODIES[body](images, alpha=alpha)
    large = [x for x in maps.values() if min(x.shape[1:3]) >= SMALLEST_MAP]
    if not large:
        raise ValueError(
            f"regions of {images.shape[1:3]} pixels leave {body} no maps of "
            f"{SMALLEST_MAP} x {SMALLEST_MAP}: take larger ones"
        )
    x = flat = layers.Flatten(name="maps")(large[-1])
    for name in ("fc6", "fc7"):
        x = layers.Dense(
            units, activation="relu", kernel_initializer="he_normal", name=name
        )(x)
        if name == "fc6":
            x = layers.Dropout(dropout, name="fc6_dropout")(x)
    return {"maps": flat, "fc7": x}
