import functools
import importlib
import inspect
import math
import pkgutil
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras.layers import BatchNormalization

from kcv import models, zoo
from kcv.models.multiply_adds import multiply_adds

# One row of each architecture, at a small size, for the fast lane and for the slow one.
SMALL = {
    "perceptron": (8, 8, 1),
    "mlp": (8, 8, 1),
    "lenet_1989": (16, 16, 1),
    "lenet5": (28, 28, 1),
    "cifar_cnn": (16, 16, 3),
    "mobilenet_v1_025": (32, 32, 3),
}
SLOW = {
    "mobilenet_v3_small": (32, 32, 3),
    "mobilenet_v2_035": (32, 32, 3),
    "lenet5_1998": (28, 28, 1),
    "mobilenet_v3_large_minimalistic": (32, 32, 3),
}
# Without the means and variances of batch normalisation, which torchvision, imgclsmob
# and most papers do not count; each is published or follows from a published table.
TRAINED = {
    "resnet18": 11_689_512,
    "resnet34": 21_797_672,
    "resnet50": 25_583_592,
    "resnet101": 44_601_832,
    "resnet152": 60_268_520,
    "cifar_resnet20": 269_722,
    "cifar_plain20": 269_722,
    "cifar_resnet56": 853_018,
    "cifar_plain56": 853_018,
    "cifar_resnet110": 1_727_962,
    "preact_resnet20": 272_282,
    "preact_resnet110": 1_730_522,
    "preact_resnet164": 1_703_258,
    "preact_resnet50": 25_568_360,
    "preact_resnet101": 44_577_896,
    "preact_resnet152": 60_236_904,
    "preact_resnet200": 64_726_120,
    "wide_resnet16_4": 2_748_890,
    "wide_resnet28_10": 36_479_194,
    "wide_resnet50_2": 68_883_240,
    "wide_resnet101_2": 126_886_696,
    "resnext50_32x4d": 25_028_904,
    "resnext50_8x4d": 9_906_216,
    "resnext101_32x4d": 44_177_704,
    "resnext101_32x8d": 88_791_336,
    "resnext101_64x4d": 83_455_272,
    "densenet121": 7_978_856,
    "densenet169": 14_149_480,
    "densenet201": 20_013_928,
    "densenet161": 28_681_000,
}
DEEP = ("101", "110", "152", "161", "164", "169", "200", "201", "inception_resnet")
TASKS = {"classification", "detection", "localisation", "verification"}
PARTS = {"rcnn_classifier"}  # trained on the way to another model
EACH = [
    *SMALL.items(),
    *(pytest.param(*item, marks=pytest.mark.slow) for item in SLOW.items()),
]


@pytest.mark.parametrize(
    "name",
    [  # to build hundreds of layers takes seconds, and many detectors have them
        pytest.param(
            name,
            marks=pytest.mark.slow
            if row.task == "detection" or any(deep in name for deep in DEEP)
            else (),
        )
        for name, row in zoo.ZOO.items()
    ],
)
def test_parameters_and_multiply_adds(name):
    row = zoo.ZOO[name]
    with keras.StatelessScope(initialize_variables=False):  # shapes without memory
        model = zoo.build(name)
    assert model.count_params() == row.parameters
    assert multiply_adds(model) == row.multiply_adds
    if name in TRAINED:
        trained = [math.prod(weight.shape) for weight in model.trainable_weights]
        assert (model.name, sum(trained)) == (name, TRAINED[name])
    images = model.input["images"] if isinstance(model.input, dict) else model.input
    assert (images.name, images.shape) == ("images", (None, *row.input_shape))
    if row.task == "detection":
        needed = {"scores", "masks" if name == "sds" else "offsets"}
        assert needed <= set(model.output)
    else:
        assert model.layers[-1].name == "predictions"


@pytest.mark.parametrize(
    ("name", "millions"),
    [  # as the papers print them
        ("mobilenet_v1", 569),
        ("mobilenet_v1_075", 325),
        ("mobilenet_v1_050", 149),
        ("mobilenet_v1_025", 41),
        ("mobilenet_v2", 300),
        ("mobilenet_v2_140", 585),
        ("mobilenet_v3_large", 219),
        ("mobilenet_v3_small", 56),
    ],
)
def test_multiply_adds_are_the_papers(name, millions):
    """Within 1.5 %: the papers of v2 and v3 do not say what they leave out."""
    assert zoo.ZOO[name].multiply_adds / 1e6 == pytest.approx(millions, rel=0.015)


