import keras
import numpy as np
import pytest

from kcv.models.classification import lenet


def _parameters(model, prefix):
    return sum(la.count_params() for la in model.layers if la.name.startswith(prefix))


def test_parameters_of_1989():
    """The paper's counts without a bias for each unit: 768 of H1, 192 of H2."""
    model = lenet.lenet_1989()
    counts = [_parameters(model, name) for name in ("H1", "H2", "H3", "predictions")]
    assert counts == [1068 - 768 + 12, 2592 - 192 + 12, 5790, 310]
    assert model.count_params() + (768 - 12) + (192 - 12) == 9760


def test_parameters_of_1998_are_the_papers():
    model = lenet.lenet5_1998()
    names = ("C1", "S2", "C3", "S4", "C5", "F6")
    counts = {name: _parameters(model, name) for name in names}
    assert counts == dict(C1=156, S2=12, C3=1516, S4=32, C5=48120, F6=10164)
    assert sum(counts.values()) == 60_000
    assert lenet.lenet5().count_params() == 61_706


@pytest.mark.parametrize(
    ("features", "shape", "expected"),
    [
        (lenet.lenet_1989_features, (16, 16, 1), [(8, 8, 12), (4, 4, 12)]),
        (lenet.lenet5_features, (28, 28, 1), [(14, 14, 6), (5, 5, 16)]),
        (lenet.lenet5_1998_features, (28, 28, 1), [(14, 14, 6), (5, 5, 16)]),
    ],
)
def test_maps(features, shape, expected):
    maps = features(keras.Input(shape))
    assert [(k, x.shape[1:]) for k, x in maps.items()] == [
        ("C1", expected[0]),
        ("C2", expected[1]),
    ]


def test_h2_sees_two_of_three_groups():
    """Trap: a group of H1 moves the eight maps of H2 that see it, and no others."""
    images = keras.Input((16, 16, 1))
    model = keras.Model(images, lenet.lenet_1989_features(images)["C2"])
    batch = np.random.default_rng(0).normal(size=(1, 16, 16, 1)).astype("float32")
    before = np.asarray(model(batch))
    for group, maps in {"a": [0, 2], "b": [0, 1], "c": [1, 2]}.items():
        bias = model.get_layer(f"H1_{group}").bias
        bias.assign(bias + 1.0)
        moved = np.abs(np.asarray(model(batch)) - before).max((0, 1, 2)) > 0
        bias.assign(bias - 1.0)
        assert [k for k in range(3) if moved[4 * k : 4 * k + 4].all()] == maps
        assert moved.sum() == 8


def test_c3_sees_the_maps_of_table_1():
    """Trap: a map of S2 moves exactly the maps of C3 that Table I connects to it."""
    images = keras.Input((28, 28, 1))
    maps = lenet.lenet5_1998_features(images)
    model = keras.Model(images, maps)
    layer = {la.name: la for la in model.layers}
    batch = np.random.default_rng(0).normal(size=(1, 28, 28, 1)).astype("float32")
    before = np.asarray(model(batch)["C2"])
    for j in range(6):
        bias = layer[f"S2_{j}"].weights[1]
        bias.assign(bias + 1.0)
        moved = np.abs(np.asarray(model(batch)["C2"]) - before).max((0, 1, 2)) > 0
        bias.assign(bias - 1.0)
        assert [i for i in range(16) if moved[i]] == [
            i for i, row in enumerate(lenet.C3_MAPS) if j in row
        ]


def test_table_1_is_the_papers():
    """Six maps see 3, nine see 4, one sees all; every map of S2 is seen by ten."""
    assert [len(row) for row in lenet.C3_MAPS] == [3] * 6 + [4] * 9 + [6]
    seen = [sum(j in row for row in lenet.C3_MAPS) for j in range(6)]
    assert seen == [10] * 6
    assert len(set(lenet.C3_MAPS)) == 16


def test_1998_equals_lenet5_where_it_must():
    """Oracle: full C3 with zeros where Table I has none, and plain subsampling.

    Coefficients of 1, biases of 0 and no squashing between would be plain means; the
    squashing is switched off on the S layers for the comparison.
    """
    sparse = lenet.lenet5_1998(classifier_activation=None)
    full = lenet.lenet5(classifier_activation=None)
    rng = np.random.default_rng(0)
    layer = {la.name: la for la in sparse.layers}
    for name, la in layer.items():
        if name.startswith("S") and la.weights:
            la.activation = keras.activations.linear
            la.set_weights([np.ones_like(la.get_weights()[0]), la.get_weights()[1] * 0])
        elif la.weights:
            la.set_weights([rng.normal(0, 0.3, w.shape) for w in la.get_weights()])
    c1 = [layer[f"C1_{i}"].get_weights() for i in range(6)]
    full.get_layer("C1").set_weights(
        [np.concatenate([k for k, _ in c1], -1), np.concatenate([b for _, b in c1])]
    )
    kernel, bias = np.zeros((5, 5, 6, 16)), np.zeros(16)
    for i, row in enumerate(lenet.C3_MAPS):
        for j in row:
            weights = layer[f"C3_{i}_{j}"].get_weights()
            kernel[:, :, j, i] = weights[0][:, :, 0, 0]
            bias[i] += weights[1][0] if len(weights) == 2 else 0.0
    full.get_layer("C3").set_weights([kernel, bias])
    for name in ("C5", "F6", "predictions"):
        full.get_layer(name).set_weights(layer[name].get_weights())
    images = rng.normal(size=(4, 28, 28, 1)).astype("float32")
    logits = np.asarray(full(images))
    assert np.abs(logits).max() > 0.5
    np.testing.assert_allclose(sparse(images), logits, atol=1e-4)


def test_imagenet_was_never_published():
    with pytest.raises(ValueError, match="no imagenet weights were published for lene"):
        lenet.lenet5(weights="imagenet")


@pytest.mark.parametrize(
    ("build", "minimum"),
    [(lenet.lenet_1989, 4), (lenet.lenet5, 12), (lenet.lenet5_1998, 12)],
)
def test_minimum_is_the_smallest_that_builds(build, minimum):
    build((minimum, minimum, 1))
    with pytest.raises(ValueError, match=f"at least {minimum} pixels"):
        build((minimum - 1, minimum, 1))
