import keras
import numpy as np
import pytest
from residual_checks import pictures, randomize, shapes_only

from kcv.models.detection.rcnn import BODIES, rcnn, rcnn_classifier, rcnn_features

SMALL = {"body": "vgg11_bn", "alpha": 0.25, "units": 16}


def test_parameters_of_the_paper():
    """AlexNet's 60,965,224 less its classifier, and two linear layers."""
    with shapes_only():
        model = rcnn()
        classifier = rcnn_classifier()
    assert model.output["scores"].shape == (None, 20)
    assert model.output["offsets"].shape == (None, 20, 4)
    body = 60_965_224 - 4097 * 1000
    assert body + 4097 * 20 + (6 * 6 * 256 + 1) * 80 == 57_687_524
    assert model.count_params() == 57_687_524
    assert classifier.count_params() == body + 4097 * 21


@pytest.mark.parametrize(
    ("body", "size", "alpha", "maps"),
    [
        ("alexnet", 227, 1, 6 * 6 * 256),  # pool5
        ("vgg16", 224, 0.25, 7 * 7 * 128),  # pool5
        ("vgg11_bn", 32, 0.25, 4 * 4 * 128),
        ("mobilenet_v1", 32, 0.25, 4 * 4 * 64),
        ("cifar_resnet20", 32, 1, 8 * 8 * 64),
    ],
)
def test_regressors_read_the_last_maps_that_tell_places(body, size, alpha, maps):
    with shapes_only():
        images = keras.Input((size, size, 3))
        features = rcnn_features(images, body, alpha, units=8)
    assert features["maps"].shape == (None, maps)
    assert features["fc7"].shape == (None, 8)
    assert body in BODIES


def test_classifier_and_detector_share_their_layers():
    """Given the classifier's layers, a detector sees the same features."""
    classifier = rcnn_classifier((32, 32, 3), 3, **SMALL)
    randomize(classifier, pictures(8, (32, 32)))
    model = rcnn((32, 32, 3), 3, **SMALL)
    theirs = {layer.name: layer for layer in classifier.layers if layer.weights}
    ours = {layer.name: layer for layer in model.layers if layer.weights}
    assert set(ours) - set(theirs) == {"scores", "regressors"}
    assert set(theirs) - set(ours) == {"predictions"}
    for name in set(ours) & set(theirs):
        ours[name].set_weights(theirs[name].get_weights())
    kernel = np.eye(16)[:, :3]  # the first three of the sixteen features
    ours["scores"].set_weights([kernel, np.zeros(3)])
    fc7 = keras.Model(classifier.input, classifier.get_layer("fc7").output)
    images = pictures(4, (32, 32))
    expected = np.asarray(fc7(images))[:, :3]
    assert np.abs(expected).max() > 0
    np.testing.assert_allclose(model(images)["scores"], expected, rtol=1e-4, atol=1e-5)
    total = np.asarray(classifier(images)).sum(axis=1)
    np.testing.assert_allclose(total, 1, rtol=1e-5)
    assert classifier.output.shape == (None, 4)  # the background and three classes


def test_offsets_are_rows_of_classes():
    """A regressor that answers its own number: 0 to 3 are of the first class."""
    model = rcnn((32, 32, 3), 2, **SMALL)
    layer = model.get_layer("regressors")
    layer.set_weights([np.zeros(layer.kernel.shape), np.arange(8.0)])
    found = np.asarray(model(pictures(1, (32, 32)))["offsets"])
    np.testing.assert_array_equal(found, [[[0, 1, 2, 3], [4, 5, 6, 7]]])


def test_saves_and_loads(tmp_path):
    model = rcnn((32, 32, 3), 3, **SMALL)
    images = pictures(2, (32, 32))
    expected = model(images)
    model.save(tmp_path / "model.keras")
    model.save_weights(tmp_path / "x.weights.h5")
    for again in (
        keras.saving.load_model(tmp_path / "model.keras"),
        rcnn((32, 32, 3), 3, weights=tmp_path / "x.weights.h5", **SMALL),
    ):
        outputs = again(images)
        assert outputs.keys() == {"scores", "offsets"}
        for name, value in outputs.items():
            np.testing.assert_allclose(value, expected[name], atol=1e-5)


@pytest.mark.parametrize(
    ("size", "options", "wrong"),
    [
        (32, {"body": "lenet"}, "no body 'lenet'; known: alexnet"),
        (66, {"body": "alexnet"}, "at least 67 pixels"),
        (3, {"body": "cifar_resnet20"}, "at least 4 pixels"),
        (32, {"body": "cifar_resnet20", "alpha": 0.5}, "no width multiplier.*0.5"),
        (31, {"body": "vgg11_bn"}, "at least 32 pixels"),
    ],
)
def test_what_is_refused(size, options, wrong):
    with shapes_only(), pytest.raises(ValueError, match=wrong):
        rcnn((size, size, 3), 3, units=4, **options)


def test_regions_without_maps_of_four_pixels_are_refused():
    with shapes_only(), pytest.raises(ValueError, match="leave cifar_resnet20 no"):
        rcnn_features(keras.Input((3, 3, 3)), "cifar_resnet20", 1, 8)


@pytest.mark.slow
@pytest.mark.parametrize("quantize", ["float32", "int8"])
def test_exports(quantize, tmp_path):
    from kcv.export import convert

    model = rcnn((32, 32, 3), 3, **SMALL)
    randomize(model, pictures(8, (32, 32)))
    # With random weights, int8 may answer anything; of trained ones it is measured.
    convert(
        model,
        tmp_path / "x.tflite",
        quantize=quantize,
        calibration=pictures(16, (32, 32)),
        bound=float("inf") if quantize == "int8" else None,
    )
