"""GoogLeNet against a forward pass in NumPy, and its heads for training."""

import keras
import numpy as np
import pytest
from inception_checks import (
    check_exported,
    check_gradients,
    check_saved,
    check_subsample,
    conv,
    pool,
    randomize,
    relu,
)

from kcv.models.classification import googlenet as net
from kcv.models.classification.googlenet import (
    LOSS_WEIGHTS,
    googlenet,
    googlenet_features,
)

SIZE = (65, 70)
LOGITS = {"classifier_activation": None}
EIGHTH = {
    name: (one // 8, (a // 8, b // 8), (c // 8, d // 8), projection // 8)
    for name, (one, (a, b), (c, d), projection) in net.MODULES.items()
}


@pytest.fixture
def thin(monkeypatch):
    """The modules with an eighth of their filters; all of them are multiples of 8."""
    monkeypatch.setattr(net, "MODULES", EIGHTH)


def test_parameters():
    """Pencil: by Table 1, weights and biases; the 7x7 convolution has 9,408 + 64.

    A head on a 14x14 map pools to 4x4: 1x1 convolution, 2,048 x 1024 and 1024 x 1000.
    """
    with keras.StatelessScope(initialize_variables=False):
        model, plain = googlenet(auxiliary=True), googlenet()
    heads = sum(
        c * 128 + 128 + 4 * 4 * 128 * 1024 + 1024 + 1024 * 1000 + 1000
        for c in (512, 528)
    )
    assert model.count_params() == 13_378_280 == 6_998_552 + heads
    assert model.get_layer("conv1").count_params() == 9_408 + 64
    assert plain.count_params() == 6_998_552


def test_same_as_numpy(thin):
    """Oracle: all three answers, with normalisation that matters."""
    model = googlenet((*SIZE, 3), 5, **LOGITS, auxiliary=True)
    images = np.random.default_rng(0).uniform(-1, 1, (2, *SIZE, 3)).astype("float32")
    randomize(model, images)
    kernel, bias = model.get_layer("conv1").get_weights()
    model.get_layer("conv1").set_weights([40 * kernel, bias])
    expected = _forward(images, {la.name: la.get_weights() for la in model.layers})
    answers = model(images, training=False)
    assert set(answers) == set(expected) == set(LOSS_WEIGHTS)
    for name, logits in expected.items():
        scale = np.abs(logits).max()
        assert scale > 0.1 and np.ptp(logits, axis=0).max() > 0.02 * scale
        np.testing.assert_allclose(answers[name], logits, atol=1e-4 * scale)


def _forward(x, weights):
    def layer(x, name, strides=1):
        return relu(conv(x, *weights[name], strides))

    def module(x, n):
        n = f"inception_{n}"
        pooled = pool(x, 3, 1, np.nanmax)
        return np.concatenate(
            [
                layer(x, f"{n}_1x1"),
                layer(layer(x, f"{n}_3x3_reduce"), f"{n}_3x3"),
                layer(layer(x, f"{n}_5x5_reduce"), f"{n}_5x5"),
                layer(pooled, f"{n}_projection"),
            ],
            -1,
        )

    def head(x, n):
        assert x.shape[1:3] == (5, 5)
        x = x.mean((1, 2), keepdims=True)  # one 5x5 window
        x = layer(x, f"{n}_conv").reshape(len(x), -1)
        kernel, bias = weights[f"{n}_dense"]
        kernel2, bias2 = weights[f"{n}_predictions"]
        return relu(x @ kernel + bias) @ kernel2 + bias2

    x = pool(layer(x, "conv1", 2), 3, 2, np.nanmax)
    x = layer(layer(_normalized(x), "conv2_reduce"), "conv2")
    x = pool(_normalized(x), 3, 2, np.nanmax)
    x = pool(module(module(x, "3a"), "3b"), 3, 2, np.nanmax)
    x = module(x, "4a")
    answers = {"auxiliary_1": head(x, "auxiliary_1")}
    x = module(module(module(x, "4b"), "4c"), "4d")
    answers["auxiliary_2"] = head(x, "auxiliary_2")
    x = pool(module(x, "4e"), 3, 2, np.nanmax)
    x = module(module(x, "5a"), "5b").mean((1, 2))
    kernel, bias = weights["predictions"]
    return answers | {"predictions": x @ kernel + bias}


def _normalized(x):
    """Local response normalisation over five maps, with AlexNet's constants."""
    sums = np.zeros_like(x)
    for i in range(x.shape[-1]):
        sums[..., i] = (x[..., max(i - 2, 0) : i + 3] ** 2).sum(-1)
    assert 1e-4 * sums.max() > 0.5
    return x / (2 + 1e-4 * sums) ** 0.75


@pytest.mark.parametrize(
    "suffix", [".keras", pytest.param(".weights.h5", marks=pytest.mark.slow)]
)
def test_training_file_serves_inference_and_back(tmp_path, suffix, thin):
    images = np.random.default_rng(0).uniform(-1, 1, (2, 65, 65, 3)).astype("float32")
    with_heads = googlenet((65, 65, 3), 5, auxiliary=True)
    randomize(with_heads, images)
    _save(with_heads, tmp_path / f"heads{suffix}")
    plain = googlenet((65, 65, 3), 5, weights=tmp_path / f"heads{suffix}")
    expected = with_heads(images, training=False)["predictions"]
    np.testing.assert_array_equal(plain(images, training=False), expected)

    _save(plain, tmp_path / f"plain{suffix}")
    again = googlenet(
        (65, 65, 3), 5, weights=tmp_path / f"plain{suffix}", auxiliary=True
    )
    answers = again(images, training=False)
    np.testing.assert_array_equal(answers["predictions"], expected)
    assert np.ptp(answers["auxiliary_1"] - with_heads(images)["auxiliary_1"]) > 0
    other = googlenet((32, 48, 3), 7, weights=tmp_path / f"plain{suffix}")
    np.testing.assert_array_equal(
        other.get_layer("conv2").kernel, plain.get_layer("conv2").kernel
    )


def _save(model, path):
    save = model.save if path.suffix == ".keras" else model.save_weights
    save(path)


def test_file_of_neither_names_the_model(tmp_path, thin):
    keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]).save(
        tmp_path / "x.keras"
    )
    with pytest.raises(ValueError, match="1 layers with weights, googlenet has 58"):
        googlenet((65, 65, 3), weights=tmp_path / "x.keras")


