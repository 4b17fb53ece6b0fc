import keras
import numpy as np
import pytest

from kcv.models.detection.fpn import add_pooled_level, add_strided_levels, fpn

RNG = np.random.default_rng(0)
CHANNELS = {"C3": 4, "C4": 6, "C5": 8}


def sides(image_size, level):
    return [-(-side // 2**level) for side in image_size]


def neck(image_size=(56, 72), filters=5, more=None):
    """56 x 72 pixels give maps of 7x9, 4x5 and 2x3: two odd sides at a time."""
    maps = {
        name: keras.Input((*sides(image_size, int(name[1])), channels), name=name)
        for name, channels in CHANNELS.items()
    }
    pyramid = fpn(maps, filters)
    model = keras.Model(maps, more(pyramid, maps) if more else pyramid)
    inputs = {
        name: RNG.normal(size=(2, *x.shape[1:])).astype("float32")
        for name, x in maps.items()
    }
    for weight in model.weights:
        weight.assign(RNG.normal(size=weight.shape) / np.sqrt(weight.shape[0] + 9))
    return model, inputs


def convolve(x, layer, step=1):
    """Slow and obvious, zeros around, every `step`-th pixel."""
    kernel, bias = (np.asarray(w, "float64") for w in layer.weights)
    half = kernel.shape[0] // 2
    padded = np.pad(x, ((0, 0), (half, half), (half, half), (0, 0)))
    out = np.zeros((*x.shape[:3], kernel.shape[-1])) + bias
    for dy in range(kernel.shape[0]):
        for dx in range(kernel.shape[1]):
            rows, columns = x.shape[1:3]
            out += padded[:, dy : dy + rows, dx : dx + columns] @ kernel[dy, dx]
    return out[:, ::step, ::step]


def test_equals_figure_3_pixel_by_pixel():
    model, inputs = neck()
    found = model(inputs)
    assert list(found) == ["P3", "P4", "P5"]
    above = None
    for level in (5, 4, 3):
        x = convolve(inputs[f"C{level}"], model.get_layer(f"fpn_lateral{level}"))
        if above is not None:
            for row in range(x.shape[1]):
                for column in range(x.shape[2]):
                    x[:, row, column] += above[:, row // 2, column // 2]
        above = x
        expected = convolve(x, model.get_layer(f"fpn_output{level}"))
        np.testing.assert_allclose(found[f"P{level}"], expected, atol=1e-4)


def test_parameters_by_pencil():
    """Three 1x1 from 4, 6 and 8 channels and three 3x3, each with its bias."""
    model, _ = neck()
    assert model.count_params() == (4 + 6 + 8) * 5 + 3 * 9 * 5 * 5 + 6 * 5


def test_strided_levels_have_a_relu_between_and_their_anchors_places():
    model, inputs = neck((144, 96), 5, lambda p, c: add_strided_levels(p, c["C5"]))
    found = model(inputs)
    assert {name: list(x.shape[1:3]) for name, x in found.items()} == {
        f"P{level}": sides((144, 96), level) for level in (3, 4, 5, 6, 7)
    }
    p6 = convolve(inputs["C5"], model.get_layer("fpn_output6"), 2)
    np.testing.assert_allclose(found["P6"], p6, atol=1e-4)
    p7 = convolve(np.maximum(p6, 0), model.get_layer("fpn_output7"), 2)
    np.testing.assert_allclose(found["P7"], p7, atol=1e-4)


def test_pooled_level_is_every_second_pixel():
    model, inputs = neck(more=lambda pyramid, _: add_pooled_level(pyramid))
    found = model(inputs)
    assert list(found) == ["P3", "P4", "P5", "P6"]
    np.testing.assert_array_equal(found["P6"], np.asarray(found["P5"])[:, ::2, ::2])


def test_gap_between_levels_is_refused():
    maps = {name: keras.Input((8, 8, 4)) for name in ("C3", "C5")}
    with pytest.raises(ValueError, match="got C3, C5: add those between"):
        fpn(maps)
