import keras
import numpy as np
import programs
from keras import layers

from kcv.layers.unit_norm import UnitNorm
from kcv.models.saved import load_model


def test_a_fresh_process_knows_our_layers(tmp_path):
    """Trap: Keras alone cannot find a layer whose file nobody has imported."""
    images = keras.Input((4, 4, 3), name="images")
    model = keras.Model(images, UnitNorm()(layers.Flatten()(images)))
    model.save(tmp_path / "model.keras")
    pixels = np.random.default_rng(0).normal(size=(2, 4, 4, 3)).astype("float32")
    np.save(tmp_path / "pixels.npy", pixels)
    code = (
        "import sys, numpy as np; from kcv.models.saved import load_model\n"
        "model = load_model(sys.argv[1] + '/model.keras')\n"
        "answers = model(np.load(sys.argv[1] + '/pixels.npy'))\n"
        "np.save(sys.argv[1] + '/answers.npy', answers)"
    )
    done = programs.run("-c", code, tmp_path)
    assert done.returncode == 0, done.stderr
    np.testing.assert_array_equal(np.load(tmp_path / "answers.npy"), model(pixels))
    np.testing.assert_array_equal(
        load_model(tmp_path / "model.keras")(pixels), model(pixels)
    )
