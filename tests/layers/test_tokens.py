"""The class token and the positions."""

import keras
import numpy as np
import pytest

from kcv.layers.class_token import ClassToken
from kcv.layers.position_embedding import PositionEmbedding, resize_positions

RNG = np.random.default_rng(0)


def test_class_token_stands_in_front():
    tokens = RNG.normal(size=(2, 3, 4)).astype("float32")
    layer = ClassToken()
    layer.build(tokens.shape)
    layer.token.assign(RNG.normal(size=(1, 1, 4)))
    out = np.asarray(layer(tokens))
    np.testing.assert_array_equal(out[:, 1:], tokens)
    np.testing.assert_array_equal(out[:, :1], np.repeat(layer.token, 2, axis=0))


def test_positions_are_one_vector_a_token():
    tokens = np.zeros((2, 3, 4), "float32")
    layer = PositionEmbedding()
    out = np.asarray(layer(tokens))
    np.testing.assert_array_equal(out[0], out[1])
    assert layer.count_params() == 12 and 0 < np.abs(out).max() < 0.1


def test_resized_positions_by_pencil():
    """Two places in a row become four: bilinear, a quarter of the way and held."""
    positions = np.array([[[7.0], [0.0], [4.0]]])
    out = resize_positions(positions, (1, 2), (1, 4))
    np.testing.assert_allclose(out[0, :, 0], [7, 0, 1, 3, 4], atol=1e-6)


def test_resized_to_the_same_grid_nothing_changes():
    positions = RNG.normal(size=(1, 7, 3)).astype("float32")
    np.testing.assert_allclose(
        resize_positions(positions, (2, 3), (2, 3)), positions, atol=1e-6
    )


def test_positions_of_another_grid():
    with pytest.raises(ValueError, match="7 positions do not fit a grid of 3 x 3"):
        resize_positions(np.zeros((1, 7, 2)), (3, 3), (4, 4))


def test_save_and_load(tmp_path):
    inputs = keras.Input((3, 4))
    model = keras.Model(inputs, PositionEmbedding()(ClassToken()(inputs)))
    model.set_weights([RNG.normal(size=w.shape) for w in model.weights])
    tokens = RNG.normal(size=(2, 3, 4)).astype("float32")
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert model.output_shape == (None, 4, 4)
    np.testing.assert_array_equal(again(tokens), model(tokens))
