"""The CIFAR nets against a slow reference, whole."""

import keras
import numpy as np
import pytest
from residual_checks import (
    Reference,
    assert_close,
    assert_lives,
    count,
    export,
    pictures,
    randomize,
    relu,
    shapes_only,
)

from kcv.models.classification import cifar_resnet as nets


@pytest.mark.parametrize("shortcut", ["A", "B", None])
def test_whole_net_by_hand(shortcut):
    """Six layers and two: stage 1 at stride 1, stages 2 and 3 at stride 2."""
    images = keras.Input((9, 12, 3))
    maps = nets.cifar_resnet_features(images, 8, shortcut)
    model = keras.Model(images, maps)
    randomize(model, pictures(8, (9, 12)))
    batch, run = pictures(2, (9, 12), seed=2), Reference(model)
    found = model(batch, training=False)
    x = relu(run.bn(run.conv(batch, "stem"), "stem"))
    for level, strides in enumerate((1, 2, 2)):
        name = f"stage{level + 1}_1"
        y = relu(run.bn(run.conv(x, f"{name}_conv1", strides), f"{name}_conv1"))
        y = run.bn(run.conv(y, f"{name}_conv2"), f"{name}_conv2")
        if shortcut is None:
            x = 0
        elif strides == 2 and shortcut == "A":
            x = x[:, ::2, ::2]
            x = np.concatenate([x, 0 * x], axis=-1)
        elif strides == 2:
            x = run.bn(run.conv(x, f"{name}_shortcut", 2), f"{name}_shortcut")
        x = relu(x + y)
        assert_close(found[f"C{level}"], x)


@pytest.mark.parametrize(
    ("name", "parameters", "trained"),
    [  # the trained are those of imgclsmob
        ("cifar_resnet20", 274_042, 272_474),
        pytest.param("cifar_resnet56", 860_026, 855_770, marks=pytest.mark.slow),
        pytest.param("cifar_resnet110", 1_739_002, 1_730_714, marks=pytest.mark.slow),
    ],
)
def test_parameters_with_projections(name, parameters, trained):
    with shapes_only():
        model = getattr(nets, name)(shortcut="B")
    assert count(model) == (parameters, trained)


def test_plain_has_no_addition():
    kinds = {type(layer).__name__ for layer in nets.cifar_plain20().layers}
    assert "Add" not in kinds and "PadChannels" not in kinds


def test_errors():
    images = keras.Input((32, 32, 3))
    with pytest.raises(ValueError, match=r"must be 6n \+ 2, as 20, 56 or 110, got 21"):
        nets.cifar_resnet_features(images, 21)
    with pytest.raises(ValueError, match="must be 'A', 'B' or None, got 'C'"):
        nets.cifar_resnet20(shortcut="C")
    with pytest.raises(ValueError, match="at least 4 pixels"):
        nets.cifar_resnet20((3, 4, 3))


def test_smallest_and_any_size():
    nets.cifar_resnet20((4, 4, 3))
    maps = nets.cifar_resnet_features(keras.Input((None, None, 3)), 8)
    assert maps["C2"].shape == (None, None, None, 64)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cifar_resnet20", "cifar_plain20"])
def test_life(name, tmp_path):
    assert_lives(getattr(nets, name)((12, 9, 3), 4), tmp_path)


@pytest.mark.slow
def test_export(tmp_path):
    """The plain one is a part of it."""
    export(nets.cifar_resnet20((16, 16, 3), 4), tmp_path)
