"""Pruning and clustering: what is promised per kernel is there, in Keras 3."""

import keras
import numpy as np
import pytest
from keras import layers
from sklearn.datasets import load_digits

from kcv.export import cluster, compressed, fold, prune


@pytest.fixture(scope="module")
def digits():
    """A trained classifier of 8x8 digits and its data."""
    keras.utils.set_random_seed(2)
    pixels, y = load_digits(return_X_y=True)
    x = (pixels.reshape(-1, 8, 8, 1) / 8 - 1).astype("float32")
    inputs = keras.Input((8, 8, 1), name="images")
    z = layers.Conv2D(16, 3, use_bias=False, name="stem")(inputs)
    z = layers.BatchNormalization(momentum=0.9, name="stem_bn")(z)
    z = layers.ReLU(6.0)(z)
    z = layers.DepthwiseConv2D(3, name="depthwise")(z)
    z = layers.Flatten()(z)
    z = layers.Dense(32, activation="hard_silu", name="hidden")(z)
    model = keras.Model(inputs, layers.Dense(10, "softmax", name="predictions")(z))
    loss = "sparse_categorical_crossentropy"
    model.compile(keras.optimizers.Adam(3e-3), loss, jit_compile=False)
    model.fit(x[:1300], y[:1300], batch_size=50, epochs=3, verbose=0)

    def batches(epoch):
        rows = np.random.default_rng(epoch).permutation(1300)
        return [(x[i], y[i]) for i in np.array_split(rows, 26)]

    return model, batches, (x[1300:], y[1300:])


def accuracy(model, x, y):
    return float(np.mean(np.argmax(model(x, training=False), axis=-1) == y))


@pytest.mark.slow
def test_pruning_keeps_the_promised_zeros_and_the_accuracy(digits):
    model, batches, test = digits
    before, weights = accuracy(model, *test), model.get_weights()
    steps = []
    pruned = prune.prune(
        model, batches, sparsity=0.5, epochs=2, learning_rate=2e-3,
        on_step=lambda step, loss: steps.append(step),
    )  # fmt: skip
    assert len(steps) == 52
    share = compressed.sparsity(pruned)
    for name in ("stem/kernel", "hidden/kernel", "predictions/kernel"):
        assert share[name] == pytest.approx(0.5, abs=0.01)
    assert share["depthwise/kernel"] == 0
    assert accuracy(pruned, *test) > before - 0.05 > 0.7
    assert max(compressed.sparsity(model).values()) < 0.05
    for a, b in zip(weights, model.get_weights()):
        np.testing.assert_array_equal(a, b)
    # Folding scales whole filters: zeros stay zeros.
    folded = compressed.sparsity(fold.fold_batch_norm(pruned))
    assert folded["stem/kernel"] == share["stem/kernel"]


@pytest.mark.slow
def test_clustering_keeps_few_values_and_the_accuracy(digits):
    model, batches, test = digits
    before = accuracy(model, *test)
    clustered = cluster.cluster(
        model, batches, clusters=8, epochs=1, learning_rate=5e-4
    )
    unique = compressed.unique_values(clustered)
    for name in ("stem/kernel", "hidden/kernel", "predictions/kernel"):
        assert 2 <= unique[name] <= 8
    assert unique["depthwise/kernel"] > 100
    assert accuracy(clustered, *test) > before - 0.05 > 0.7
    assert compressed.unique_values(model)["hidden/kernel"] > 1000


def test_layers_can_be_left_out(digits):
    model, batches, _ = digits
    pruned = prune.prune(
        model, batches, epochs=1, learning_rate=1e-3,
        only=lambda layer: layer.name == "hidden",
    )  # fmt: skip
    share = compressed.sparsity(pruned)
    assert share["hidden/kernel"] == pytest.approx(0.5, abs=0.01)
    assert share["stem/kernel"] < 0.05 and share["predictions/kernel"] < 0.05


def test_compressed_size_counts_what_deflate_finds(tmp_path):
    noise = np.random.default_rng(0).normal(size=4000).astype("float32")
    sizes = []
    for name, values in (("dense", noise), ("sparse", np.where(noise < 1, 0, noise))):
        (tmp_path / name).write_bytes(values.tobytes())
        sizes.append(compressed.compressed_bytes(tmp_path / name))
    assert sizes[0] > 0.9 * 16000 and sizes[1] < 0.3 * sizes[0]


@pytest.mark.parametrize("sparsity", [0, 1, -0.5])
def test_an_impossible_sparsity(sparsity, digits):
    with pytest.raises(ValueError, match=f"sparsity is {sparsity}.*between 0 and 1"):
        prune.prune(*digits[:2], sparsity=sparsity, epochs=1, learning_rate=1e-3)


def test_an_impossible_number_of_clusters(digits):
    with pytest.raises(ValueError, match="clusters is 1.*at least 2"):
        cluster.cluster(*digits[:2], clusters=1, epochs=1, learning_rate=1e-3)


def test_nothing_to_prune(digits):
    with pytest.raises(ValueError, match="no Conv2D or Dense layer left to change"):
        prune.prune(*digits[:2], epochs=1, learning_rate=1e-3, only=lambda layer: False)
    with pytest.raises(ValueError, match="no batch to train on"):
        prune.prune(digits[0], lambda epoch: [], epochs=1, learning_rate=1e-3)
