import classics_reference as reference
import keras
import numpy as np
import pytest
from residual_checks import pictures, shapes_only

from kcv.models.detection.bodies import (
    BODIES,
    Body,
    body_features,
    body_maps,
    body_of,
    map_sizes,
)

QUICK = ("mobilenet_v1", "mobilenet_v2", "vgg16", "darknet19", "resnet18")
SIZE = (77, 102)  # odd and even sides at every level


def shapes(name, size, output_stride=32):
    """Of the maps; bodies of any width are thin."""
    keras.backend.clear_session()
    alpha = 0.25 if BODIES[name].scaled else 1.0
    with shapes_only():
        maps = body_features(keras.Input((*size, 3)), name, alpha, output_stride)
    return {level: x.shape[1:] for level, x in maps.items()}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in QUICK else pytest.mark.slow)
        for name in BODIES
        if name not in ("resnet34", "resnet101", "resnet152")  # of the same blocks
    ],
)
def test_sizes_of_maps_are_foretold(name):
    """Without building the body; at the smallest image, too."""
    found = shapes(name, SIZE)
    assert list(found) == ["C1", "C2", "C3", "C4", "C5"]
    sizes = {level: shape[:2] for level, shape in found.items()}
    assert sizes == map_sizes(SIZE, name)
    smallest = BODIES[name].minimum
    assert map_sizes((smallest, smallest), name)["C5"] == (1, 1)


def test_sizes_by_pencil():
    """300 halves to 150, 75, 38 or 37, 19 or 18, 10 or 9; 224 has no odd side."""
    assert map_sizes((300, 224), "resnet50")["C5"] == (10, 7)
    assert map_sizes((300, 224), "vgg16")["C4"] == (18, 14)
    assert map_sizes((300, 224), "mobilenet_v1")["C5"] == (9, 7)
    assert map_sizes((299, 299), "inception_v3") == {
        "C1": (147, 147), "C2": (71, 71), "C3": (35, 35), "C4": (17, 17), "C5": (8, 8),
    }  # fmt: skip


@pytest.mark.parametrize("stride", [16, 8])
def test_finer_maps(stride):
    found = shapes("mobilenet_v1", (64, 96), stride)
    sizes = {level: shape[:2] for level, shape in found.items()}
    assert sizes == map_sizes((64, 96), "mobilenet_v1", stride)
    assert sizes["C5"] == (64 // stride, 96 // stride)


@pytest.mark.parametrize("stride", [32, 16])
def test_maps_with_a_place_for_every_anchor(stride):
    """VGG's maps of 77 x 102 are rounded down; zeros come on, those behind first."""
    keras.backend.clear_session()
    images = keras.Input((77, 102, 3))
    maps = body_maps(images, "vgg16", 0.0625, stride, ("C3", "C5"))
    sizes = {level: x.shape[1:3] for level, x in maps.items()}
    assert sizes == {"C3": (10, 13), "C5": (3, 4) if stride == 32 else (5, 7)}
    own = body_features(images, "vgg16", 0.0625, stride)["C3"]
    assert own.shape[1:3] == (9, 12)
    model = keras.Model(images, maps)
    inner = keras.Model(images, [model.get_layer("block4_conv3").output, maps["C3"]])
    own, padded = map(np.asarray, inner(pictures(1, (77, 102))))
    np.testing.assert_array_equal(padded[:, :9, :12], own)
    assert not padded[:, 9].any() and not padded[:, :, 12].any()
    again = body_maps(keras.Input((64, 64, 3)), "vgg16", 0.0625, levels=("C4",))["C4"]
    assert again.shape[1:3] == (4, 4)


def test_dilated_maps_of_darknet19_hold_the_usual_ones():
    def narrow(images, output_stride):
        return body_features(images, "darknet19", 1 / 16, output_stride)

    reference.check_dilated(narrow, (64, 96, 3), {16: {}, 8: {}})


def test_alpha_is_the_width():
    assert shapes("mobilenet_v1", (64, 64))["C5"] == (2, 2, 256)
    assert shapes("resnet18", (64, 64))["C5"] == (2, 2, 512)


def test_rows():
    """The bodies of the paper's grid; each row can be asked for."""
    grid = {"vgg16", "resnet101", "inception_v2", "inception_v3", "mobilenet_v1"}
    assert grid | {"inception_resnet_v2"} <= set(BODIES)
    assert all(isinstance(body_of(name), Body) for name in BODIES)


@pytest.mark.parametrize(
    ("name", "alpha", "message"),
    [
        ("resnet19", 1.0, "no body 'resnet19'; known: resnet18, resnet34"),
        ("resnet50", 0.5, "resnet50 has no alpha, got 0.5; these have: darknet19, inc"),
    ],
)
def test_refused(name, alpha, message):
    with pytest.raises(ValueError, match=message):
        body_features(keras.Input((64, 64, 3)), name, alpha)
