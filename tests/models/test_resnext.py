"""ResNeXt: grouped convolutions equal the paper's other drawing and, alone, ResNet."""

import keras
import numpy as np
import pytest
from residual_checks import (
    Reference,
    assert_close,
    assert_dilated_equals_strided,
    assert_lives,
    convolve,
    count,
    export,
    pictures,
    randomize,
    relu,
    shapes_only,
)

from kcv.models.classification import resnet, resnext

applications = keras.src.applications.resnet


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setattr(resnext, "BLOCKS", {depth: (2, 1, 1, 1) for depth in (50, 101)})


@pytest.mark.parametrize("strides", [1, 2])
def test_groups_are_the_sum_of_paths(strides):
    """Figure 3 (a): four paths, each with its own 1x1, 3x3 and 1x1, added up."""
    images = keras.Input((5, 6, 3))
    x = resnet.bottleneck_of_width(images, 64, strides, (1, 1), "b", 8, groups=4)
    model = keras.Model(images, x)
    randomize(model, pictures(8, (5, 6)))
    x, run = pictures(2, (5, 6), seed=2), Reference(model)
    kernels = [model.get_layer(f"b_conv{i}").kernel.numpy() for i in (1, 2, 3)]
    total = 0
    first = relu(run.bn(convolve(x, kernels[0]), "b_conv1"))
    second = []
    for path in np.split(np.arange(8), 4):  # two filters each
        second.append(convolve(first[..., path], kernels[1][..., path], strides))
    second = relu(run.bn(np.concatenate(second, axis=-1), "b_conv2"))
    for path in np.split(np.arange(8), 4):
        total = total + convolve(second[..., path], kernels[2][:, :, path])
    shortcut = run.bn(run.conv(x, "b_shortcut", strides), "b_shortcut")
    expected = relu(shortcut + run.bn(total, "b_conv3"))
    assert_close(model(x, training=False), expected)


def _stride_in_the_3x3(layer):
    """keras.applications has it in the 1x1; at odd sizes "same" is symmetric."""
    config = layer.get_config()
    if layer.name.endswith("block1_1_conv"):
        config["strides"] = (1, 1)
    if layer.name.endswith("block1_2_conv") and not layer.name.startswith("conv2"):
        config["strides"] = (2, 2)
    return type(layer).from_config(config)


def test_cardinality_one_is_resnet(short):
    """ResNet of keras.applications, its strides moved and its biases gone."""
    size = (65, 33)

    def stack(x):
        for stage, repeats in enumerate((2, 1, 1, 1), start=2):
            filters, strides = 64 << (stage - 2), 1 if stage == 2 else 2
            x = applications.stack_residual_blocks_v1(
                x, filters, repeats, strides, name=f"conv{stage}"
            )
        return x

    oracle = applications.ResNet(
        stack, False, True, weights=None, input_shape=(*size, 3), classes=7,
        classifier_activation=None,
    )  # fmt: skip
    oracle = keras.models.clone_model(oracle, clone_function=_stride_in_the_3x3)
    randomize(oracle, pictures(8, size))
    kept = []
    for layer in oracle.layers:
        if isinstance(layer, keras.layers.Conv2D):
            layer.bias.assign(layer.bias * 0)
            kept.append(layer.kernel.numpy())
        else:
            kept.extend(layer.get_weights())
    model = resnext.resnext50((*size, 3), 7, None, cardinality=1, width=64)
    model.set_weights(kept)
    images = pictures(2, size, seed=2)
    assert_close(model(images, training=False), oracle(images, training=False))


@pytest.mark.slow
def test_one_group_has_the_parameters_of_resnet50():
    """25,557,032 of torchvision; other cardinalities are rows of the zoo."""
    with shapes_only():
        model = resnext.resnext50((32, 32, 3), cardinality=1, width=64)
    assert count(model) == (25_610_152, 25_557_032)
    assert model.name == "resnext50_1x64d"


@pytest.mark.slow
def test_dilated_equals_strided(short):
    def features(images, output_stride):
        return resnext.resnext_features(images, 50, 4, 4, output_stride)

    assert_dilated_equals_strided(features, (72, 49))


def test_errors():
    images = keras.Input((32, 32, 3))
    with pytest.raises(ValueError, match="must be 8, 16 or 32, got 64"):
        resnext.resnext_features(images, output_stride=64)
    with pytest.raises(ValueError, match="depth 18 in the paper; choose 50 or 101"):
        resnext.resnext_features(images, 18)
    with pytest.raises(ValueError, match="at least 32 pixels"):
        resnext.resnext50((32, 31, 3))


@pytest.mark.slow
def test_life(short, tmp_path):
    assert_lives(resnext.resnext50((32, 40, 3), 4, width=2), tmp_path)


@pytest.mark.slow
def test_export(short, tmp_path):
    export(resnext.resnext50((32, 32, 3), 4, cardinality=4), tmp_path)
