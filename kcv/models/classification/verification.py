"""Verification: are two pictures of the same person, iris or thing?

Paper: J. Deng et al., "ArcFace: Additive Angular Margin Loss for Deep Face
Recognition", 2019, https://arxiv.org/abs/1801.07698

Differs from the paper: the body is MobileNetV1's, in place of a ResNet; the embedding,
after its batch norm, is made of length 1 in the network.
"""

import keras
from keras import layers

from kcv.layers.angular_margin import AngularMargin
from kcv.layers.batch_norm import batch_norm
from kcv.layers.unit_norm import UnitNorm
from kcv.models.classification.mobilenet_v1 import mobilenet_v1_features
from kcv.models.image_input import image_input
from kcv.models.weights import load_weights


def arcface(
    input_shape=(112, 112, 3),
    classes=1000,
    classifier_activation="softmax",
    weights=None,
    alpha=1.0,
    embedding=512,
    margin=0.5,
    scale=64.0,
    dropout=0.4,
):
    """Builds the classifier of the people to learn from, around an embedding.

    `with_margin` makes of it what is trained, `embedding_network` what is used.

    Args:
        input_shape: (height, width, channels) of one image, at least 32x32.
        classes: number of people, or things, in the training data.
        classifier_activation: "softmax" for probabilities, None for logits.
        weights: None or the path of a weight file; see `load_weights`.
        alpha: width multiplier of the body.
        embedding: numbers that stand for a picture.
        margin: see `AngularMargin`; of use in `with_margin` only.
        scale: of the cosines, see `AngularMargin`.
        dropout: share of the last maps dropped while training.

    Returns:
        A model from images, float32 (batch, height, width, channels) in [-1, 1], to
        float32 (batch, classes), without margin.

    Parameters with 1000 classes, batch statistics included: 8,461,504 at the defaults,
    512,000 of them the directions of the classes.
    """
    images = image_input(input_shape, minimum=32)
    x = mobilenet_v1_features(images, alpha)["C5"]
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    x = layers.Dense(embedding, use_bias=False, name="embedding")(x)
    x = batch_norm("embedding_bn")(x)
    x = UnitNorm(name="embeddings")(x)
    x = AngularMargin(classes, margin, scale=scale, name="angular_margin")(x)
    x = layers.Activation(classifier_activation, name="predictions")(x)
    model = keras.Model(images, x, name="arcface")
    load_weights(model, weights)
    return model


def with_margin(model):
    """Returns the model to train, of the same weights, from images and their labels.

    Its inputs are {"images": as the model's, "labels": int32 (batch,)}, its output the
    logits, in which the right class has a margin to keep: train it with the
    cross-entropy of logits.
    """
    embeddings = _embeddings(model)
    labels = keras.Input((), dtype="int32", name="labels")
    logits = model.get_layer("angular_margin")([embeddings, labels])
    inputs = {"images": model.input, "labels": labels}
    return keras.Model(inputs, logits, name=f"{model.name}_with_margin")


def embedding_network(model):
    """Returns the network to use: images to embeddings of length 1, of same weights.

    The dot product of two is their cosine; `kcv.metrics.verification` judges it.
    """
    return keras.Model(model.input, _embeddings(model), name=f"{model.name}_embedding")


def _embeddings(model):
    names = [layer.name for layer in model.layers]
    if "embeddings" not in names or "angular_margin" not in names:
        raise ValueError(
            f"{model.name} has no layers 'embeddings' and 'angular_margin': build it "
            "with `arcface`"
        )
    return model.get_layer("embeddings").output
