"""Vision Transformer: an image as a sequence of patches.

Paper: A. Dosovitskiy et al., "An Image is Worth 16x16 Words: Transformers for Image
Recognition at Scale", 2021, https://arxiv.org/abs/2010.11929; Ti and S, which it lacks,
are from H. Touvron et al., "Training data-efficient image transformers & distillation
through attention", 2021, Table 1, https://arxiv.org/abs/2012.12877

Differs from the paper: the head is one linear layer, as in its fine-tuning; its
pre-training puts a layer of tanh units before it.
"""

import math

import keras
import numpy as np
from keras import layers

from kcv.layers.attention import Attention
from kcv.layers.class_token import ClassToken
from kcv.layers.layer_norm import LayerNorm
from kcv.layers.position_embedding import PositionEmbedding
from kcv.models.image_input import image_input
from kcv.models.weights import load_weights

# Table 1: name -> (width D, layers, heads); the MLP is four times as wide as D.
VARIANTS = {"ti": (192, 12, 3), "s": (384, 12, 6), "b": (768, 12, 12)}


def vit_ti(
    input_shape=(224, 224, 3),
    classes=1000,
    classifier_activation="softmax",
    weights=None,
    patch_size=16,
    dropout=0.1,
):
    """Builds ViT-Ti. Arguments and result as for `vit_b`.

    Parameters with 1000 classes at 224x224: 5,717,416 for patch 16; 6,131,560 for 32.
    """
    return _vit("ti", input_shape, classes, classifier_activation, weights, patch_size,
                dropout)  # fmt: skip


def vit_s(
    input_shape=(224, 224, 3),
    classes=1000,
    classifier_activation="softmax",
    weights=None,
    patch_size=16,
    dropout=0.1,
):
    """Builds ViT-S. Arguments and result as for `vit_b`.

    Parameters with 1000 classes at 224x224: 22,050,664 for patch 16; 22,878,952 for 32.
    """
    return _vit("s", input_shape, classes, classifier_activation, weights, patch_size,
                dropout)  # fmt: skip


def vit_b(
    input_shape=(224, 224, 3),
    classes=1000,
    classifier_activation="softmax",
    weights=None,
    patch_size=16,
    dropout=0.1,
):
    """Builds ViT-B.

    Args:
        input_shape: (height, width, channels) of one image, multiples of `patch_size`.
        classes: size of the last layer.
        classifier_activation: "softmax" for probabilities, None for logits.
        weights: None or the path of a weight file; see `load_weights`.
        patch_size: pixels a side of a patch; the paper's are 16 and 32.
        dropout: share dropped while training, of Table 3.

    Returns:
        A model from images, float32 (batch, height, width, channels) in [-1, 1],
        to float32 (batch, classes).

    Parameters with 1000 classes at 224x224: 86,567,656 for patch 16; 88,224,232 for 32.
    """
    return _vit("b", input_shape, classes, classifier_activation, weights, patch_size,
                dropout)  # fmt: skip


