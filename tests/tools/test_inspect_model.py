"""Sheets of what a model looks at: their content, and the script."""

import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image
from script_calls import several

from kcv import zoo
from kcv.tools import inspect_layers, inspect_sheets
from kcv.tools.inspect_sheets import Look

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def model():
    """Sees class 1 where the upper left is bright: one kernel, no learning."""
    images = keras.Input((12, 12, 1), name="images")
    x = layers.Conv2D(2, 3, padding="same", activation="relu", name="conv")(images)
    x = layers.AveragePooling2D(2, name="pool")(x)
    x = layers.Conv2D(2, 1, activation="tanh", name="mixed")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(3, activation="softmax", name="predictions")(x)
    model = keras.Model(images, x, name="corner")
    kernel = np.zeros((3, 3, 1, 2))
    kernel[1, 1] = [1, 0.5]
    model.get_layer("conv").set_weights([kernel, np.zeros(2)])
    mixing = np.eye(2)[None, None]
    model.get_layer("mixed").set_weights([mixing, np.zeros(2)])
    weights = np.zeros((6, 6, 2, 3))
    weights[:3, :3, 0, 1] = 1
    model.get_layer("predictions").set_weights([weights.reshape(72, 3), np.zeros(3)])
    return model


def look(model, **changes):
    """Two pictures, of which the second is dark."""
    images = np.zeros((2, 12, 12, 1), "float32")
    images[0, :6, :6] = 1
    values = {
        "model": model,
        "images": images,
        "pictures": [np.uint8(255 * image) for image in images],
        "truths": ["b", "c"],
        "labels": ["a", "b", "c"],
        "answers": model.predict_on_batch(images),
        "wanted": None,
        "layer": None,
        "channels": [],
        "square": None,
    }
    return Look(**values | changes)


def halves(tile):
    """Mean brightness of the upper left quarter and of the lower right one."""
    side = tile.picture.shape[0] // 2
    return tile.picture[:side, :side].mean(), tile.picture[side:, side:].mean()


def test_which_kinds_a_model_has(model):
    kinds = ["filters", "maps", "occlusion", "deconvnet", "grad_cam"]
    assert inspect_sheets.kinds_of(model) == kinds
    assert inspect_sheets.kinds_of(model, "pool") == kinds[1:]
    assert inspect_sheets.kinds_of(model, "flatten") == ["occlusion"]
    assert inspect_sheets.kinds_of(zoo.build("mlp")) == ["occlusion"]
    assert "deconvnet" not in inspect_sheets.kinds_of(zoo.build("lenet5"))  # tanh
    with pytest.raises(ValueError, match="corner has no layer 'conv9'"):
        inspect_sheets.kinds_of(model, "conv9")


def test_which_layers_tell_most(model):
    assert inspect_layers.first_kernels(model) == "conv"
    assert inspect_layers.stages(model) == ["conv", "mixed"]
    assert inspect_layers.last_rectified(model) == "conv"
    assert inspect_layers.last_large_maps(model) == "mixed"
    images = keras.Input((12, 12, 3))
    x = layers.Conv2D(2, 1, name="points")(images)
    x = layers.ReLU(name="large")(x)
    x = layers.Dropout(0.5, name="dropout")(x)
    x = layers.MaxPooling2D(6, name="small")(x)
    small = keras.Model(images, layers.ReLU(name="last")(x))
    assert inspect_layers.first_kernels(small) == "points"
    assert inspect_layers.last_large_maps(small) == "large"
    assert inspect_layers.last_rectified(small) == "large"
    bare = keras.Model(images, layers.Flatten()(images), name="bare")
    assert inspect_layers.first_kernels(bare) is None
    assert inspect_layers.last_rectified(bare) is None
    for function in (inspect_layers.stages, inspect_layers.last_large_maps):
        with pytest.raises(ValueError, match="bare has no layer with maps"):
            function(bare)
    with pytest.raises(ValueError, match="bare has no layer with kernels"):
        inspect_sheets.filters(look(model)._replace(model=bare))
    with pytest.raises(ValueError, match="bare has no ReLU with maps"):
        inspect_sheets.deconvnets(look(model)._replace(model=bare))


def test_titles_say_answer_truth_and_probability(model):
    rows = inspect_sheets.occlusion(look(model))
    assert rows[0][0].title == "b, 99.8 %"
    assert rows[1][0].title == "a, 33.3 %, is c"
    assert rows[0][1].title == "b with 3 x 3 pixels covered there"
    logits = look(model, answers=np.array([[1.0, 2, 9.5], [0, 4, 1]]), labels=[])
    rows = inspect_sheets.occlusion(logits._replace(wanted=1, square=5))
    assert rows[0][0].title == "class 2, 9.5, is b"
    assert rows[0][1].title == "class 1 with 5 x 5 pixels covered there"


def test_maps_of_heat_lie_where_the_model_looks(model):
    for sheet in (inspect_sheets.occlusion, inspect_sheets.grad_cams):
        rows = sheet(look(model, wanted=1))
        near, far = halves(rows[0][1])
        assert near > 2 * far
        assert rows[0][1].legend is not None


