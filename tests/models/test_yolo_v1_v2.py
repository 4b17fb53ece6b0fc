import math

import keras
import numpy as np
import pytest
from residual_checks import count, pictures, randomize, shapes_only

from kcv.boxes.clusters import iou_of_sizes
from kcv.boxes.coding import decode_roots, decode_sigmoid
from kcv.models.detection.yolo_v1 import FULL, POOL, TINY, yolo_v1, yolo_v1_anchors
from kcv.models.detection.yolo_v2 import (
    VOC_SHAPES,
    darknet19,
    darknet19_features,
    space_to_depth,
    yolo_v2,
    yolo_v2_anchors,
)


def shapes(model):
    return {name: x.shape for name, x in model.output.items()}


def thin_v1(size=(64, 96), classes=3, **options):
    return yolo_v1((*size, 3), classes, **({"variant": "tiny", "alpha": 0.25,
                                            "stride": 16} | options))  # fmt: skip


def thin_v2(size=(64, 96), classes=3, **options):
    options = {"alpha": 0.0625, "passthrough_filters": 32} | options
    return yolo_v2((*size, 3), classes, **options)


def test_parameters_of_yolo_v1_are_the_published_ones():
    """271,703,550 of other implementations; table 1's convolutions by formula."""
    with shapes_only():
        model = yolo_v1()
    assert model.count_params() == 271_703_550
    assert sum(row != POOL for row in FULL) == 24
    assert shapes(model) == {
        "scores": (None, 49, 20), "objectness": (None, 98), "offsets": (None, 98, 4),
    }  # fmt: skip
    assert 49 * 20 + 98 + 98 * 4 == 7 * 7 * (5 * 2 + 20)


def test_parameters_of_the_tiny_one_by_formula():
    with shapes_only():
        model = yolo_v1(variant="tiny")
    total, channels = 0, 3
    for kernel_size, filters, _ in (row for row in TINY if row != POOL):
        total += kernel_size**2 * channels * filters + 4 * filters
        channels = filters
    assert model.count_params() == total + 49 * 256 * 1470 + 1470 == 27_099_950


def darknet19_by_formula():
    """Convolutions of table 6 and four numbers a filter; the classifier left out."""
    widths = "32 64 128 64 128 256 128 256 512 256 512 256 512 1024 512 1024 512 1024"
    total, channels, last = 0, 3, 0
    for filters in map(int, widths.split()):
        kernel_size = 1 if filters < last else 3
        total += kernel_size**2 * channels * filters + 4 * filters
        channels = last = filters
    return total


@pytest.mark.parametrize("classes", [20, 80])
def test_parameters_of_yolo_v2(classes):
    """50,983,561 with 80 classes, the 51.0 million of other implementations."""
    with shapes_only():
        model = yolo_v2(classes=classes)
    head = 2 * (9 * 1024**2 + 4 * 1024) + 512 * 64 + 4 * 64
    head += 9 * (1024 + 4 * 64) * 1024 + 4 * 1024
    head += (1024 + 1) * 5 * (5 + classes)
    expected = {20: 50_676_061, 80: 50_983_561}[classes]
    assert model.count_params() == darknet19_by_formula() + head == expected


def test_paper_s_passthrough_has_all_512_channels():
    with shapes_only():
        ours, papers = yolo_v2(), yolo_v2(passthrough_filters=None)
    more = 9 * 1024 * (2048 - 256) - (512 * 64 + 4 * 64)
    assert papers.count_params() - ours.count_params() == more


def test_parameters_of_darknet19():
    with shapes_only():
        model = darknet19()
    assert count(model) == (20_856_776, 20_842_376)
    assert model.count_params() == darknet19_by_formula() + 1024 * 1000 + 1000
    convolutions = [x for x in model.layers if isinstance(x, keras.layers.Conv2D)]
    assert len(convolutions) == 18 and model.layers[-1].name == "predictions"
    maps = darknet19_features(keras.Input((64, 96, 3)), 0.25)
    assert {name: x.shape[1:] for name, x in maps.items()} == {
        "C1": (32, 48, 16), "C2": (16, 24, 32), "C3": (8, 12, 64), "C4": (4, 6, 128),
        "C5": (2, 3, 256),
    }  # fmt: skip