def vit_features(images, variant="b", patch_size=16, dropout=0.1):
    """Maps images to {"C4": (batch, h, w, width)}, the patches after the last layer.

    The patch size is the stride: 8 gives C3, 16 C4, 32 C5. There is no other level.
    Variants are "ti", "s" and "b".
    """
    if variant not in VARIANTS:
        raise ValueError(f"no ViT {variant!r}; known: {', '.join(VARIANTS)}")
    level = math.log2(patch_size)
    if not level.is_integer():
        raise ValueError(
            f"patch_size {patch_size} is no stride of a map: take 4, 8, 16 or 32"
        )
    tokens = _encoder(images, variant, patch_size, dropout)
    grid = [side // patch_size for side in images.shape[1:3]]
    tokens = layers.Cropping1D((1, 0), name="patches_out")(tokens)  # no class token
    return {f"C{int(level)}": layers.Reshape((*grid, -1), name="map")(tokens)}


def attention_maps(model, images):
    """Runs a model and gives what every head of every layer looks at.

    Args:
        model: a model of this file.
        images: float32 (batch, height, width, channels) in [-1, 1].

    Returns:
        (outputs, maps): float32 (batch, classes), and float32 (batch, layers, heads,
        n, n) with token 0 the class token: rows look, columns are looked at.
    """
    maps = [la.output[1] for la in model.layers if isinstance(la, Attention)]
    if not maps:
        raise ValueError(f"{model.name} has no attention layers: build a ViT")
    outputs, *maps = keras.Model(model.input, [model.output, *maps])(images)
    maps = [keras.ops.convert_to_numpy(x) for x in maps]
    return keras.ops.convert_to_numpy(outputs), np.stack(maps, axis=1)


def attention_picture(maps, grid):
    """What the class token looks at, through all layers: Figure 6, appendix D.8.

    Attention rollout (S. Abnar and W. Zuidema, 2020, https://arxiv.org/abs/2005.00928):
    the heads' mean, half of it the skip connection, multiplied over the layers.

    Args:
        maps: float (batch, layers, heads, n, n) of `attention_maps`.
        grid: (h, w) in patches; h * w + 1 = n.

    Returns:
        float (batch, h, w), 1 at the brightest patch; `kcv.viz.maps.draw_values` draws.
    """
    if maps.shape[-1] != grid[0] * grid[1] + 1:
        raise ValueError(
            f"maps of {maps.shape[-1]} tokens do not fit a grid of {grid[0]} x "
            f"{grid[1]} patches and a class token"
        )
    mean = (maps.mean(axis=2) + np.eye(maps.shape[-1])) / 2  # (batch, layers, n, n)
    rolled = mean[:, 0]
    for i in range(1, mean.shape[1]):
        rolled = mean[:, i] @ rolled
    picture = rolled[:, 0, 1:]
    picture = picture / picture.max(axis=-1, keepdims=True)
    return picture.reshape(-1, *grid)


def _vit(variant, input_shape, classes, classifier_activation, weights, patch_size,
         dropout):  # fmt: skip
    images = image_input(input_shape, minimum=patch_size)
    if input_shape[0] % patch_size or input_shape[1] % patch_size:
        raise ValueError(
            f"input_shape {tuple(input_shape)} does not divide into patches of "
            f"{patch_size} pixels: choose multiples of {patch_size}"
        )
    x = _encoder(images, variant, patch_size, dropout)
    x = layers.Cropping1D((0, x.shape[1] - 1), name="class_token_out")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(classes, activation=classifier_activation, name="predictions")(x)
    model = keras.Model(images, x, name=f"vit_{variant}{patch_size}")
    load_weights(model, weights)
    return model


def _encoder(images, variant, patch_size, dropout):
    """Equations 1 to 4; returns tokens (batch, n + 1, width), normalised."""
    width, depth, heads = VARIANTS[variant]
    # A patch times a matrix, for all patches, is a convolution that never overlaps.
    x = layers.Conv2D(width, patch_size, patch_size, name="patches")(images)
    x = layers.Reshape((x.shape[1] * x.shape[2], width), name="tokens")(x)
    x = ClassToken(name="class_token")(x)
    x = PositionEmbedding(name="positions")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    for i in range(1, depth + 1):
        y = LayerNorm(epsilon=1e-6, name=f"block{i}_ln1")(x)
        qkv = [layers.Dense(width, name=f"block{i}_{c}")(y)
               for c in ("query", "key", "value")]  # fmt: skip
        y, _ = Attention(heads, name=f"block{i}_attention")(qkv)
        y = layers.Dense(width, name=f"block{i}_project")(y)
        y = layers.Dropout(dropout, name=f"block{i}_dropout1")(y)
        x = layers.Add(name=f"block{i}_add1")([x, y])
        y = LayerNorm(epsilon=1e-6, name=f"block{i}_ln2")(x)
        y = layers.Dense(4 * width, activation="gelu", name=f"block{i}_mlp1")(y)
        y = layers.Dropout(dropout, name=f"block{i}_dropout2")(y)
        y = layers.Dense(width, name=f"block{i}_mlp2")(y)
        y = layers.Dropout(dropout, name=f"block{i}_dropout3")(y)
        x = layers.Add(name=f"block{i}_add2")([x, y])
    return LayerNorm(epsilon=1e-6, name="ln")(x)