@pytest.mark.parametrize("name", zoo.ZOO)
def test_rows_are_complete(name):
    row = zoo.ZOO[name]
    assert row.parameters > 0 and row.multiply_adds > 0
    assert row.ids and row.task in TASKS
    assert "https://" in row.paper
    low, high = row.pixel_range
    np.testing.assert_allclose((0 - row.mean) / row.std, low, atol=1e-6)
    np.testing.assert_allclose((255 - row.mean) / row.std, high, atol=1e-6)
    data = "digits" if row.task == "classification" else "scenes"
    assert row.recipe in (None, f"{name}_{data}")
    assert bool(row.method) == bool(row.anchors)
    assert row.task == "detection" or not row.method


def test_every_model_file_has_a_row_and_every_builder_one():
    """Model files are in task folders; builders take three well-known arguments."""
    arguments = {"input_shape", "classes", "weights"}
    rows = {row.build.args for row in zoo.ZOO.values()}
    for module in pkgutil.walk_packages(models.__path__, "kcv.models."):
        path = module.name.removeprefix("kcv.models.")
        if module.ispkg or path.split(".")[0] not in TASKS:
            continue
        found = [
            name
            for name, function in vars(importlib.import_module(module.name)).items()
            if inspect.isfunction(function)
            and function.__module__ == module.name
            and arguments <= set(inspect.signature(function).parameters)
            and not name.startswith("_")
            and name not in PARTS
        ]
        # Detectors share parts, which are files of their own.
        assert found or "detection" in path, f"{module.name} has no builder"
        for name in found:
            assert (path, name) in rows, f"{module.name}.{name} has no row in the zoo"


@pytest.mark.parametrize("name", zoo.ZOO)
def test_builders_speak_as_keras_applications_do(name):
    builder = zoo.ZOO[name].build
    path, function = builder.args
    function = getattr(importlib.import_module(f"kcv.models.{path}"), function)
    names = list(inspect.signature(function).parameters)
    expected = ["input_shape", "classes", "classifier_activation", "weights"]
    if zoo.ZOO[name].task == "detection":
        expected.remove("classifier_activation")  # scores are logits
    assert names[: len(expected)] == expected


@pytest.mark.parametrize(("name", "shape"), EACH)
def test_saves_loads_and_trains(name, shape, tmp_path):
    """A loaded model predicts the same, and one step on it moves every weight."""
    keras.utils.set_random_seed(0)
    model = zoo.build(name, input_shape=shape, classes=4)
    images = np.random.default_rng(0).normal(size=(8, *shape)).astype("float32")
    _take_batch_statistics(model, images)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    expected = np.asarray(model(images))
    np.testing.assert_allclose(expected.sum(1), 1, rtol=1e-5)
    assert np.ptp(expected, axis=0).max() > 1e-5  # it looks at the image
    np.testing.assert_array_equal(again(images), expected)

    before = again.get_weights()
    again.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=True)
    again.train_on_batch(images, np.arange(8) % 4)
    for weight, old in zip(again.weights, before):
        assert np.all(np.isfinite(weight.numpy()))
        assert np.any(weight.numpy() != old), f"{weight.path} did not move"


def _take_batch_statistics(model, images):
    """Sets means and variances, or a fresh network gives a constant."""
    norms = [la for la in model.layers if isinstance(la, BatchNormalization)]
    for layer in norms:
        layer.momentum = 0.0
    model(images, training=True)
    for layer in norms:
        layer.momentum = 0.9


def test_classifier_activation_none_gives_logits():
    model = zoo.build("mlp", classifier_activation=None)
    images = np.random.default_rng(0).normal(0, 9, (4, 8, 8, 1)).astype("float32")
    assert np.ptp(np.asarray(model(images)).sum(1)) > 0.01


def test_keyword_arguments_reach_the_builder():
    model = zoo.build("lenet5", input_shape=(32, 48, 3), classes=5)
    assert (model.input_shape, model.output_shape) == ((None, 32, 48, 3), (None, 5))


def test_unknown_name_lists_the_known_ones():
    for look_up in (zoo.build, zoo.entry):
        with pytest.raises(
            ValueError, match="'mobilenet_v9'.*perceptron.*mobilenet_v1"
        ):
            look_up("mobilenet_v9")


def test_table_costs_no_import_of_keras():
    """It is read by tools that must answer at once."""
    code = (
        "import sys; from kcv import zoo; assert len(zoo.ZOO) > 9; "
        "sys.exit('keras' in sys.modules or 'numpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_row_is_a_partial_of_module_and_function():
    """The other tests, and readers, find a builder's file in its row."""
    for row in zoo.ZOO.values():
        assert isinstance(row.build, functools.partial) and len(row.build.args) == 2
