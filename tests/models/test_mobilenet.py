"""MobileNet v1, v2 and v3 against keras.applications, the oracle with known weights."""

import functools
import math

import keras
import numpy as np
import pytest
from residual_checks import assert_dilated_equals_strided

from kcv.models.classification.mobilenet_v1 import mobilenet_v1, mobilenet_v1_features
from kcv.models.classification.mobilenet_v2 import (
    make_divisible,
    mobilenet_v2,
    mobilenet_v2_features,
)
from kcv.models.classification.mobilenet_v3 import (
    mobilenet_v3_large,
    mobilenet_v3_large_features,
    mobilenet_v3_small,
    mobilenet_v3_small_features,
)

_applications = keras.applications
_V3_SMALL = functools.partial(
    _applications.MobileNetV3Small, include_preprocessing=False
)
_V3_LARGE = functools.partial(
    _applications.MobileNetV3Large, include_preprocessing=False
)
MINI = {"minimalistic": True}

# (ours, theirs, (height, width), arguments). "same" and the padding of the released
# code part ways by parity, so every parity of height and width is here.
FAST = [
    (mobilenet_v1, _applications.MobileNet, (64, 32), {"alpha": 0.25}),
    (mobilenet_v1, _applications.MobileNet, (64, 75), {"alpha": 0.25}),
    (mobilenet_v2, _applications.MobileNetV2, (50, 33), {"alpha": 0.35}),
    (mobilenet_v3_small, _V3_SMALL, (50, 33), {"alpha": 0.75}),
]
SLOW = [
    (mobilenet_v1, _applications.MobileNet, (60, 44), {}),
    (mobilenet_v1, _applications.MobileNet, (39, 63), {"alpha": 0.25}),
    (mobilenet_v1, _applications.MobileNet, (47, 47), {"alpha": 0.5}),
    (mobilenet_v2, _applications.MobileNetV2, (57, 57), {"alpha": 1.4}),
    (mobilenet_v2, _applications.MobileNetV2, (64, 64), {"alpha": 0.35}),
    (mobilenet_v3_small, _V3_SMALL, (64, 64), {}),
    (mobilenet_v3_small, _V3_SMALL, (41, 41), {"alpha": 1.5}),
    (mobilenet_v3_small, _V3_SMALL, (32, 64), MINI),
    (mobilenet_v3_large, _V3_LARGE, (47, 64), {}),
    (mobilenet_v3_large, _V3_LARGE, (64, 39), {"alpha": 0.75}),
    (mobilenet_v3_large, _V3_LARGE, (47, 33), MINI),
]  # fmt: skip


def _name(value):
    if isinstance(value, functools.partial):
        value = value.func
    return getattr(value, "__name__", None) or str(value)


@pytest.mark.parametrize(
    ("ours", "theirs", "size", "arguments"),
    [*FAST, *(pytest.param(*case, marks=pytest.mark.slow) for case in SLOW)],
    ids=_name,
)
def test_same_logits_as_keras_applications(ours, theirs, size, arguments):
    """Logits, because a saturated softmax would hide a difference."""
    arguments = {"classes": 7, "classifier_activation": None, **arguments}
    model = ours((*size, 3), **arguments)
    oracle = theirs((*size, 3), weights=None, **arguments)
    rng = np.random.default_rng(0)
    oracle.set_weights([_random_value(weight, rng) for weight in oracle.weights])
    _take_batch_statistics(oracle, rng.uniform(-1, 1, (8, *size, 3)))
    assert model.count_params() == oracle.count_params()
    model.set_weights(
        [w.reshape(o.shape) for w, o in zip(oracle.get_weights(), model.weights)]
    )
    images = rng.uniform(-1, 1, (2, *size, 3)).astype("float32")
    expected = np.asarray(oracle(images, training=False))
    scale = np.abs(expected).max()
    assert 0.1 < scale < 1e3 and np.ptp(expected, axis=0).max() > 0.1 * scale
    np.testing.assert_allclose(
        model(images, training=False), expected, atol=1e-4 * scale
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ours", "theirs", "alpha"),
    [
        (mobilenet_v1, _applications.MobileNet, 0.75),
        *((mobilenet_v2, _applications.MobileNetV2, a) for a in (0.5, 0.75, 1.0, 1.3)),
        (mobilenet_v3_large, _V3_LARGE, 1.25),
    ],
    ids=_name,
)
def test_other_widths_have_the_weights_of_keras_applications(ours, theirs, alpha):
    """Layer by layer; some gates are 1x1 convolutions there and dense here."""
    with keras.StatelessScope(initialize_variables=False):
        model = ours((64, 64, 3), alpha=alpha)
        oracle = theirs((64, 64, 3), alpha=alpha, weights=None)
    found, expected = ([math.prod(w.shape) for w in m.weights] for m in (model, oracle))
    assert found == expected


def _take_batch_statistics(model, images):
    """So that activations neither vanish nor explode, and depend on the image."""
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    model(images.astype("float32"), training=True)


