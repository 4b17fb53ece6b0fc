"""What passes the gate: five kinds of file of a trained classifier."""

import hashlib
import json

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from keras import layers

from kcv.export import convert, flatbuffer, metadata, tflite


def check_on_device(path, report, tiny, quantization, dtype):
    """A device finds the tensors by name, and sees the accuracy the report states."""
    content = path.read_bytes()
    assert report.bytes == len(content)
    runner = Interpreter(model_content=content).get_signature_runner("serving_default")
    image = runner.get_input_details()["images"]
    assert image["dtype"] == np.dtype(dtype)
    right = 0
    for x, label in zip(tiny.images, tiny.labels):
        if image["quantization"][0]:  # a pixel is a level, from black on
            x = np.round((x + 1) * 127.5) + np.iinfo(dtype).min
        output = runner(images=x[None].astype(dtype))["probabilities"]
        right += np.argmax(output) == label
    assert right / len(tiny.labels) == pytest.approx(report.metric_file)
    assert report.metric_keras > 0.9
    assert abs(report.drop) <= 0.01

    manifest = json.loads(metadata.read_files(content)["kcv.json"])
    assert manifest["quantization"] == quantization
    assert manifest["metrics"]["file"] == report.metric_file
    assert manifest["signature"] == {
        "inputs": {"images": {"shape": [1, 16, 16, 1], "dtype": dtype}},
        "outputs": {"probabilities": {"shape": [1, 10], "dtype": dtype}},
    }


@pytest.mark.parametrize("mode, dtype", [("float32", "float32"), ("int8", "uint8")])
def test_main_kinds(tiny_classifier, tiny_files, mode, dtype):
    report = tiny_files[mode]
    check_on_device(report.path, report, tiny_classifier, mode, dtype)


@pytest.mark.slow
@pytest.mark.parametrize(
    "mode, io, dtype",
    [
        ("float16", None, "float32"),
        ("dynamic", None, "float32"),
        ("int8", "int8", "int8"),
        ("int8", "float32", "float32"),
        ("int16x8", None, "float32"),
    ],
)
def test_other_kinds(tiny_classifier, tmp_path, mode, io, dtype):
    path = tmp_path / "new" / "tiny.tflite"
    report = convert(
        tiny_classifier.model,
        path,
        quantize=mode,
        io=io,
        calibration=tiny_classifier.calibration,
        evaluate=lambda predict: np.mean(
            predict(tiny_classifier.images)["probabilities"].argmax(-1)
            == tiny_classifier.labels
        ),
    )
    assert [x.name for x in path.parent.iterdir()] == ["tiny.tflite"]
    check_on_device(path, report, tiny_classifier, mode, dtype)


def test_no_operator_too_many(tiny_files):
    """Five convolutions with batch norm and ReLU6 inside, pool, dense, softmax.

    Pixels are uint8 and kernels int8, so that the int8 file must convert both ends.
    """
    network = {
        "CONV_2D": 3,
        "DEPTHWISE_CONV_2D": 2,
        "FULLY_CONNECTED": 1,
        "MEAN": 1,
        "SOFTMAX": 1,
    }
    assert tiny_files["float32"].operators == network
    assert tiny_files["int8"].operators == network | {"QUANTIZE": 2}


def test_the_same_bytes_again(tiny_classifier, tiny_files, tmp_path):
    """From the model saved and loaded, in another folder."""
    tiny_classifier.model.save(tmp_path / "model.keras")
    manifest = tiny_files["int8"].manifest
    convert(
        keras.saving.load_model(tmp_path / "model.keras"),
        tmp_path / "x.tflite",
        quantize="int8",
        calibration=list(tiny_classifier.calibration),  # images one by one
        evaluate=lambda predict: np.mean(
            predict(tiny_classifier.images)["probabilities"].argmax(-1)
            == tiny_classifier.labels
        ),
        labels=manifest["labels"],
        hashes={"data": "d1"},
        extra={"decoding": manifest["decoding"]},
    )
    first = tiny_files["int8"].path.read_bytes()
    assert (tmp_path / "x.tflite").read_bytes() == first


def test_uint8_input_takes_pixels_as_they_are(tiny_classifier, tmp_path):
    """Calibrated on images without white, white is still white."""
    path = tmp_path / "x.tflite"
    images = np.minimum(tiny_classifier.calibration, 0.6)
    convert(tiny_classifier.model, path, quantize="int8", calibration=images)
    graph = flatbuffer.read(path.read_bytes())
    tensor = graph.tensors[graph.inputs["images"]]
    pixels = np.arange(256)
    real = tensor.scale[0] * (pixels - tensor.zero_point[0])
    assert np.max(np.abs(real - (pixels / 127.5 - 1))) <= 0.51 / 127.5


