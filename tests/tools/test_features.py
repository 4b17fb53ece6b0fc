"""Features of a layer: what they are, what they are good for, and the script."""

import json
import os

import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image
from script_calls import several

from kcv import zoo
from kcv.data import preprocess
from kcv.layers.attention import Attention
from kcv.tools import neighbours
from kcv.tools.feature_layer import default_layer, feature_network

RNG = np.random.default_rng(0)


def test_neighbours_by_hand():
    """Pencil: by the angle, not by the length; a query is never its own neighbour."""
    rows = np.array([[1.0, 0], [0, 1], [9, 1], [1, 1], [1, 0]], "float32")
    found, cosines = neighbours.nearest(rows, np.array([0]), np.array([1, 2, 3]), 2)
    assert found.tolist() == [[2, 3]]
    np.testing.assert_allclose(cosines[0], [9 / 82**0.5, 0.5**0.5], atol=1e-6)
    everyone = np.arange(5)
    found, cosines = neighbours.nearest(rows, everyone, everyone, 4)
    assert all(sorted([i, *row]) == [0, 1, 2, 3, 4] for i, row in enumerate(found))
    assert found[0, 0] == 4 and found[4, 0] == 0  # equals find each other
    assert (np.diff(cosines, axis=1) <= 1e-6).all()
    with pytest.raises(ValueError, match="--neighbours=5, but there are 4 to find"):
        neighbours.nearest(rows, everyone, everyone, 5)


def test_votes_by_hand():
    """Two against one, and a tie, in which the nearest decides."""
    labels = np.array([0, 0, 1, 1, 2])
    rows = np.array([[2, 0, 1], [2, 0, 4]])
    asked = [np.array([i, j]) for i in range(5) for j in range(5)]
    right = [neighbours.accuracy_of_votes(labels, queries, rows) for queries in asked]
    expected = [np.mean([labels[i] == 0, labels[j] == 1]) for i, j in asked]
    assert right == expected
    assert neighbours.majority_accuracy(labels[:3]) == 2 / 3


def test_who_asks_whom():
    splits = np.array(["train", "validation", "test", "train"])
    queries, known = neighbours.queries_and_known(splits)
    assert queries.tolist() == [2] and known.tolist() == [0, 3]
    for alone in (["all"] * 3, ["train"] * 3, ["test", "validation", "test"]):
        queries, known = neighbours.queries_and_known(np.array(alone))
        assert queries.tolist() == known.tolist() == [0, 1, 2]


def test_probe_separates_what_is_separable():
    """A line does for two of the classes; for the labels of noise nothing does."""
    labels = np.arange(300) % 3
    rows = np.eye(3)[labels] * [1, 100, 1e4] + RNG.normal(size=(300, 3)) * 0.1
    train, test = np.arange(200), np.arange(200, 300)
    assert neighbours.probe(rows, labels, test, train) == 1.0
    noise = RNG.normal(size=(300, 3))
    assert neighbours.probe(noise, labels, test, train) < 0.6


@pytest.fixture(scope="module")
def model():
    """Maps, a vector, dropout, a classifier, and another output after it."""
    keras.utils.set_random_seed(0)
    images = keras.Input((8, 8, 3), name="images")
    maps = layers.Conv2D(5, 3, activation="relu", name="conv")(images)
    x = layers.Flatten(name="flatten")(maps)
    x = layers.Dense(7, activation="relu", name="hidden")(x)
    x = layers.Dropout(0.5, name="dropout")(x)
    x = layers.Dense(2, activation="softmax", name="predictions")(x)
    return keras.Model(images, x, name="tiny")


def test_default_layer_is_what_the_classifier_sees(model):
    assert default_layer(model) == "hidden"  # dropout does nothing here
    assert default_layer(zoo.build("perceptron")) == "flatten"
    images = keras.Input((8, 8, 3))
    maps = layers.Conv2D(4, 3, name="conv")(images)
    scores = layers.Conv2D(2, 1, name="scores")(maps)
    scores = layers.GlobalAveragePooling2D()(scores)
    assert default_layer(keras.Model(images, scores)) == "conv"
    pooled = layers.GlobalMaxPooling2D(name="pool")(maps)
    boxes = layers.Dense(4, name="sides")(layers.Dense(9)(layers.Flatten()(maps)))
    answers = {"b": boxes, "a": layers.Dense(2, name="predictions")(pooled)}
    assert default_layer(keras.Model(images, answers)) == "pool"
    bare = keras.Model(images, layers.Flatten(name="only")(images), name="bare")
    with pytest.raises(ValueError, match="bare has no weights.* one of .*only"):
        default_layer(bare)


def test_maps_are_averaged(model):
    images = RNG.normal(size=(3, 8, 8, 3)).astype("float32")
    part = keras.Model(model.input, model.get_layer("conv").output)
    expected = np.asarray(part(images)).mean(axis=(1, 2))
    got = feature_network(model, "conv")(images)
    np.testing.assert_allclose(got, expected, atol=1e-6)
    with pytest.raises(ValueError, match="tiny has no layer 'conv9'; it has .*hidden"):
        feature_network(model, "conv9")
    x = layers.Reshape((4, 48))(model.input)
    several = keras.Model(model.input, Attention(2, name="several")([x, x, x])[0])
    with pytest.raises(ValueError, match="'several' gives no features, but several"):
        feature_network(several, "several")