def _random_value(weight, rng):
    """A gamma that lets ReLU6 saturate in places."""
    kind, shape = weight.path.rsplit("/", 1)[1], weight.shape
    if kind == "gamma":
        return rng.uniform(0.5, 4.0, shape)
    if kind == "moving_variance":
        return np.ones(shape)
    if kind in ("beta", "bias", "moving_mean"):
        return rng.normal(0, 0.5, shape)
    depthwise = "depthwise" in weight.path or "dw" in weight.path
    fan_in = np.prod(shape[:-2]) * (1 if depthwise else shape[-2])
    return rng.normal(0, np.sqrt(2 / fan_in), shape)


@pytest.mark.parametrize(
    ("features", "arguments", "channels"),
    [
        (mobilenet_v1_features, {}, (64, 128, 256, 512, 1024)),
        (mobilenet_v1_features, {"alpha": 0.5}, (32, 64, 128, 256, 512)),
        (mobilenet_v2_features, {}, (16, 24, 32, 96, 1280)),
        (mobilenet_v3_large_features, MINI, (16, 24, 40, 112, 960)),
        (mobilenet_v3_small_features, {}, (16, 16, 24, 48, 576)),
    ],
    ids=_name,
)
def test_feature_strides_and_channels(features, arguments, channels):
    maps = features(keras.Input((64, 96, 3)), **arguments)
    assert {level: x.shape for level, x in maps.items()} == {
        f"C{i}": (None, 64 >> i, 96 >> i, c) for i, c in enumerate(channels, start=1)
    }


@pytest.mark.parametrize(
    ("features", "arguments", "size", "last"),
    [  # "same" pads an even size at the end, an odd one on both sides
        (mobilenet_v1_features, {"alpha": 0.25}, (64, 96), True),
        (mobilenet_v2_features, {"alpha": 0.35}, (65, 97), False),
        (mobilenet_v3_small_features, MINI, (65, 97), False),
    ],
    ids=_name,
)
def test_dilated_features_are_the_strided_ones(features, arguments, size, last):
    def with_stride(images, output_stride):
        return features(images, output_stride=output_stride, **arguments)

    assert_dilated_equals_strided(with_stride, size, last)


def test_gates_see_the_whole_map_at_any_output_stride():
    maps = mobilenet_v3_large_features(keras.Input((64, 96, 3)), output_stride=8)
    assert maps["C5"].shape == (None, 8, 12, 960)
    with pytest.raises(ValueError, match="must be 8, 16 or 32, got 4"):
        mobilenet_v3_large_features(keras.Input((64, 96, 3)), output_stride=4)


def test_features_of_any_size():
    maps = mobilenet_v1_features(keras.Input((None, None, 3)), alpha=0.25)
    assert maps["C5"].shape == (None, None, None, 256)


@pytest.mark.parametrize(
    ("size", "paddings"), [((64, 96), 0), ((65, 65), 0), ((64, 47), 1)]
)
def test_explicit_padding_only_for_mixed_parity(size, paddings):
    """Each ZeroPadding2D is one PAD operator on the device.

    After the stem 64 halves as 32, 16, 8, 4 and 47 as 24, 12, 6, 3: mixed once.
    """
    model = mobilenet_v1((*size, 3), 2, alpha=0.25)
    pads = [x for x in model.layers if isinstance(x, keras.layers.ZeroPadding2D)]
    assert len(pads) == paddings


@pytest.mark.parametrize("channels", [4, 8, 11, 12, 20, 27.0, 100.8])
def test_make_divisible(channels):
    """Trap: rounding down never loses more than a tenth."""
    rounded = make_divisible(channels)
    assert rounded % 8 == 0 and rounded >= max(8, 0.9 * channels)
    assert rounded - channels <= 8


def test_make_divisible_by_hand():
    """Pencil: 11 would round to 8, which is 27% less, so 16; 36 -> 40; 35 -> 32."""
    assert [make_divisible(c) for c in (3, 11, 35, 36)] == [8, 16, 32, 40]


@pytest.mark.parametrize("build", [mobilenet_v1, mobilenet_v2, mobilenet_v3_small])
def test_too_small_is_refused(build):
    with pytest.raises(ValueError, match="at least 32 pixels"):
        build((31, 32, 3))


def test_dropout_of_the_originals():
    assert mobilenet_v1((32, 32, 3), 2, alpha=0.25).get_layer("dropout").rate == 1e-3
    assert mobilenet_v3_small((32, 32, 3), 2).get_layer("dropout").rate == 0.2


def test_activations_that_quantize_well():
    """ReLU6 fixes the range for int8; hard_silu converts to one HARD_SWISH operator."""
    v1 = mobilenet_v1((32, 32, 3), 2, alpha=0.25)
    relus = [la for la in v1.layers if isinstance(la, keras.layers.ReLU)]
    assert len(relus) == 27 and {la.max_value for la in relus} == {6.0}
    v3 = mobilenet_v3_small((32, 32, 3), 2, minimalistic=True)
    used = {la.activation.__name__ for la in v3.layers if hasattr(la, "activation")}
    assert used == {"relu", "linear", "softmax"}