def test_ranges_are_those_of_the_activations(tiny_classifier, tiny_files):
    report = tiny_files["int8"]
    ranges = {x.layer: x for x in report.ranges}
    model = tiny_classifier.model
    inner = keras.Model(model.inputs, model.get_layer("pool").output)
    seen = tiny_classifier.calibration.copy()
    seen[0, 0, 0], seen[0, -1, -1] = -1, 1  # as `inputs.with_both_ends` has them
    values = np.asarray(inner([seen]))
    assert ranges["pool"].maximum == pytest.approx(values.max(), rel=0.02)
    assert ranges["block1_depthwise_relu6"].minimum == 0
    assert "| block1_depthwise_relu6 | int8 | 0 |" in report.markdown()
    assert json.loads(json.dumps(report.as_dict()))["drop"] == report.drop
    assert tiny_files["float32"].ranges == []


def test_hashes(tiny_files):
    content = tiny_files["int8"].path.read_bytes()
    manifest = json.loads(metadata.read_files(content)["kcv.json"])
    archive = content.index(b"PK\x03\x04")
    expected = hashlib.sha256(content[:archive]).hexdigest()
    assert manifest["hashes"].pop("flatbuffer") == expected
    assert manifest["hashes"].pop("data") == "d1"
    assert manifest["hashes"].keys() == {"weights", "calibration"}
    assert manifest["decoding"] == {"threshold": 0.5}


def test_dict_of_outputs_with_an_inner_model(tmp_path):
    """Names are those of the dict, whatever the order of the file."""
    keras.utils.set_random_seed(1)
    body_input = keras.Input((8, 8, 3))
    conv = layers.Conv2D(4, 3, activation="relu", name="conv")
    body = keras.Model(body_input, conv(body_input), name="body")
    images = keras.Input((8, 8, 3), name="images")
    x = body(images)
    outputs = {
        "scores": layers.Conv2D(2, 1, activation="sigmoid", name="s")(x),
        "boxes": layers.Conv2D(4, 1, name="b")(x),
    }
    model = keras.Model(images, outputs, name="two")
    rng = np.random.default_rng(0)
    batches = [rng.uniform(-1, 1, (n, 8, 8, 3)).astype("float32") for n in (3, 2)]
    report = convert(
        model, tmp_path / "x.tflite", quantize="int8", calibration=batches, task="boxes"
    )
    assert report.parity.keys() == {"scores", "boxes"}
    assert "body/conv" in {x.layer for x in report.ranges}
    signature = report.manifest["signature"]["outputs"]
    assert signature["boxes"]["shape"] == [1, 6, 6, 4]
    assert signature["scores"]["shape"] == [1, 6, 6, 2]


@pytest.mark.slow
def test_tf_keras_model(tmp_path):
    import tf_keras

    tf_keras.utils.set_random_seed(0)
    images = tf_keras.Input((8, 8, 3), name="images")
    x = tf_keras.layers.Conv2D(4, 3, activation="relu", name="conv")(images)
    x = tf_keras.layers.Flatten(name="flatten")(x)
    x = tf_keras.layers.Dense(5, activation="softmax", name="predictions")(x)
    model = tf_keras.Model(images, x, name="old")
    calibration = np.random.default_rng(0).uniform(-1, 1, (8, 8, 8, 3))
    report = convert(
        model, tmp_path / "x.tflite", quantize="int8", calibration=calibration
    )
    assert {x.layer for x in report.ranges} >= {"conv", "predictions"}


@pytest.mark.slow
def test_isolated(tiny_classifier):
    """The same bytes from a process of its own."""
    arguments = ("int8", "uint8", tiny_classifier.calibration, "probabilities")
    here = tflite.to_tflite(tiny_classifier.model, *arguments)
    assert tflite.isolated(tiny_classifier.model, *arguments) == here


@pytest.mark.slow
def test_large_weights_stay_variables_on_the_way(tiny_classifier, monkeypatch):
    """The file is the same but for names."""
    model = tiny_classifier.model
    files = []
    for large in (tflite.LARGE, 0):
        monkeypatch.setattr(tflite, "LARGE", large)
        content = tflite.to_tflite(model, "float32", "float32", None, "y")
        files.append(flatbuffer.read(content).counts())
    assert files[0] == files[1]