def test_deconvnet_and_maps_of_channels(model):
    rows = inspect_sheets.deconvnets(look(model))
    assert [tile.title for tile in rows[0][1:]] == ["conv 0: 1", "conv 1: 0.5"]
    # Outside of the strongest unit's field, a pixel and its neighbours, all is grey.
    back = rows[0][1].picture
    assert (back[-1, -1] == 128).all() and back.max() == 255
    rows = inspect_sheets.feature_maps(look(model, layer="conv", channels=[1]))
    assert rows[0][1].title == "conv: 12 x 12, 1 of 2"
    near, far = halves(rows[0][1])
    assert near > far
    rows = inspect_sheets.feature_maps(look(model))
    assert [tile.title.split(":")[0] for tile in rows[1][1:]] == ["conv", "mixed"]


def test_filters_of_a_layer(model):
    [[tile]] = inspect_sheets.filters(look(model))
    assert tile.title == "conv: 2 filters, 3 x 3 x 1"
    assert tile.picture.shape == (56, 108, 3)
    [[tile]] = inspect_sheets.filters(look(model, layer="mixed"))
    assert tile.title == "mixed: 2 filters, 1 x 1 x 2"


def test_layers_and_channels_that_do_not_fit(model):
    with pytest.raises(ValueError, match="layer 'flatten' has no kernels"):
        inspect_sheets.filters(look(model, layer="flatten"))
    for sheet in (inspect_sheets.feature_maps, inspect_sheets.deconvnets):
        with pytest.raises(ValueError, match="layer 'flatten' gives .72,., no maps"):
            sheet(look(model, layer="flatten"))
        with pytest.raises(ValueError, match="layer 'conv' has 2 channels, no 2"):
            sheet(look(model, layer="conv", channels=[2]))


@pytest.fixture(scope="module")
def answers(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("inspected")
    model.save(folder / "corner.keras")
    images = keras.Input((4,))
    keras.Model(images, layers.Dense(2)(images)).save(folder / "flat.keras")
    images = keras.Input((8, 8, 1))
    keras.Model(images, layers.Conv2D(2, 1)(images)).save(folder / "maps.keras")
    (folder / "pictures").mkdir()
    (folder / "empty").mkdir()
    for name in ("a.png", "b.png"):
        pixels = RNG.integers(0, 255, (40, 30), np.uint8)
        Image.fromarray(pixels).save(folder / "pictures" / name)
    (folder / "torn.png").write_bytes(b"\x89PNG\r\n")
    corner = [f"--model={folder}/corner.keras", "--pixel_range=0,1"]
    given = f"--images={folder}/pictures"
    vit = ["--model=vit_ti16", "--image_size=32", given]
    calls = {
        "all": [*corner, given],
        "digits": [*corner, "--data=digits", "--count=1", "--what=maps"],
        "vit": [*vit, "--what=attention"],
        "kernels": [*corner, "--what=filters"],
        "what": [*corner, "--what=filters,everything"],
        "channel": [*corner, given, "--channel=one"],
        "class": [*corner, given, "--class=cat"],
        "no attention": [*corner, given, "--what=attention"],
        "missing": [*corner, "--images=missing.png"],
        "torn": [*corner, f"--images={folder}/torn.png"],
        "empty": [*corner, f"--images={folder}/empty"],
        "no data": [*corner],
        "flat": [f"--model={folder}/flat.keras", given, "--pixel_range=0,1"],
        "maps": [f"--model={folder}/maps.keras", given, "--pixel_range=0,1"],
        "positional": [*corner, "more"],
    }
    for what, call in calls.items():
        call.append(f"--output_dir={folder}/{what}")
    calls["no folder"] = [*corner, given]
    return several("inspect_model", calls, folder / "cache"), folder


@pytest.mark.slow
def test_a_picture_a_kind(answers):
    (code, out, error), folder = answers[0]["all"], answers[1]
    assert code == 0, error
    kinds = ["filters", "maps", "occlusion", "deconvnet", "grad_cam"]
    assert out.splitlines() == [f"wrote {folder}/all/{kind}.png" for kind in kinds]
    assert sorted(path.name for path in (folder / "all").iterdir()) == sorted(
        f"{kind}.png" for kind in kinds
    )
    with Image.open(folder / "all" / "grad_cam.png") as picture:
        assert picture.width > 4 * 180  # two pairs side by side, 192 px wide each
    assert (folder / "digits" / "maps.png").exists()
    assert (folder / "kernels" / "filters.png").exists()


@pytest.mark.slow
def test_attention_of_a_transformer(answers):
    code, out, _ = answers[0]["vit"]
    assert code == 0 and "vit_ti16 has random weights" in out
    assert (answers[1] / "vit" / "attention.png").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    "what, code, words",
    [
        ("what", 2, "--what=everything: known are filters, maps, occlusion"),
        ("channel", 2, "--channel=one: give numbers"),
        ("class", 1, "--class=cat: give a number up to 2"),
        ("no attention", 1, "corner has no attention layers: build a ViT"),
        ("missing", 1, "missing.png: no such file"),
        ("torn", 1, "torn.png: cannot be read as an image"),
        ("empty", 1, "has no pictures: looked for .bmp"),
        ("no data", 1, "names the data: give --data"),
        ("flat", 1, "takes [(4,)]: one input (height, width, 1 or 3) is needed"),
        ("maps", 1, "it is no classifier of images"),
        ("positional", 2, "no positional arguments, got more"),
        ("no folder", 2, "flag --output_dir"),
    ],
)
def test_wrong_calls_are_one_line(answers, what, code, words):
    got, _, error = answers[0][what]
    line = error.splitlines()[-1]
    assert got == code and line.startswith("error: ") and words in line
