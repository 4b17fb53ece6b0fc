import functools
import json
import re
import zipfile

import h5py
import keras
import numpy as np
import pytest

from kcv.models.classification import lenet
from kcv.models.classification import mobilenet_v1 as v1
from kcv.models.classification import mobilenet_v2 as v2
from kcv.models.classification import mobilenet_v3 as v3
from kcv.models.foundations.mlp import mlp
from kcv.models.weights import load_weights

SHAPE = (32, 32, 3)
LOGITS = {"classifier_activation": None}
tiny_v1 = functools.partial(v1.mobilenet_v1, SHAPE, alpha=0.25, **LOGITS)


def _randomize(model, seed=0):
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        low = 0.5 if weight.path.endswith(("variance", "gamma")) else -0.3
        weight.assign(rng.uniform(low, 1.0, weight.shape))


def _write_legacy(model, path, group_name=None, chunk=None):
    """The layout of the published files: trainable weights first, then the others."""
    with h5py.File(path, "w") as file:
        group = file.create_group(group_name) if group_name else file
        names = [layer.name for layer in model.layers]
        if chunk is None:
            group.attrs["layer_names"] = [name.encode() for name in names]
        else:  # as Keras writes where a list is too long for one attribute
            for i in range(0, len(names), chunk):
                group.attrs[f"layer_names{i // chunk}"] = names[i : i + chunk]
        for layer in model.layers:
            weights = layer.trainable_weights + layer.non_trainable_weights
            entry = group.create_group(layer.name)
            keys = [f"{layer.name}/{w.name}:0" for w in weights]
            entry.attrs["weight_names"] = [key.encode() for key in keys]
            for key, weight in zip(keys, weights):
                entry[key] = weight.numpy()


def _assert_same(ours, theirs):
    images = np.random.default_rng(1).uniform(-1, 1, (2, *ours.input_shape[1:]))
    images = images.astype("float32")
    expected = np.asarray(theirs(images, training=False))
    scale = np.abs(expected).max()
    assert scale > 1e-3
    np.testing.assert_allclose(
        ours(images, training=False), expected, atol=1e-4 * scale
    )


@pytest.fixture(scope="module")
def theirs():
    model = keras.applications.MobileNet(
        SHAPE, 0.25, weights=None, classes=1000, classifier_activation=None
    )
    _randomize(model)
    return model


