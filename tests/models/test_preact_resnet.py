"""Pre-activation ResNet: five orders by hand, and the "v2" of keras.applications."""

import keras
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

from kcv.models.classification import cifar_resnet
from kcv.models.classification import preact_resnet as nets

applications = keras.src.applications.resnet


@pytest.fixture
def short(monkeypatch):
    """Two units or one a stage."""
    monkeypatch.setattr(nets, "UNITS", dict.fromkeys(nets.UNITS, (2, 2, 1, 2)))
    monkeypatch.setattr(nets, "CIFAR_UNITS", {20: (1, 2), 110: (2, 2), 164: (1, 3)})


def _original(run, x, name):
    y = relu(run.bn(run.conv(x, f"{name}_conv1"), f"{name}_conv1"))
    return relu(x + run.bn(run.conv(y, f"{name}_conv2"), f"{name}_branch"))


def _bn_after_addition(run, x, name):
    y = relu(run.bn(run.conv(x, f"{name}_conv1"), f"{name}_conv1"))
    return relu(run.bn(x + run.conv(y, f"{name}_conv2"), name))


def _relu_before_addition(run, x, name):
    y = relu(run.bn(run.conv(x, f"{name}_conv1"), f"{name}_conv1"))
    return x + relu(run.bn(run.conv(y, f"{name}_conv2"), f"{name}_branch"))


def _relu_only(run, x, name):
    y = run.conv(relu(x), f"{name}_conv1")
    y = run.conv(relu(run.bn(y, f"{name}_conv1")), f"{name}_conv2")
    return x + run.bn(y, f"{name}_branch")


def _full(run, x, name):
    y = run.conv(relu(run.bn(x, f"{name}_pre")), f"{name}_conv1")
    return x + run.conv(relu(run.bn(y, f"{name}_conv1")), f"{name}_conv2")


@pytest.mark.parametrize(
    ("order", "stem", "unit", "end"),
    [  # Figure 4 (a) to (e), the second unit of stage 1
        ("original", "bn relu", _original, ""),
        ("bn_after_addition", "bn relu", _bn_after_addition, ""),
        ("relu_before_addition", "bn relu", _relu_before_addition, ""),
        ("relu_only_preactivation", "bn relu", _relu_only, "relu"),
        ("full_preactivation", "", _full, "bn relu"),
    ],
)
def test_unit_orders_by_hand(order, stem, unit, end, short):
    images = keras.Input((6, 5, 3))
    maps = nets.preact_resnet_cifar_features(images, 110, order)
    model = keras.Model(images, maps)
    randomize(model, pictures(8, (6, 5)))
    inner = {layer.name: layer for layer in model.layers}
    add = inner["stage1_1_add"].output
    last = [f"stage1_1{end}" for end in ("_relu", "_bn") if f"stage1_1{end}" in inner]
    first = inner[last[0]].output if last else add
    before = keras.Model(images, first)
    batch, run = pictures(2, (6, 5), seed=2), Reference(model)
    assert ("stem_bn" in inner) == bool(stem)
    x = unit(run, before(batch, training=False).numpy(), "stage1_2")
    name = "stage2_1_pre"  # what stage 2 reads is the activation of what stage 1 gives
    x = run.bn(x, name) if "bn" in end else x
    x = relu(x) if "relu" in end else x
    assert_close(model(batch, training=False)["C0"], x)


@pytest.mark.parametrize("order", ["relu_only_preactivation", "full_preactivation"])
def test_first_unit_splits_after_the_activation(order, short):
    """The appendix: the identity of the first unit is the activated map."""
    images = keras.Input((6, 5, 3))
    model = keras.Model(
        images, nets.preact_resnet_cifar_features(images, 20, order)["C2"]
    )
    add = model.get_layer("stage1_1_add")
    assert "stage1_1_pre_relu" in [x._keras_history[0].name for x in add.input]


def test_original_order_is_the_first_paper():
    """With projections; the layers are the same ones, in the same order."""
    ours = nets.preact_resnet20((12, 9, 3), 5, None, unit_order="original")
    theirs = cifar_resnet.cifar_resnet20((12, 9, 3), 5, None, shortcut="B")
    assert_same_as_applications(ours, theirs, (12, 9))


