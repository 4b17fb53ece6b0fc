"""Weight clustering: each kernel uses a handful of different numbers.

Paper: S. Han, H. Mao, W. Dally, "Deep Compression: Compressing Deep Neural Networks
with Pruning, Trained Quantization and Huffman Coding", 2016,
https://arxiv.org/abs/1510.00149 (section 3, without its Huffman coding: see
`kcv.export.compressed`)
"""

from collections.abc import Callable, Iterable

import keras
import tf_keras

from kcv.export import bridge
from kcv.export.fine_tune import fine_tune
from kcv.export.tfmot import clustering as toolkit

# The toolkit has no clustering for depthwise kernels.
CLUSTERABLE = (tf_keras.layers.Conv2D, tf_keras.layers.Dense)


def cluster(
    model: keras.Model,
    batches: Callable[[int], Iterable],
    *,
    clusters: int = 16,
    epochs: int,
    learning_rate: float,
    only: Callable | None = None,
    loss: Callable | None = None,
    on_step: Callable[[int, float], None] | None = None,
) -> keras.Model:
    """Returns a trained copy of a model with few different weights in each kernel.

    Args:
        model: trained functional Keras 3 model; left as it is.
        batches: as for `kcv.export.qat.train_quantization_aware`.
        clusters: how many numbers the kernel of each Conv2D and Dense layer may use.
        epochs: passes over the batches.
        learning_rate: the first step's, falling to zero along a cosine.
        only: function (tf_keras layer) -> bool that may leave layers out.
        loss: function (labels, outputs) -> (b,).
        on_step: called as on_step(steps done, loss of the step).

    Returns:
        A Keras 3 model of the same architecture.

    Raises:
        ValueError: clusters is less than 2, no layer is left to cluster, or what
            `fine_tune` raises.
    """
    if clusters < 2:
        raise ValueError(f"clusters is {clusters}: it must be at least 2.")
    twin, _ = bridge.wrapped(
        bridge.to_tf_keras(model),
        CLUSTERABLE,
        lambda layer: toolkit.cluster_weights(
            layer,
            number_of_clusters=clusters,
            cluster_centroids_init=toolkit.CentroidInitialization.KMEANS_PLUS_PLUS,
        ),
        lambda layer: (
            layer.kernel.shape.num_elements() > clusters
            and (only is None or only(layer))
        ),
    )
    fine_tune(
        twin,
        batches,
        epochs=epochs,
        learning_rate=learning_rate,
        loss=loss,
        on_step=on_step,
    )
    return bridge.trained_copy(toolkit.strip_clustering(twin), model)
