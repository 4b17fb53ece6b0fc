import keras
import numpy as np
import pytest

from kcv.layers.attention import Attention

RNG = np.random.default_rng(0)


def run(heads, queries, keys, values):
    return [np.asarray(x) for x in Attention(heads)([queries, keys, values])]


def test_pencil_two_tokens():
    """Width 1: scores are q k; shares of 1 and e^-1, so e / (e + 1) of the first."""
    queries = keys = np.array([[[1.0], [0.0]]], "float32")
    values = np.array([[[10.0], [20.0]]], "float32")
    attended, maps = run(1, queries, keys, values)
    share = np.e / (np.e + 1)
    np.testing.assert_allclose(maps[0, 0], [[share, 1 - share], [0.5, 0.5]], rtol=1e-6)
    wanted = [10 * share + 20 * (1 - share), 15]
    np.testing.assert_allclose(attended[0, :, 0], wanted, rtol=1e-6)


def test_equals_a_loop_over_heads():
    queries, keys, values = RNG.normal(size=(3, 2, 5, 6)).astype("float32")
    attended, maps = run(3, queries, keys, values)
    for b in range(2):
        for h in range(3):
            part = slice(2 * h, 2 * h + 2)  # width 6 in 3 heads
            scores = queries[b, :, part] @ keys[b, :, part].T / np.sqrt(2)
            shares = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
            np.testing.assert_allclose(maps[b, h], shares, atol=1e-6)
            wanted = shares @ values[b, :, part]
            np.testing.assert_allclose(attended[b, :, part], wanted, atol=1e-6)


def test_equals_the_stock_layer_of_keras():
    """With identities as projections, which is where ours has none."""
    x = RNG.normal(size=(2, 5, 8)).astype("float32")
    stock = keras.layers.MultiHeadAttention(4, 2, use_bias=False)
    stock(x, x)
    stock.set_weights([np.eye(8).reshape(w.shape) for w in stock.weights])
    wanted, maps = stock(x, x, return_attention_scores=True)
    ours = run(4, x, x, x)
    np.testing.assert_allclose(ours[0], wanted, atol=1e-6)
    np.testing.assert_allclose(ours[1], maps, atol=1e-6)


def test_large_scores_stay_finite():
    """Trap: exp of them alone overflows float32."""
    x = 1e4 * np.eye(3, dtype="float32")[None]
    attended, maps = run(1, x, x, x)
    np.testing.assert_allclose(maps[0, 0], np.eye(3), atol=1e-6)
    assert np.isfinite(attended).all()


def test_heads_must_divide_the_width():
    x = np.zeros((1, 2, 6), "float32")
    with pytest.raises(ValueError, match="a width of 6 does not divide into 4 heads"):
        Attention(4)([x, x, x])


def test_saves_and_loads(tmp_path):
    inputs = keras.Input((5, 6))
    model = keras.Model(inputs, Attention(3, name="attention")([inputs] * 3))
    x = RNG.normal(size=(2, 5, 6)).astype("float32")
    wanted = model(x)
    assert [y.shape for y in wanted] == [(2, 5, 6), (2, 3, 5, 5)]
    assert [y.shape for y in model.outputs] == [(None, 5, 6), (None, 3, 5, 5)]
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    for ours, old in zip(again(x), wanted):
        np.testing.assert_array_equal(ours, old)