def short_applications(size):
    def stack(x):
        for stage, (units, strides) in enumerate([(2, 2), (2, 2), (1, 2), (2, 1)], 2):
            if units == 1:  # keras.applications has at least two
                x = applications.residual_block_v2(
                    x, 256, stride=2, conv_shortcut=True, name="conv4_block1"
                )
                continue
            x = applications.stack_residual_blocks_v2(
                x, 64 << (stage - 2), units, strides, name=f"conv{stage}"
            )
        return x

    return applications.ResNet(
        stack, True, True, weights=None, input_shape=(*size, 3), classes=7,
        classifier_activation=None,
    )  # fmt: skip


@pytest.mark.parametrize(
    "size", [(50, 33), pytest.param((64, 79), marks=pytest.mark.slow)]
)
def test_same_logits_as_keras_applications(size, short):
    model = nets.preact_resnet50((*size, 3), 7, None)
    assert_same_as_applications(model, short_applications(size), size)


@pytest.mark.slow
def test_full_depth_equals_keras_applications():
    oracle = keras.applications.ResNet50V2(
        weights=None, input_shape=(47, 74, 3), classes=7, classifier_activation=None
    )
    model = nets.preact_resnet50((47, 74, 3), 7, None)
    assert_same_as_applications(model, oracle, (47, 74))


@pytest.mark.slow
@pytest.mark.parametrize("depth", [101, 152])
def test_deeper_ones_have_the_weights_of_theirs(depth):
    """Layer by layer; what the layers compute, the depth of 50 shows."""
    with shapes_only():
        model = getattr(nets, f"preact_resnet{depth}")()
        oracle = getattr(keras.applications, f"ResNet{depth}V2")(weights=None)
    assert [w.shape for w in model.weights] == [w.shape for w in oracle.weights]


def test_parameters_of_200_layers_are_those_of_imgclsmob():
    """It has no biases in convolutions, and one more normalisation, after the stem."""
    last = sum(n * 4 * f for n, f in zip(nets.UNITS[200], nets.FILTERS))
    projections = sum(4 * f for f in nets.FILTERS)
    assert 64_726_120 - (last + projections + 64) + 2 * 64 == 64_666_280


@pytest.mark.slow
@pytest.mark.parametrize("order", ["full_preactivation", "original"])
def test_dilated_equals_strided(order, short):
    def features(images, output_stride):
        return nets.preact_resnet_features(images, 50, order, output_stride)

    assert_dilated_equals_strided(features, (72, 49))


def test_errors():
    images = keras.Input((32, 32, 3))
    with pytest.raises(ValueError, match="unit_order 'post'; choose from original, bn"):
        nets.preact_resnet20(unit_order="post")
    with pytest.raises(ValueError, match="must be 8, 16 or 32, got 2"):
        nets.preact_resnet_features(images, output_stride=2)
    with pytest.raises(
        ValueError, match="depth 18 here; choose from 50, 101, 152, 200"
    ):
        nets.preact_resnet_features(images, 18)
    with pytest.raises(ValueError, match="at least 32 pixels"):
        nets.preact_resnet50((31, 32, 3))
    with pytest.raises(ValueError, match="at least 4 pixels"):
        nets.preact_resnet20((3, 32, 3))


def test_imagenet_files(short):
    """Names and hashes of keras.applications; none for CIFAR or another order."""
    for depth in (50, 101, 152):
        url, md5 = nets._imagenet_file(depth)
        name = f"resnet{depth}v2_weights_tf_dim_ordering_tf_kernels.h5"
        assert url == applications.BASE_WEIGHTS_PATH + name
        assert md5 == applications.WEIGHTS_HASHES[f"resnet{depth}v2"][0]
    with pytest.raises(ValueError, match="no imagenet weights were published"):
        nets.preact_resnet20(weights="imagenet")
    with pytest.raises(ValueError, match="no imagenet weights were published"):
        nets.preact_resnet50((32, 32, 3), 2, weights="imagenet", unit_order="original")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("depth", "order"),
    [*((50, order) for order in nets.UNIT_ORDERS), (164, "full_preactivation")],
)
def test_life(depth, order, short, tmp_path):
    build = getattr(nets, f"preact_resnet{depth}")
    assert_lives(build((32, 40, 3), 4, unit_order=order), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("order", ["full_preactivation", "bn_after_addition"])
def test_export(order, short, tmp_path):
    export(nets.preact_resnet20((16, 16, 3), 4, unit_order=order), tmp_path)
