import math

import keras
import numpy as np
import pytest
from residual_checks import count, pictures, shapes_only

from kcv.boxes import default_boxes
from kcv.models.detection.ssd import (
    ssd300,
    ssd300_anchors,
    ssd512,
    ssd512_anchors,
)
from kcv.models.detection.ssd_mobilenet import (
    multibox_heads,
    six_map_boxes,
    ssd_mobilenet_v1,
    ssd_mobilenet_v1_anchors,
    ssd_mobilenet_v2,
    ssd_mobilenet_v2_anchors,
    ssdlite_mobilenet_v2,
    ssdlite_mobilenet_v2_anchors,
)
from kcv.models.multiply_adds import multiply_adds

ANCHORS = {
    ssd300: ssd300_anchors,
    ssd512: ssd512_anchors,
    ssd_mobilenet_v1: ssd_mobilenet_v1_anchors,
    ssd_mobilenet_v2: ssd_mobilenet_v2_anchors,
    ssdlite_mobilenet_v2: ssdlite_mobilenet_v2_anchors,
}
MOBILE = (ssd_mobilenet_v1, ssd_mobilenet_v2, ssdlite_mobilenet_v2)


def conv(size, before, filters, bias=True):
    return size * size * before * filters + filters * bias


def vgg_count(extras, heads, classes):
    """By pencil: VGG-16 without its three dense layers, then what SSD puts there."""
    total = 138_357_544 - (25_088 + 1) * 4096 - (4096 + 1) * 4096 - (4096 + 1) * 1000
    total += conv(3, 512, 1024) + conv(1, 1024, 1024) + 512  # fc6, fc7, scale
    for before, reduced, filters, size in extras:
        total += conv(1, before, reduced) + conv(size, reduced, filters)
    return total + sum(conv(3, c, k * (classes + 5)) for c, k in heads)


def mobile_count(body, maps, classes, separable):
    """By pencil: the body, four pairs of extra layers, six pairs of heads."""

    def bn(channels):
        return 4 * channels

    total, before = body, maps[1]
    for filters in maps[2:]:
        half = filters // 2
        total += conv(1, before, half, False) + bn(half) + bn(filters)
        if separable:
            total += 9 * half + bn(half) + conv(1, half, filters, False)
        else:
            total += conv(3, half, filters, False)
        before = filters
    for channels, boxes in zip(maps, (3, 6, 6, 6, 6, 6)):
        total += conv(1, channels, boxes * (1 + classes)) + conv(1, channels, boxes * 4)
        total += separable * 2 * (9 * channels + bn(channels))
    return total


def test_parameters_of_ssd300_and_ssd512():
    """35,641,826 with the background among 91 is torchvision's."""
    three = [(1024, 256, 512, 3), (512, 128, 256, 3), (256, 128, 256, 3)]
    heads = [(512, 4), (1024, 6), (512, 6), (256, 6), (256, 4), (256, 4)]
    with shapes_only():
        for classes, expected in (20, 26_285_486), (90, 35_641_826):
            found = count(ssd300(classes=classes))
            assert found == (expected, expected)
            assert expected == vgg_count([*three, three[-1]], heads, classes)
        extras = [*three, three[-1], (256, 128, 256, 4)]
        heads = [*heads[:4], (256, 6), (256, 4), (256, 4)]
        expected = vgg_count(extras, heads, 20)
        assert ssd512(classes=20).count_params() == expected == 27_188_676


@pytest.mark.parametrize("builder", MOBILE)
def test_parameters_of_mobilenets(builder):
    """The papers print 6.8 million for v1 on COCO and 0.8 billion for SSDLite."""
    one = builder is ssd_mobilenet_v1
    body = 4_253_864 - 1025 * 1000 if one else 3_538_984 - 1281 * 1000
    maps = (512, 1024) if one else (576, 1280)
    expected = {ssd_mobilenet_v1: 6_845_183, ssd_mobilenet_v2: 6_103_999}
    lite = builder is ssdlite_mobilenet_v2
    with shapes_only():
        model = builder(classes=90)
        found = mobile_count(body, (*maps, 512, 256, 256, 128), 90, lite)
        assert model.count_params() == found == expected.get(builder, 4_551_295)
        if lite:
            model = builder(classes=80)
            assert model.count_params() == 4_387_765
            assert round(multiply_adds(model) / 1e9, 2) == 0.79


def test_anchors_are_those_of_the_papers():
    """SSD's tables; of SSD-MobileNet the squares and long boxes of the first places."""
    for found, table, number in (
        (ssd300_anchors(), default_boxes.SSD300, 8732),
        (ssd512_anchors(), default_boxes.SSD512, 24_564),
    ):
        expected = np.concatenate(default_boxes.default_boxes(table))
        assert found.shape == (number, 4) and found.dtype == "float32"
        np.testing.assert_allclose(found, expected, atol=1e-4)
    found = ssd_mobilenet_v2_anchors()
    assert found.shape == (1917, 4) and found.dtype == "float32"
    assert ssdlite_mobilenet_v2_anchors().shape == (2034, 4)
    sizes = found[:, 2:] - found[:, :2]
    long, short = 60 * math.sqrt(2), 60 / math.sqrt(2)
    expected = [(30, 30), (long, short), (short, long)]
    np.testing.assert_allclose(sizes[:3], expected, rtol=1e-5)
    extra = 300 * math.sqrt(0.35 * 0.5)  # of the next map
    np.testing.assert_allclose(
        sizes[3 * 19**2 :][:2], [(105, 105), (extra, extra)], rtol=1e-5
    )
    np.testing.assert_allclose(sizes[-5], 300 * math.sqrt(0.95), rtol=1e-5)
    np.testing.assert_allclose(found[0] + found[0][[2, 3, 0, 1]], 300 / 19, rtol=1e-4)


