"""ResNet against keras.applications and, below 50 layers, a slow reference."""

import keras
import numpy as np
import pytest
from residual_checks import (
    Reference,
    assert_close,
    assert_dilated_equals_strided,
    assert_lives,
    assert_same_as_applications,
    export,
    pictures,
    randomize,
    relu,
    shapes_only,
)

from kcv.models.classification import resnet

applications = keras.src.applications.resnet


@pytest.fixture
def short(monkeypatch):
    """One or two blocks a stage."""
    blocks = {depth: (2, 1, 2, 1) for depth in resnet.BLOCKS}
    monkeypatch.setattr(resnet, "BLOCKS", blocks)


def short_applications(size):
    def stack(x):
        for stage, repeats in enumerate((2, 1, 2, 1), start=2):
            filters, strides = 64 << (stage - 2), 1 if stage == 2 else 2
            x = applications.stack_residual_blocks_v1(
                x, filters, repeats, strides, name=f"conv{stage}"
            )
        return x

    return applications.ResNet(
        stack, False, True, weights=None, input_shape=(*size, 3), classes=7,
        classifier_activation=None,
    )  # fmt: skip


@pytest.mark.parametrize(
    "size", [(50, 33), pytest.param((64, 48), marks=pytest.mark.slow)]
)
def test_same_logits_as_keras_applications(size, short):
    model = resnet.resnet50((*size, 3), 7, None)
    assert_same_as_applications(model, short_applications(size), size)


@pytest.mark.slow
def test_full_depth_equals_keras_applications():
    oracle = keras.applications.ResNet50(
        weights=None, input_shape=(47, 74, 3), classes=7, classifier_activation=None
    )
    model = resnet.resnet50((47, 74, 3), 7, None)
    assert_same_as_applications(model, oracle, (47, 74))


@pytest.mark.slow
@pytest.mark.parametrize("depth", [101, 152])
def test_deeper_ones_have_the_weights_of_theirs(depth):
    """Layer by layer; what the layers compute, the depth of 50 shows."""
    with shapes_only():
        model = getattr(resnet, f"resnet{depth}")()
        oracle = getattr(keras.applications, f"ResNet{depth}")(weights=None)
    assert [w.shape for w in model.weights] == [w.shape for w in oracle.weights]


@pytest.mark.parametrize("strides", [1, 2])
def test_basic_block_by_hand(strides):
    images = keras.Input((5, 6, 3))
    x = resnet.basic_block(images, 4, strides, (1, 1), "b")
    model = keras.Model(images, x)
    randomize(model, pictures(8, (5, 6)))
    x, run = pictures(2, (5, 6), seed=2), Reference(model)
    y = relu(run.bn(run.conv(x, "b_conv1", strides), "b_conv1"))
    y = run.bn(run.conv(y, "b_conv2"), "b_conv2")
    shortcut = run.bn(run.conv(x, "b_shortcut", strides), "b_shortcut")
    assert_close(model(x, training=False), relu(shortcut + y))


def test_no_projection_where_nothing_changes():
    """Trap: conv2_x of ResNet-18 starts with 64 channels and keeps them."""
    images = keras.Input((32, 32, 64))
    model = keras.Model(images, resnet.basic_block(images, 64, 1, (1, 1), "b"))
    assert not [layer for layer in model.layers if "shortcut" in layer.name]


@pytest.mark.parametrize("depth", [pytest.param(18, marks=pytest.mark.slow), 50])
def test_dilated_equals_strided(depth, short):
    def features(images, output_stride):
        return resnet.resnet_features(images, depth, output_stride)

    assert_dilated_equals_strided(features, (72, 49))


@pytest.mark.parametrize(
    ("depth", "channels"),
    [(18, (64, 64, 128, 256, 512)), (50, (64, 256, 512, 1024, 2048))],
)
def test_features_of_any_size(depth, channels, short):
    maps = resnet.resnet_features(keras.Input((None, None, 3)), depth)
    assert {level: x.shape[-1] for level, x in maps.items()} == {
        f"C{i}": c for i, c in enumerate(channels, start=1)
    }


def test_errors():
    images = keras.Input((32, 32, 3))
    with pytest.raises(ValueError, match="must be 8, 16 or 32, got 4"):
        resnet.resnet_features(images, 50, 4)
    with pytest.raises(ValueError, match="depth 51 in Table 1; choose from 18, 34, 50"):
        resnet.resnet_features(images, 51)
    with pytest.raises(ValueError, match="at least 32 pixels"):
        resnet.resnet18((31, 32, 3))


def test_imagenet_files(short):
    """The names and hashes that keras.applications has; none for 18 and 34 layers."""
    for depth in (50, 101, 152):
        url, md5 = resnet._imagenet_file(depth)
        name = f"resnet{depth}_weights_tf_dim_ordering_tf_kernels.h5"
        assert url == applications.BASE_WEIGHTS_PATH + name
        assert md5 == applications.WEIGHTS_HASHES[f"resnet{depth}"][0]
    with pytest.raises(ValueError, match="no imagenet weights .* resnet18"):
        resnet.resnet18((32, 32, 3), 2, weights="imagenet")


@pytest.mark.slow
@pytest.mark.parametrize("depth", [18, 50])
def test_life(depth, short, tmp_path):
    model = getattr(resnet, f"resnet{depth}")((32, 40, 3), 4)
    assert_lives(model, tmp_path)
    assert np.isfinite(model(pictures(1, (32, 40)), training=False)).all()


@pytest.mark.slow
def test_export(short, tmp_path):
    export(resnet.resnet18((32, 32, 3), 4), tmp_path)