def test_heads_learn_with_their_share(thin):
    """Life: a step of training; the loss is the sum with the paper's weights."""
    model = googlenet((65, 65, 3), 3, auxiliary=True)
    loss = dict.fromkeys(LOSS_WEIGHTS, "sparse_categorical_crossentropy")
    model.compile("sgd", loss, loss_weights=LOSS_WEIGHTS, run_eagerly=True)
    labels = np.array([0, 1])
    logs = model.train_on_batch(
        np.random.default_rng(0).uniform(-1, 1, (2, 65, 65, 3)),
        dict.fromkeys(LOSS_WEIGHTS, labels),
        return_dict=True,
    )
    total = sum(w * logs[f"{name}_loss"] for name, w in LOSS_WEIGHTS.items())
    assert logs["loss"] == pytest.approx(total, rel=1e-5)


def test_features():
    for output_stride, strides in ((32, (8, 16, 32)), (16, (8, 16, 16)), (8, (8,) * 3)):
        with keras.StatelessScope(initialize_variables=False):
            maps = googlenet_features(keras.Input((64, 96, 3)), output_stride)
        assert [maps[f"C{i}"].shape[1:] for i in (3, 4, 5)] == [
            (64 // s, 96 // s, c) for s, c in zip(strides, (480, 832, 1024))
        ]
    assert maps["C1"].shape[1:] == (32, 48, 64)
    assert maps["C2"].shape[1:] == (16, 24, 192)


@pytest.mark.parametrize(("output_stride", "level"), [(16, "C5"), (8, "C4")])
def test_dilated_maps_have_the_coarse_ones(output_stride, level, thin):
    """Apart from what follows a pooling; the map before is 5x5 or 9x9, so odd."""
    size = (33, 33) if level == "C4" else (65, 65)
    silent = ["inception_4"] if level == "C4" else ["inception_5"]
    check_subsample(googlenet_features, size, output_stride, level, 0, silent)


def test_gradients():
    check_gradients(googlenet((65, 65, 3), 3, **LOGITS, auxiliary=True))


def test_saved(tmp_path, thin):
    check_saved(googlenet((32, 40, 3), 3), tmp_path)


@pytest.mark.slow
def test_exported(tmp_path, thin):
    check_exported(googlenet((64, 64, 3), 4), tmp_path)


def test_refused():
    with pytest.raises(ValueError, match="at least 32 pixels"):
        googlenet((31, 32, 3))
    with pytest.raises(ValueError, match="at least 65 pixels"):
        googlenet((64, 65, 3), auxiliary=True)
    with pytest.raises(ValueError, match="output_stride must be 8, 16 or 32, got 4"):
        googlenet_features(keras.Input((32, 32, 3)), 4)
    with pytest.raises(ValueError, match="no imagenet weights .* googlenet"):
        googlenet((32, 32, 3), weights="imagenet")
