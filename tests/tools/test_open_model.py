"""Models and pictures by what a person calls them."""

import json

import keras
import numpy as np
import pytest
from absl import app
from keras import layers
from PIL import Image

from kcv import data
from kcv.tools import open_model, open_pictures


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run with its model and metrics.json."""
    folder = tmp_path_factory.mktemp("run")
    images = keras.Input((8, 8, 1), name="images")
    x = layers.Dense(10, name="predictions")(layers.Flatten()(images))
    keras.Model(images, x).save(folder / "model.keras")
    train = data.source("digits", "train")
    run = {
        "model": "lenet5",
        "pixel_range": [0, 2],
        "data": "digits",
        "data_fingerprint": {"train": train.fingerprint, "test": "other"},
        "flags": {"seed": 0},
    }
    (folder / "metrics.json").write_text(json.dumps(run))
    return folder


def test_a_run_by_its_folder_or_file(folder):
    for name in (folder, folder / "model.keras"):
        opened = open_model.open_model(str(name))
        assert opened.image_shape == (8, 8, 1) and opened.pixel_range == (0, 2)
        assert opened.run["data"] == "digits" and opened.weights == "its own weights"
    opened = open_model.open_model(str(folder), values=["-1", "1"], image_size=8)
    assert opened.pixel_range == (-1, 1)
    split = open_model.open_split(opened.run, opened.path, "train")
    assert split.num_examples == 1295
    with pytest.raises(ValueError, match="the test images of digits have changed"):
        open_model.open_split(opened.run, opened.path, "test")
    assert open_model.pixel_range({"model": "lenet5"}, folder) == (-0.1, 1.175)
    assert open_model.pixel_range({}, folder, None, "lenet5") == (-0.1, 1.175)


def test_a_name_of_the_zoo(folder):
    opened = open_model.open_model("mlp", image_size=16)
    assert opened.image_shape == (16, 16, 1) and opened.run == {}
    assert opened.weights == open_model.RANDOM
    again = open_model.open_model("mlp", image_size=16)
    other = open_model.open_model("mlp", image_size=16, seed=1)
    kernels = [each.model.get_weights()[0] for each in (opened, again, other)]
    np.testing.assert_array_equal(kernels[0], kernels[1])
    assert (kernels[0] != kernels[2]).any()
    path = folder / "mlp.weights.h5"
    other.model.save_weights(path)
    loaded = open_model.open_model("mlp", weights=str(path), image_size=16)
    np.testing.assert_array_equal(loaded.model.get_weights()[0], kernels[2])
    assert loaded.weights == str(path)


def test_what_cannot_be_opened(folder, tmp_path):
    with pytest.raises(ValueError, match="--model=nothing is neither the folder of a"):
        open_model.open_model("nothing")
    with pytest.raises(FileNotFoundError, match="has no model.keras: it is not a fin"):
        open_model.open_model(str(tmp_path))
    with pytest.raises(FileNotFoundError, match="--model=no.keras does not exist"):
        open_model.open_model("no.keras")
    with pytest.raises(app.UsageError, match="--weights=imagenet are for a name in"):
        open_model.open_model(str(folder), weights="imagenet")
    with pytest.raises(app.UsageError, match="--image_size=9, but .* takes 8 x 8"):
        open_model.open_model(str(folder), image_size=9)
    images = keras.Input((None, None, 3))
    path = tmp_path / "any.keras"
    keras.Model(images, layers.GlobalAveragePooling2D()(images)).save(path)
    with pytest.raises(ValueError, match="takes images of any size: give --image_size"):
        open_model.open_model(str(path), values=[0, 1])
    opened = open_model.open_model(str(path), values=[0, 1], image_size=20)
    assert opened.image_shape == (20, 20, 3)
    (tmp_path / "metrics.json").write_text("[]")
    with pytest.raises(ValueError, match="metrics.json must hold an object"):
        open_model.open_model(str(path))


def test_pictures_without_classes(tmp_path):
    """Oracle: Pillow. Hidden files and other files are none."""
    pixels = np.random.default_rng(0).integers(0, 255, (3, 9, 7, 3), np.uint8)
    for name, image in zip(("b.png", "a.png", ".c.png"), pixels):
        Image.fromarray(image).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no picture")
    assert open_pictures.is_flat(tmp_path)
    assert not open_pictures.is_flat(tmp_path / "a.png")
    source = open_pictures.open_folder(tmp_path)
    assert source.num_examples == 2 and source.class_names == ()
    assert open_pictures.paths_of(source) == [f"{tmp_path}/{n}.png" for n in "ab"]
    batch = next(iter(data.batches(source, 2, (9, 7, 3), (0, 255))))
    np.testing.assert_array_equal(batch["images"], pixels[[1, 0]])
    assert batch["labels"].numpy().tolist() == [-1, -1]
    images, names, classes = open_pictures.with_labels(source, [1])
    np.testing.assert_array_equal(np.asarray(images[0]), pixels[0])
    assert names == [None] and classes == []
    assert open_pictures.files_at(tmp_path) == open_pictures.paths_of(source)
    assert open_pictures.files_at("a.png") == ["a.png"]
    (tmp_path / "class").mkdir()
    assert not open_pictures.is_flat(tmp_path)  # that is a folder of class folders
    with pytest.raises(ValueError, match="--images=.*class has no pictures: looked"):
        open_pictures.files_at(tmp_path / "class")
    for name in "ab":
        (tmp_path / f"{name}.png").write_bytes(b"torn")
    with pytest.raises(ValueError, match="not one picture in .* can be read"):
        open_pictures.open_folder(tmp_path, max_bad_share=1.0)


def test_some_records_of_a_stream():
    """A stream gives the same records as random access, in the order asked for."""
    digits = data.source("digits", "test")
    rows = [7, 0, 7, 3]
    stream = digits._replace(records=None)
    for one, other in zip(*(open_pictures.some(s, rows) for s in (digits, stream))):
        np.testing.assert_array_equal(one["images"], other["images"])
    images, names, classes = open_pictures.with_labels(digits, rows)
    assert images[0].mode == "L" and names[0] == names[2]
    assert classes == [str(i) for i in range(10)]
    assert open_pictures.paths_of(digits) == []
    clips = digits._replace(keys={"frames": None, "labels": None})
    with pytest.raises(ValueError, match="has no images: its records have frames, lab"):
        open_pictures.some(clips, rows)
