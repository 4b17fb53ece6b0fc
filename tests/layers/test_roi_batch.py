import keras
import numpy as np

from kcv.layers.roi_batch import BatchToRoIs, RoIsToBatch


def test_there_and_back(tmp_path):
    """RoI k of image i is image i * n + k; saved, and with any number of regions."""
    regions = keras.Input((None, 2, 3, 4))
    batch = RoIsToBatch()(regions)
    sums = keras.layers.GlobalAveragePooling2D()(batch)
    outputs = {"batch": batch, "back": BatchToRoIs()(sums, regions)}
    model = keras.Model(regions, outputs)
    shapes = {name: x.shape for name, x in model.output.items()}
    assert shapes == {"batch": (None, 2, 3, 4), "back": (None, None, 4)}
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    values = np.random.default_rng(0).normal(size=(3, 5, 2, 3, 4)).astype("float32")
    found = again(values)
    np.testing.assert_array_equal(found["batch"][2 * 5 + 1], values[2, 1])
    np.testing.assert_allclose(found["back"], values.mean(axis=(2, 3)), atol=1e-6)


def test_known_sizes():
    batch = RoIsToBatch()
    assert batch.compute_output_shape((2, 5, 7, 7, 8)) == (10, 7, 7, 8)
    assert batch.compute_output_shape((None, 5, 7, 7, 8)) == (None, 7, 7, 8)
    back = BatchToRoIs(dtype="mixed_bfloat16")
    assert back.compute_output_shape((10, 3), (2, 5, 4)) == (2, 5, 3)