@pytest.fixture(scope="module")
def legacy_file(theirs, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "theirs.h5"
    _write_legacy(theirs, path)
    return path


def test_none_changes_nothing():
    model = mlp((2, 2, 1), 3, hidden=(4,))
    before = model.get_weights()
    load_weights(model, None)
    for old, new in zip(before, model.get_weights()):
        np.testing.assert_array_equal(old, new)


def test_file_in_the_layout_of_keras_applications(theirs, legacy_file):
    _assert_same(tiny_v1(weights=legacy_file), theirs)


def test_squeeze_excite_in_the_layout_of_keras_applications(tmp_path):
    """V3 has two dense layers where the file has 1x1 convolutions."""
    theirs = keras.applications.MobileNetV3Small(
        SHAPE, weights=None, classes=9, include_preprocessing=False, **LOGITS
    )
    _randomize(theirs, 2)
    _write_legacy(theirs, tmp_path / "v3.h5", "model_weights", chunk=50)
    model = v3.mobilenet_v3_small(SHAPE, 9, weights=tmp_path / "v3.h5", **LOGITS)
    _assert_same(model, theirs)


def _save(model, path):
    save = model.save if path.suffix == ".keras" else model.save_weights
    save(path)


@pytest.mark.parametrize("suffix", [".weights.h5", ".keras"])
def test_our_own_files(suffix, tmp_path):
    """LeNet has branches, so that the order of layers is not the only possible one."""
    model = lenet.lenet_1989()
    _randomize(model)
    path = tmp_path / f"model{suffix}"
    _save(model, path)
    _assert_same(lenet.lenet_1989(weights=str(path)), model)


def test_keras_file_of_keras_applications(theirs, tmp_path):
    theirs.save(tmp_path / "theirs.keras")
    _assert_same(tiny_v1(weights=tmp_path / "theirs.keras"), theirs)


def test_compiled_and_trained_file(tmp_path):
    """Trap: the optimizer's variables are in the file, too."""
    model = mlp((2, 2, 1), 3, hidden=(4,))
    model.compile("adam", "sparse_categorical_crossentropy", run_eagerly=True)
    model.train_on_batch(np.ones((2, 2, 2, 1)), np.array([0, 1]))
    model.save(tmp_path / "trained.keras")
    again = mlp((2, 2, 1), 3, hidden=(4,), weights=tmp_path / "trained.keras")
    _assert_same(again, model)


def test_another_class_count_keeps_the_head_random(theirs, legacy_file):
    model = tiny_v1(4, weights=legacy_file)
    body = keras.Model(model.input, model.get_layer("pool").output)
    pool = [x for x in theirs.layers if "pooling" in x.name][0]
    expected = keras.Model(theirs.input, keras.ops.squeeze(pool.output, (1, 2)))
    _assert_same(body, expected)
    kernel, bias = model.get_layer("predictions").get_weights()
    assert kernel.shape == (256, 4) and not bias.any() and kernel.std() > 0.01


@pytest.mark.parametrize("suffix", [".weights.h5", ".keras"])
def test_another_class_count_in_our_own_files(suffix, tmp_path):
    donor = mlp((2, 2, 1), 3, hidden=(4,))
    _randomize(donor)
    _save(donor, tmp_path / f"x{suffix}")
    model = mlp((2, 2, 1), 7, hidden=(4,), weights=tmp_path / f"x{suffix}")
    for ours, theirs in zip(model.layers[2].weights, donor.layers[2].weights):
        np.testing.assert_array_equal(ours, theirs)
    assert not model.get_layer("predictions").bias.numpy().any()


def _recorded(monkeypatch, module, path):
    calls = []

    def get_file(name, url, cache_subdir=None, file_hash=None, **_):
        calls.append((name, url, cache_subdir, file_hash))
        return str(path)

    monkeypatch.setattr(module, "get_file", get_file)
    return calls


def test_imagenet_loads_the_published_file(theirs, legacy_file, monkeypatch):
    calls = _recorded(monkeypatch, keras.utils, legacy_file)
    _assert_same(tiny_v1(weights="imagenet"), theirs)
    assert calls == [
        (
            "mobilenet_2_5_224_tf.h5",
            "https://storage.googleapis.com/tensorflow/keras-applications/mobilenet/"
            "mobilenet_2_5_224_tf.h5",
            "models",
            None,
        )
    ]


class _AskedError(Exception):
    pass


def _asked_by(build, monkeypatch, module):
    """What `build` asks get_file for, as (name, url, subdir, hash)."""
    calls = []

    def get_file(name, url, cache_subdir=None, file_hash=None, **_):
        calls.append((name, url, cache_subdir, file_hash))
        raise _AskedError

    with monkeypatch.context() as patch:
        patch.setattr(module, "get_file", get_file)
        with pytest.raises((_AskedError, ConnectionError)):
            build()
    return calls


VARIANTS = [
    *((v1.mobilenet_v1, "MobileNet", size, {"alpha": alpha})
      for size, alpha in [(128, 0.25), (160, 0.5), (192, 0.75), (224, 1.0)]),
    *((v2.mobilenet_v2, "MobileNetV2", size, {"alpha": alpha})
      for size, alpha in [(96, 0.35), (128, 0.5), (160, 0.75), (192, 1.0), (224, 1.3),
                          (224, 1.4)]),
    *((build, name, 224, arguments)
      for build, name in [(v3.mobilenet_v3_small, "MobileNetV3Small"),
                          (v3.mobilenet_v3_large, "MobileNetV3Large")]
      for arguments in [{}, {"alpha": 0.75}, {"minimalistic": True}]),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("ours", "theirs", "size", "arguments"), VARIANTS)
def test_same_file_as_keras_applications_asks_for(
    ours, theirs, size, arguments, monkeypatch
):
    shape = (size, size, 3)
    build = getattr(keras.applications, theirs)
    expected = _asked_by(
        lambda: build(shape, weights="imagenet", **arguments),
        monkeypatch,
        keras.src.utils.file_utils,
    )
    asked = _asked_by(
        lambda: ours(shape, weights="imagenet", **arguments), monkeypatch, keras.utils
    )
    assert asked == expected and len(asked) == 1


def test_v3_hashes_are_those_of_keras():
    published = keras.src.applications.mobilenet_v3.WEIGHTS_HASHES
    assert {f"{k}_float": v for k, v in v3.IMAGENET_MD5.items()} == {
        k: hashes[0] for k, hashes in published.items()
    }


@pytest.mark.parametrize(
    ("build", "arguments", "published"),
    [
        (v1.mobilenet_v1, {"alpha": 0.3}, "1.0, 0.75, 0.5, 0.25"),
        (v2.mobilenet_v2, {"alpha": 0.25}, "0.35, 0.5, 0.75, 1.0, 1.3, 1.4"),
        (
            v3.mobilenet_v3_small,
            {"alpha": 0.75, "minimalistic": True},
            "small_minimalistic_224_1.0",
        ),
    ],
)
def test_never_published_names_what_was(build, arguments, published):
    with pytest.raises(
        ValueError, match=f"no imagenet weights.*{re.escape(published)}"
    ):
        build(SHAPE, weights="imagenet", **arguments)


def test_failed_download_is_one_clear_error(monkeypatch):
    def get_file(*_, **__):
        raise Exception("URL fetch failure: no network")

    monkeypatch.setattr(keras.utils, "get_file", get_file)
    with pytest.raises(
        ConnectionError, match="cannot download https.*no network.*path"
    ):
        tiny_v1(weights="imagenet")


def test_missing_file():
    with pytest.raises(FileNotFoundError, match="'imagenet' or a file.*imagenett"):
        mlp(weights="imagenett")


def test_file_of_something_else(tmp_path):
    path = tmp_path / "x.weights.h5"
    path.write_bytes(b"not weights")
    with pytest.raises(ValueError, match="x.weights.h5 is not a file of Keras weights"):
        mlp(weights=path)


@pytest.mark.parametrize("suffix", [".weights.h5", ".keras"])
def test_damaged_file(suffix, tmp_path):
    """Truncated, and with the middle overwritten."""
    path = tmp_path / f"x{suffix}"
    _save(mlp((4, 4, 1), 3, hidden=(64,)), path)
    data = path.read_bytes()
    half = len(data) // 2
    for damaged in (data[:half], data[: half // 8] + b"?" * half + data[-half:]):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match="not a file of Keras weights"):
            mlp((4, 4, 1), 3, hidden=(64,), weights=path)


@pytest.mark.parametrize("suffix", [".weights.h5", ".keras"])
def test_another_architecture(suffix, tmp_path):
    """The file has one hidden layer less, then one more."""
    _save(mlp((4, 4, 1), 3, hidden=(4, 4)), tmp_path / f"two{suffix}")
    for hidden in ((4,), (4, 4, 4)):
        with pytest.raises(ValueError, match="two.*: weights of another architecture"):
            mlp((4, 4, 1), 3, hidden=hidden, weights=tmp_path / f"two{suffix}")


def test_another_width_names_both_sides_and_changes_nothing(legacy_file):
    model = v1.mobilenet_v1(SHAPE, alpha=0.5)
    before = model.get_weights()
    with pytest.raises(
        ValueError,
        match=r"theirs.h5 .* mobilenet_v1: .*'conv1'.*\(3, 3, 3, 8\).*'stem'.*3, 16\)",
    ):
        load_weights(model, legacy_file)
    for old, new in zip(before, model.get_weights()):
        np.testing.assert_array_equal(old, new)


def test_grey_images_do_not_take_colour_weights(legacy_file):
    with pytest.raises(ValueError, match="number of channels"):
        v1.mobilenet_v1((32, 32, 1), alpha=0.25, weights=legacy_file)


def test_head_with_other_inputs_is_not_taken_for_another_class_count(tmp_path):
    mlp((4, 4, 1), 3, hidden=()).save_weights(tmp_path / "x.weights.h5")
    with pytest.raises(ValueError, match=r"\(16, 3\).*\(25, 2\)"):
        mlp((5, 5, 1), 2, hidden=(), weights=tmp_path / "x.weights.h5")


def test_keras_files_hold_their_layers_in_order(tmp_path):
    """The reader relies on it: config.json lists the layers as weights count them."""
    lenet.lenet_1989().save(tmp_path / "x.keras")
    with zipfile.ZipFile(tmp_path / "x.keras") as archive:
        config = json.loads(archive.read("config.json"))
    names = [layer["config"]["name"] for layer in config["config"]["layers"]]
    assert names == [layer.name for layer in lenet.lenet_1989().layers]