@pytest.mark.parametrize(("size", "stride"), [((64, 96), 16), ((128, 32), 32)])
def test_one_answer_an_anchor(size, stride):
    with shapes_only():
        first = thin_v1(size, stride=stride, boxes_per_cell=3)
        second = thin_v2(size, stride=stride, anchors_per_place=4)
    cells = size[0] * size[1] // stride**2
    n = len(yolo_v1_anchors((*size, 3), 3, stride))
    assert n == 3 * cells
    assert shapes(first) == {
        "scores": (None, cells, 3), "objectness": (None, n), "offsets": (None, n, 4),
    }  # fmt: skip
    n = len(yolo_v2_anchors((*size, 3), VOC_SHAPES[:4], stride))
    assert n == 4 * cells
    assert shapes(second) == {
        "scores": (None, n, 3), "objectness": (None, n), "offsets": (None, n, 4),
    }  # fmt: skip


@pytest.mark.parametrize("stride", [8, 64])
def test_full_network_shrinks_by_its_stride(stride):
    """The last maps have a value for each cell; 448 is 7 cells of 64."""
    with shapes_only():
        model = yolo_v1((64, 128, 3), 3, alpha=0.125, stride=stride)
    maps = model.get_layer("conv24").output.shape
    assert maps == (None, 64 // stride, 128 // stride, 128)


def test_space_to_depth_by_pencil_and_slowly():
    """Pencil: 0 1 over 4 5 of rows 0 1 2 3 and 4 5 6 7 become one pixel."""
    images = keras.Input((2, 4, 1))
    model = keras.Model(images, space_to_depth(images, "depth"))
    found = model(np.arange(8, dtype="float32").reshape(1, 2, 4, 1))
    np.testing.assert_array_equal(found, [[[[0, 1, 4, 5], [2, 3, 6, 7]]]])
    images = keras.Input((6, 10, 3))
    model = keras.Model(images, space_to_depth(images, "depth"))
    x = np.random.default_rng(0).normal(size=(2, 6, 10, 3)).astype("float32")
    expected = np.empty((2, 3, 5, 12), "float32")
    for row in range(6):
        for column in range(10):
            first = 3 * (2 * (row % 2) + column % 2)
            cell = expected[:, row // 2, column // 2]
            cell[:, first : first + 3] = x[:, row, column]
    np.testing.assert_array_equal(model(x), expected)


def test_anchors_of_voc():
    """k-means finds squat and tall ones; 845 at 13 x 13, the first cell's in front."""
    anchors = yolo_v2_anchors()
    assert anchors.shape == (845, 4) and anchors.dtype == np.float32
    sizes = anchors[:5, 2:] - anchors[:5, :2]
    np.testing.assert_allclose(sizes, VOC_SHAPES, rtol=1e-5)
    np.testing.assert_allclose(anchors[:5, :2] + sizes / 2, 16, atol=1e-4)
    assert iou_of_sizes(VOC_SHAPES, VOC_SHAPES).argmax(axis=1).tolist() == [*range(5)]


def test_planted_signal_comes_out_at_its_anchor_v2():
    """Of 2 x 3 places row 1, column 2 is lit; anchor k answers a place of its own."""
    model = thin_v2(anchors_per_place=2)
    maps = np.zeros((1, 2, 3, 64), "float32")
    maps[0, 1, 2, 0] = 1
    answers = {
        "scores": [1, 2, 3, 4, 5, 6], "objectness": [7, 8],
        "offsets": [1.0, -1.0, 0, 0, 0.5, 0.25, math.log(2), 0],
    }  # fmt: skip
    for name, values in answers.items():
        kernel = np.zeros((1, 1, 64, len(values)))
        kernel[0, 0, 0] = values
        model.get_layer(f"{name}_maps").set_weights([kernel, np.zeros(len(values))])
    inner = keras.Model(model.get_layer("detect_conv3_relu").output, model.output)
    found = {name: np.asarray(x)[0] for name, x in inner(maps).items()}
    assert np.flatnonzero(found["objectness"]).tolist() == [10, 11]
    np.testing.assert_allclose(found["objectness"][10:], [7, 8])
    np.testing.assert_allclose(found["scores"][10:], [[1, 2, 3], [4, 5, 6]])
    sizes = np.array([(20, 30), (40, 10)])
    anchors = yolo_v2_anchors((64, 96, 3), sizes)
    first, second = np.asarray(decode_sigmoid(found["offsets"], anchors, 32))[10:]
    place = 1 / (1 + np.exp(-np.array([1, -1, 0.5, 0.25])))
    x, y = 64 + 32 * place[0], 32 + 32 * place[1]
    np.testing.assert_allclose(first, [x - 10, y - 15, x + 10, y + 15], rtol=1e-5)
    x, y = 64 + 32 * place[2], 32 + 32 * place[3]
    np.testing.assert_allclose(second, [x - 40, y - 5, x + 40, y + 5], rtol=1e-5)


def test_planted_signal_comes_out_in_its_cell_v1():
    """The biases alone: box 1 of the cell in row 1, column 2, half the image wide."""
    model = thin_v1((64, 96), stride=32)
    offsets = np.zeros((2, 3, 2, 4))
    offsets[1, 2, 1] = [0.25, 0.5, math.sqrt(0.5), 0.5]
    layer = model.get_layer("offsets_dense")
    layer.set_weights([np.zeros(layer.kernel.shape), offsets.ravel()])
    found = model(pictures(1, (64, 96)))["offsets"]
    cells = yolo_v1_anchors((64, 96, 3), stride=32)
    boxes = np.asarray(decode_roots(found, cells, (64, 96)))[0]
    assert np.flatnonzero((boxes[:, 2:] > boxes[:, :2]).all(axis=1)).tolist() == [11]
    x, y = 64 + 8, 32 + 16
    np.testing.assert_allclose(boxes[11], [x - 24, y - 8, x + 24, y + 8], rtol=1e-5)


def test_an_untrained_network_sees_no_objects():
    """Trap: anchors that start near 1 stay there, since a sigmoid is flat there."""
    objectness = np.asarray(thin_v2()(pictures(2, (64, 96)))["objectness"])
    np.testing.assert_allclose(objectness, -2, atol=0.3)


@pytest.mark.slow
@pytest.mark.parametrize("build", [thin_v1, thin_v2])
def test_life(build, tmp_path):
    """Saved, loaded twice, the same answers; a gradient for every weight."""
    import tensorflow as tf

    model, images = build(), pictures(4, (64, 96))
    randomize(model, images)
    expected = model(images)
    model.save(tmp_path / "model.keras")
    model.save_weights(tmp_path / "x.weights.h5")
    for again in (
        keras.saving.load_model(tmp_path / "model.keras"),
        build(weights=tmp_path / "x.weights.h5"),
    ):
        for name, value in again(images).items():
            assert np.ptp(value, axis=0).max() > 0.1
            np.testing.assert_allclose(value, expected[name], atol=1e-4)
    with tf.GradientTape() as tape:
        outputs = model(images, training=True)
        loss = sum(tf.reduce_mean(tf.square(x)) for x in outputs.values())
    weights = model.trainable_weights
    for weight, gradient in zip(weights, tape.gradient(loss, weights)):
        assert gradient is not None and np.any(gradient), weight.path


def test_half_precision_ends_before_the_outputs():
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        with shapes_only():
            models = [thin_v1(), thin_v2()]
    finally:
        keras.mixed_precision.set_global_policy("float32")
    assert {x.dtype for model in models for x in model.outputs} == {"float32"}


@pytest.mark.parametrize(
    ("build", "options", "message"),
    [
        (thin_v1, {"variant": "fast"}, "no variant 'fast'; known: full, tiny"),
        (thin_v1, {"stride": 24}, "stride must be 8, 16, 32 or 64, got 24"),
        (thin_v1, {"size": (64, 40)}, "must be multiples of stride = 16"),
        (thin_v2, {"stride": 8}, "stride must be 16 or 32, got 8"),
        (thin_v2, {"size": (64, 48)}, "sides 64, 48 must be multiples of stride = 32"),
    ],
)
def test_refused(build, options, message):
    with shapes_only(), pytest.raises(ValueError, match=message):
        build(**options)


@pytest.mark.slow
def test_exports_with_separate_outputs(tmp_path):
    """The gate refuses all but builtin operators; these are all."""
    from kcv.export import convert

    model = thin_v2((64, 64))
    randomize(model, pictures(8, (64, 64)))
    probes = pictures(4, (64, 64), seed=3)
    report = convert(model, tmp_path / "x.tflite", probes=probes, task="detection")
    assert set(report.operators) == {
        "CONCATENATION", "CONV_2D", "LEAKY_RELU", "MAX_POOL_2D", "RESHAPE",
        "STRIDED_SLICE",
    }  # fmt: skip
    assert set(report.parity) == {"scores", "objectness", "offsets"}
