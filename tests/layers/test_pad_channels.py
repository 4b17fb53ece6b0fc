import keras
import numpy as np

from kcv.layers.pad_channels import PadChannels


def test_zeros_come_after():
    """Pencil: channels 1, 2 become 1, 2, 0, 0, 0."""
    x = np.array([[[[1.0, 2.0]]]], "float32")
    np.testing.assert_array_equal(PadChannels(3)(x), [[[[1, 2, 0, 0, 0]]]])


def test_shape_of_any_size_and_type():
    layer = PadChannels(2, dtype="float16")
    out = layer(keras.Input((None, None, 4), dtype="float16"))
    assert out.shape == (None, None, None, 6) and out.dtype == "float16"


def test_life_in_a_model(tmp_path):
    images = keras.Input((2, 3, 4))
    model = keras.Model(images, PadChannels(1)(images))
    model.save(tmp_path / "x.keras")
    again = keras.models.load_model(tmp_path / "x.keras")
    batch = np.random.default_rng(0).normal(size=(2, 2, 3, 4)).astype("float32")
    assert again.layers[-1].channels == 1
    np.testing.assert_array_equal(again(batch), model(batch))
