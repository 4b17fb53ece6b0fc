import math

import keras
import numpy as np
import pytest
from residual_checks import count, pictures, randomize, shapes_only

from kcv.models.detection.bodies import BODIES
from kcv.models.detection.ssd_body import ssd, ssd_anchors
from kcv.models.detection.ssd_mobilenet import (
    ssd_mobilenet_v1,
    ssd_mobilenet_v1_anchors,
)


def thin(body, size=(64, 96), **options):
    alpha = 0.125 if BODIES[body].scaled else 1.0
    return ssd((*size, 3), 2, body=body, alpha=alpha, **options)


def test_on_mobilenet_v1_the_boxes_are_those_of_ssd_mobilenet_v1():
    for shape in ((300, 300, 3), (75, 130, 3)):
        found = ssd_anchors(shape, "mobilenet_v1")
        np.testing.assert_array_equal(found, ssd_mobilenet_v1_anchors(shape))


@pytest.mark.slow
def test_on_mobilenet_v1_it_is_ssd_mobilenet_v1():
    """A special case that must equal something known: layers and answers."""
    model, known = thin("mobilenet_v1"), ssd_mobilenet_v1((64, 96, 3), 2, alpha=0.125)
    assert [x.name for x in model.layers] == [x.name for x in known.layers]
    known.set_weights(model.get_weights())
    images = pictures(2, (64, 96))
    expected = known(images, training=False)
    for name, value in model(images, training=False).items():
        np.testing.assert_allclose(value, expected[name], atol=1e-5)


def test_parameters_by_pencil():
    """ResNet-18 without its classifier, four pairs of extra layers, six of heads."""
    with shapes_only():
        model = ssd(classes=20, body="resnet18")
    total, before = 11_699_112 - 513 * 1000, 512
    for filters in (512, 256, 256, 128):
        half = filters // 2
        total += before * half + 9 * half * filters + 4 * (half + filters)
        before = filters
    maps = zip((256, 512, 512, 256, 256, 128), (3, 6, 6, 6, 6, 6))
    total += sum((channels + 1) * k * (21 + 4) for channels, k in maps)
    assert count(model)[0] == total
    assert model.name == "ssd_resnet18"


@pytest.mark.parametrize(
    ("body", "size"),
    [
        ("vgg16", (70, 97)),
        ("resnet18", (33, 70)),
        pytest.param("inception_v2", (90, 65), marks=pytest.mark.slow),
        pytest.param("inception_v3", (75, 118), marks=pytest.mark.slow),
    ],
)
def test_as_many_answers_as_anchors(body, size):
    keras.backend.clear_session()
    with shapes_only():
        model = thin(body, size)
    n = len(ssd_anchors((*size, 3), body))
    shapes = {name: x.shape for name, x in model.output.items()}
    assert shapes == {"scores": (None, n, 3), "offsets": (None, n, 4)}


def test_a_finer_first_map_has_four_times_the_places():
    """128 pixels: 16x16, 8x8, 4x4, 2x2, 1, 1 places, without the body's last level."""
    with shapes_only():
        model = thin("darknet19", (128, 128), first_level=3)
    n = 16**2 * 3 + (8**2 + 4**2 + 2**2 + 1 + 1) * 6
    assert len(ssd_anchors((128, 128, 3), "darknet19", first_level=3)) == n
    assert model.output["scores"].shape == (None, n, 3)
    assert "conv14" not in [layer.name for layer in model.layers]
    with pytest.raises(ValueError, match="first_level must be 4 or 3, got 5"):
        ssd(first_level=5)
    with pytest.raises(ValueError, match="first_level must be 4 or 3, got 2"):
        ssd_anchors(first_level=2)


def test_anchors_lie_in_the_image():
    """Also of a body whose maps lose their borders: places share the image out."""
    boxes = ssd_anchors((299, 200, 3), "inception_v3")
    assert boxes.dtype == "float32"
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    assert (centres > 0).all() and (centres < [200, 299]).all()
    first = 17 * 10 * 3  # places of the first map, 3 boxes each
    np.testing.assert_allclose(centres[0], [10, 299 / 34], rtol=1e-5)
    np.testing.assert_allclose(centres[first - 1], [190, 299 - 299 / 34])


@pytest.mark.slow
def test_life(tmp_path):
    """Saved and loaded twice, the same answers; the gate accepts the file."""
    from kcv.export import convert

    model, images = thin("vgg16"), pictures(8, (64, 96))
    randomize(model, images)
    expected = model(images, training=False)
    model.save(tmp_path / "model.keras")
    model.save_weights(tmp_path / "x.weights.h5")
    for again in (
        keras.saving.load_model(tmp_path / "model.keras"),
        thin("vgg16", weights=tmp_path / "x.weights.h5"),
    ):
        for name, value in again(images, training=False).items():
            assert np.ptp(value, axis=0).max() > 0.1
            np.testing.assert_allclose(value, expected[name], rtol=1e-3, atol=1e-4)
    report = convert(
        model,
        tmp_path / "x.tflite",
        quantize="int8",
        calibration=images,
        bound=math.inf,
    )
    assert set(report.parity) == {"scores", "offsets"}
    assert not {"TRANSPOSE", "SHAPE", "PACK", "STRIDED_SLICE"} & set(report.operators)


@pytest.mark.parametrize(
    ("body", "size", "message"),
    [
        ("resnet", (64, 64), "no body 'resnet'; known: resnet18"),
        ("vgg16", (31, 64), "at least 32 pixels"),
        ("inception_v3", (74, 96), "at least 75 pixels"),
    ],
)
def test_refused(body, size, message):
    with pytest.raises(ValueError, match=message):
        ssd((*size, 3), body=body)
    with pytest.raises(ValueError, match="resnet50 has no alpha, got 0.5"):
        ssd(body="resnet50", alpha=0.5)