def test_anchors_scale_with_the_shorter_side():
    """Twice the image: twice the boxes, of which there are more."""
    small, large = ssd300_anchors((300, 300, 3)), ssd300_anchors((600, 900, 3))
    sizes = [
        np.unique(np.round(a[:, 2:] - a[:, :2], 2), axis=0) for a in (small, large)
    ]
    np.testing.assert_allclose(2 * sizes[0], sizes[1], atol=0.05)
    centres = (large[:, :2] + large[:, 2:]) / 2
    assert (centres > 0).all() and (centres < [900 + 32, 600 + 32]).all()


def assert_as_many_outputs_as_anchors(builder, sizes):
    with shapes_only():
        for size in sizes:
            keras.backend.clear_session()
            model = builder((*size, 3), 2, alpha=0.125)
            number = len(ANCHORS[builder]((*size, 3)))
            shapes = {name: x.shape for name, x in model.output.items()}
            expected = {"scores": (None, number, 3), "offsets": (None, number, 4)}
            assert shapes == expected, size


def test_as_many_outputs_as_anchors():
    assert_as_many_outputs_as_anchors(ssd300, [(257, 389)])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("builder", "sizes"),
    [
        (ssd300, [(321, 513)]),
        (ssd512, [(300, 641)]),
        (ssd_mobilenet_v1, [(75, 100), (300, 321)]),
        (ssd_mobilenet_v2, [(33, 95)]),
    ],
)
def test_as_many_outputs_as_anchors_at_other_sizes(builder, sizes):
    assert_as_many_outputs_as_anchors(builder, sizes)


def test_order_of_outputs_is_that_of_anchors():
    """Each place of each map gives its code; the anchor at each output must be there.

    A code counts places, and the k-th box of a place answers with k + 1 times it.
    """
    size, sides = (64, 160), [(4, 10), (2, 5), (1, 3), (1, 2), (1, 1), (1, 1)]
    maps = [keras.Input((*side, 1)) for side in sides]
    model = keras.Model(maps, multibox_heads(maps, classes=1))
    values, expected = [], []
    for i, (side, k) in enumerate(zip(sides, (3, 6, 6, 6, 6, 6)), start=1):
        for kind, numbers in ("scores", 2), ("offsets", 4):
            layer = model.get_layer(f"{kind}{i}")
            kernel = np.zeros((k, numbers))
            kernel[:, numbers - 1] = 1 + np.arange(k)  # of class 0, and of dh
            layer.set_weights([kernel.reshape(1, 1, 1, -1), np.zeros(k * numbers)])
        codes = 100.0 * i + np.arange(math.prod(side))
        values.append(codes.reshape(1, *side, 1))
        expected += [
            (code * (box + 1), *place) for code, place in zip(codes, np.ndindex(side))
            for box in range(k)
        ]  # fmt: skip
    outputs = model(values)
    code, rows, columns = np.array(expected).T
    assert not np.any(outputs["scores"][0, :, 0])
    np.testing.assert_array_equal(outputs["scores"][0, :, 1], code)
    np.testing.assert_array_equal(outputs["offsets"][0, :, 3], code)
    assert not np.any(outputs["offsets"][0, :, :3])
    found = six_map_boxes(size, *sides[:2])
    assert len(found) == len(code)
    counts = np.repeat(sides, [h * w * k for (h, w), k in zip(sides, [3] + [6] * 5)], 0)
    middle = np.stack([columns + 0.5, rows + 0.5], 1) / counts[:, ::-1] * size[::-1]
    np.testing.assert_allclose((found[:, :2] + found[:, 2:]) / 2, middle, atol=1e-4)


def test_first_map_has_vectors_of_length_20():
    model = ssd300((257, 257, 3), 2, alpha=0.0625)
    layer = model.get_layer("conv4_3_scale")
    np.testing.assert_array_equal(layer.get_weights()[0], np.full((1, 1, 32, 1), 20))
    maps = keras.Model(model.input, layer.output)(pictures(1, (257, 257)))
    lengths = np.linalg.norm(maps, axis=-1)
    assert lengths.shape == (1, 33, 33)
    np.testing.assert_allclose(lengths[lengths > 0], 20, rtol=1e-3)


def test_half_precision_answers_in_float32():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        with shapes_only():
            model = ssd_mobilenet_v1((32, 32, 3), 2, alpha=0.125)
    finally:
        keras.config.set_dtype_policy(before)
    assert {x.dtype for x in model.output.values()} == {"float32"}


def test_too_small_is_refused():
    for builder in (ssd300, ssd512):
        with pytest.raises(ValueError, match="at least 257 pixels"):
            builder((256, 300, 3))
    for builder in MOBILE:
        with pytest.raises(ValueError, match="at least 32 pixels"):
            builder((31, 32, 3))