@pytest.fixture(scope="module")
def answers(model, tmp_path_factory):
    """Calls on a folder of red and blue pictures, and on the same without classes."""
    folder = tmp_path_factory.mktemp("features")
    for i in range(40):
        color = ("red", "blue")[i % 2]
        pixels = RNG.integers(0, 90, (20, 16, 3), np.uint8)
        pixels[..., 2 * (i % 2)] += 160
        for file in (
            folder / "classes" / ("train", "test")[i >= 30] / color / f"{i}.png",
            folder / "flat" / f"{color}{i:02}.png",
        ):
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(file)
    whole = (folder / "flat" / "red00.png").read_bytes()
    (folder / "flat" / "torn.png").write_bytes(whole[:200])
    model.save(folder / "tiny.keras")
    tiny = [f"--model={folder}/tiny.keras", "--pixel_range=0,1"]
    classes, flat = f"--data={folder}/classes", f"--data={folder}/flat"
    probed = ["--neighbours=3", "--probe", "--queries=2"]
    calls = {
        "classes": [*tiny, classes, *probed, f"--output={folder}/classes.npz"],
        "flat": [*tiny, flat, "--neighbours=2", f"--output={folder}/flat.npz"],
        "random": ["--model=perceptron", "--data=digits", "--splits=test"]
        + [f"--output={folder}/random.npz", "--layer=predictions"],
        "flat probe": [*tiny, flat, "--probe", f"--output={folder}/no.npz"],
        "too bad": [*tiny, flat, "--max_bad_share=0.01"],
        "no data": tiny,
        "no range": [tiny[0], classes],
        "no layer": [*tiny, classes, "--layer=conv9"],
        "no weights": [*tiny, classes, "--weights=imagenet"],
        "suffix": [*tiny, classes, "--output=features.h5"],
        "picture": [*tiny, classes, "--picture=a.jpg"],
        "positional": [*tiny, "more"],
    }
    return several("features", calls, folder / "cache"), folder


@pytest.mark.slow
def test_the_file_holds_a_forward_pass(answers, model):
    """Oracle: Pillow's preprocessing and the layer, by hand."""
    (code, out, _), folder = answers[0]["classes"], answers[1]
    assert code == 0, out
    with np.load(folder / "classes.npz") as file:
        found = dict(file)
    assert found["embeddings"].shape == (40, 7)
    assert found["embeddings"].dtype == np.float32
    network = feature_network(model, "hidden")
    for path, row, label in zip(found["paths"], found["embeddings"], found["labels"]):
        pixels = preprocess.pillow_preprocess(Image.open(path), (8, 8, 3))
        np.testing.assert_allclose(network(pixels[None] / 255.0)[0], row, atol=0.02)
        assert f"/{found['class_names'][label]}/" in path
    parts = [path.split("classes/")[1].split("/")[0] for path in found["paths"]]
    assert parts.count("test") == 10
    is_test = np.array(parts) == "test"
    assert ((found["splits"] == "test") == is_test).all()
    made_of = json.loads(str(found["made_of"]))
    assert made_of["layer"] == "hidden" and made_of["pixel_range"] == [0, 1]
    assert made_of["versions"]["keras"] == keras.__version__
    assert set(made_of["fingerprints"]) == {"train", "validation", "test"}


@pytest.mark.slow
def test_what_features_are_good_for(answers):
    out, folder = answers[0]["classes"][1], answers[1]
    assert "layer hidden: 7 features a picture" in out
    always = "of 10 right; always the most frequent class: 50.00%"
    assert f"3 nearest neighbours: 100.00% {always}" in out
    assert f"linear probe: 100.00% {always}" in out
    with Image.open(folder / "classes.png") as picture:
        assert picture.width == 4 * 178 + 18  # a query and three neighbours
        assert (0, 158, 115) in {color for _, color in picture.getcolors(1 << 20)}


@pytest.mark.slow
def test_pictures_without_classes(answers):
    (code, out, _), folder = answers[0]["flat"], answers[1]
    assert code == 0 and "all 40" in out and "right" not in out
    with np.load(folder / "flat.npz") as file, np.load(folder / "classes.npz") as other:
        assert (file["labels"] == -1).all() and not len(file["class_names"])
        names = [os.path.basename(path) for path in file["paths"]]
        assert names[0] == "blue01.png" and "torn.png" not in names
        row = file["embeddings"][names.index("red00.png")]
        (at,) = [i for i, path in enumerate(other["paths"]) if path.endswith("/0.png")]
        np.testing.assert_allclose(row, other["embeddings"][at], atol=1e-5)
    assert (folder / "flat.png").exists()


@pytest.mark.slow
def test_random_weights_are_told(answers):
    code, out, _ = answers[0]["random"]
    assert code == 0 and "perceptron has random weights" in out
    with np.load(answers[1] / "random.npz") as file:
        assert file["embeddings"].shape == (342, 10) and not len(file["paths"])
        np.testing.assert_allclose(file["embeddings"].sum(axis=1), 1, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    "what, code, words",
    [
        ("flat probe", 1, "--probe needs classes, and the splits train and test"),
        ("too bad", 1, "1 of 41 images (2%)"),
        ("no data", 1, "names the data: give --data"),
        ("no range", 1, "give --zoo_name or --pixel_range"),
        ("no layer", 1, "tiny has no layer 'conv9'; it has"),
        ("no weights", 2, "--weights=imagenet are for a name in the zoo"),
        ("suffix", 2, "--output=features.h5: the name must end in .npz"),
        ("picture", 2, "--picture=a.jpg: the name must end in .png"),
        ("positional", 2, "no positional arguments, got more"),
    ],
)
def test_wrong_calls_are_one_line(answers, what, code, words):
    got, _, error = answers[0][what]
    line = error.splitlines()[-1]
    assert got == code and line.startswith("error: ") and words in line
