"""Wide ResNet: the CIFAR net against a slow reference, the other one as a ResNet."""

import keras
import numpy as np
import pytest
from residual_checks import (
    Reference,
    assert_close,
    assert_dilated_equals_strided,
    assert_lives,
    export,
    pictures,
    randomize,
    relu,
)

from kcv.models.classification import resnext
from kcv.models.classification import wide_resnet as nets


@pytest.fixture
def short(monkeypatch):
    for module in (nets, resnext):
        monkeypatch.setattr(module, "BLOCKS", {50: (2, 1, 1, 1)})


def test_whole_cifar_net_by_hand():
    images = keras.Input((9, 12, 3))
    maps = nets.wide_resnet_cifar_features(images, 10, 2)
    model = keras.Model(images, maps)
    randomize(model, pictures(8, (9, 12)))
    batch, run = pictures(2, (9, 12), seed=2), Reference(model)
    found = model(batch, training=False)
    x = run.conv(batch, "stem")
    for level, strides in enumerate((1, 2, 2)):
        name = f"stage{level + 1}_1"
        activated = relu(run.bn(x, f"{name}_pre"))
        if level:
            assert_close(found[f"C{level - 1}"], activated)
        y = relu(run.bn(run.conv(activated, f"{name}_conv1", strides), f"{name}_conv1"))
        x = run.conv(activated, f"{name}_shortcut", strides)
        x = x + run.conv(y, f"{name}_conv2")
    assert_close(found["C2"], relu(run.bn(x, "last")))


@pytest.mark.slow
def test_imagenet_net_is_resnext_of_one_group(short):
    """Twice the inner filters, in one group."""
    images = keras.Input((64, 33, 3))
    ours = keras.Model(images, nets.wide_resnet_features(images)["C5"])
    theirs = keras.Model(images, resnext.resnext_features(images, 50, 1, 128)["C5"])
    randomize(theirs, pictures(8, (64, 33)))
    ours.set_weights(theirs.get_weights())
    batch = pictures(2, (64, 33), seed=2)
    np.testing.assert_array_equal(ours(batch), theirs(batch))


@pytest.mark.slow
def test_dilated_equals_strided(short):
    def features(images, output_stride):
        return nets.wide_resnet_features(images, 50, 1, output_stride)

    assert_dilated_equals_strided(features, (72, 49))


def test_dropout_is_between_the_convolutions():
    model = nets.wide_resnet16_4((8, 8, 3), dropout=0.3)
    drops = [x for x in model.layers if isinstance(x, keras.layers.Dropout)]
    assert len(drops) == 6 and {x.rate for x in drops} == {0.3}
    assert {x.input._keras_history[0].name[-10:] for x in drops} == {"conv1_relu"}


def test_errors():
    images = keras.Input((32, 32, 3))
    with pytest.raises(ValueError, match=r"must be 6n \+ 4, as 16, 28 or 40, got 20"):
        nets.wide_resnet_cifar_features(images, 20)
    with pytest.raises(ValueError, match="must be 8, 16 or 32, got 0"):
        nets.wide_resnet_features(images, output_stride=0)
    with pytest.raises(ValueError, match="depth 18 here; choose 50 or 101"):
        nets.wide_resnet_features(images, 18)
    with pytest.raises(ValueError, match="at least 32 pixels"):
        nets.wide_resnet50_2((31, 32, 3))
    with pytest.raises(ValueError, match="at least 4 pixels"):
        nets.wide_resnet16_4((4, 3, 3))


@pytest.mark.slow
def test_life(tmp_path):
    assert_lives(nets.wide_resnet16_4((12, 9, 3), 4), tmp_path)


@pytest.mark.slow
def test_export(tmp_path):
    export(nets.wide_resnet16_4((16, 16, 3), 4), tmp_path)
