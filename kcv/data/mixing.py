"""Blends two training images and their labels: mixup and CutMix.

Paper: H. Zhang et al.: mixup: Beyond Empirical Risk Minimization, 2017,
https://arxiv.org/abs/1710.09412
Paper: S. Yun et al.: CutMix: Regularization Strategy to Train Strong Classifiers with
Localizable Features, 2019, https://arxiv.org/abs/1905.04899
Differs from the papers: the partner is the neighbour in the (shuffled) batch, not any
row, so that a replica that reads whole pairs gets the pixels of a single process.
"""

import functools

import numpy as np
import tensorflow as tf

from kcv.data.augment import box_mask

_QUANTILES = 4096


def mix_batch(augment, batch, random):
    """Blends rows 2i and 2i+1 of a batch by mixup or CutMix.

    Args:
        augment: `Augment`.
        batch: {"images": float32 (n, h, w, c), "labels": int32 (n,)}.
        random: From `random_numbers.uniforms`, each (n,).

    Returns:
        The batch with "labels_b" int32 (n,) and "mix" float32 (n,), the share of
        "labels".
    """
    images, labels = batch["images"], batch["labels"]
    rows = tf.range(tf.shape(images)[0])
    partner = tf.minimum(tf.bitwise.bitwise_xor(rows, 1), tf.shape(images)[0] - 1)
    others = tf.gather(images, partner)
    share = tf.ones_like(random["mix"])
    result = images
    if augment.mixup:
        share = beta(augment.mixup, random["mix"])
        weight = tf.cast(share, tf.float32)[:, None, None, None]
        result = weight * images + (1 - weight) * others
    if augment.cutmix:
        side = tf.sqrt(1 - beta(augment.cutmix, random["mix"]))
        box = box_mask(images.shape, random["mix_y"], random["mix_x"], side)
        outside = 1 - tf.reduce_mean(tf.cast(box, tf.float64), axis=[1, 2, 3])
        pasted = tf.where(box, others, images)
        chosen = random["mix_kind"] < (0.5 if augment.mixup else 1.0)
        share = tf.where(chosen, outside, share)
        result = tf.where(chosen[:, None, None, None], pasted, result)
    alone = partner == rows
    return {
        "images": tf.where(alone[:, None, None, None], images, result),
        "labels": labels,
        "labels_b": tf.gather(labels, partner),
        "mix": tf.where(alone, 1.0, tf.cast(share, tf.float32)),
    }


def beta(alpha, uniform):
    """Turns uniform numbers (n,) into Beta(alpha, alpha) ones by a quantile table."""
    table = tf.constant(_beta_quantiles(alpha))
    return tf.gather(table, tf.cast(uniform * _QUANTILES, tf.int32))


@functools.cache
def _beta_quantiles(alpha):
    from scipy import special  # only mixup and cutmix need it

    middle = (np.arange(_QUANTILES) + 0.5) / _QUANTILES
    return special.betaincinv(alpha, alpha, middle)
