"""Magnitude pruning: the smallest weights become zero while the rest adapt.

Paper: M. Zhu, S. Gupta, "To prune, or not to prune: exploring the efficacy of pruning
for model compression", 2017, https://arxiv.org/abs/1710.01878
"""

from collections.abc import Callable, Iterable

import keras
import tf_keras

from kcv.export import bridge
from kcv.export.fine_tune import fine_tune, num_batches
from kcv.export.tfmot import sparsity as toolkit

# Depthwise kernels are small and sensitive; the toolkit leaves them alone too.
PRUNABLE = (tf_keras.layers.Conv2D, tf_keras.layers.Dense)


def prune(
    model: keras.Model,
    batches: Callable[[int], Iterable],
    *,
    sparsity: float = 0.5,
    epochs: int,
    learning_rate: float,
    only: Callable | None = None,
    loss: Callable | None = None,
    on_step: Callable[[int, float], None] | None = None,
) -> keras.Model:
    """Returns a trained copy of a model with a share of its weights at zero.

    The share rises to `sparsity` along the paper's cubic over the first two thirds of
    the training; the last third heals.

    Args:
        model: trained functional Keras 3 model; left as it is.
        batches: as for `kcv.export.qat.train_quantization_aware`.
        sparsity: share of the kernel of each Conv2D and Dense layer that becomes 0.
        epochs: passes over the batches.
        learning_rate: the first step's, falling to zero along a cosine.
        only: function (tf_keras layer) -> bool that may leave layers out.
        loss: function (labels, outputs) -> (b,).
        on_step: called as on_step(steps done, loss of the step).

    Returns:
        A Keras 3 model of the same architecture.

    Raises:
        ValueError: sparsity is not in (0, 1), no layer is left to prune, or what
            `fine_tune` raises.
    """
    if not 0 < sparsity < 1:
        raise ValueError(f"sparsity is {sparsity}: it must be between 0 and 1.")
    steps = epochs * num_batches(batches(0))
    schedule = toolkit.PolynomialDecay(
        0.0, sparsity, begin_step=0, end_step=max(1, 2 * steps // 3), frequency=1
    )
    twin, wrapped = bridge.wrapped(
        bridge.to_tf_keras(model),
        PRUNABLE,
        lambda layer: toolkit.prune_low_magnitude(layer, schedule),
        only,
    )

    def before_step(step):
        for layer in wrapped:
            layer.pruning_step.assign(step)

    fine_tune(
        twin,
        batches,
        epochs=epochs,
        learning_rate=learning_rate,
        loss=loss,
        on_step=on_step,
        before_step=before_step,
    )
    for layer in wrapped:
        layer.pruning_obj.weight_mask_op()  # the last step moved the zeros
    return bridge.trained_copy(twin, model)
