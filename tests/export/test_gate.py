"""What the gate refuses, each with a planted fault, leaving nothing behind."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from kcv.export import ExportError, checks, convert, files, flatbuffer, tflite
from kcv.export.deviation import deviation, is_constant


@pytest.fixture
def target(tmp_path):
    """A file from before, which every refusal must leave alone."""
    path = tmp_path / "model.tflite"
    path.write_bytes(b"from before")
    yield path
    assert path.read_bytes() == b"from before"
    assert [x.name for x in tmp_path.iterdir()] == ["model.tflite"]


def noise(n=8, shape=(8, 8, 3)):
    return np.random.default_rng(0).uniform(-1, 1, (n, *shape)).astype("float32")


def model_with(*middle):
    """A convolution, `middle`, and a convolution."""
    keras.utils.set_random_seed(0)
    images = keras.Input((8, 8, 3), name="images")
    x = layers.Conv2D(4, 3, name="first")(images)
    for layer in middle:
        x = layer(x)
    return keras.Model(images, layers.Conv2D(2, 1, name="last")(x), name="net")


class Argmax(layers.Layer):
    """`keras.ops.argmax` of floats needs BitwiseAnd, which TFLite does not have."""

    def call(self, x):
        index = keras.ops.argmax(x, -1, keepdims=True)
        return x * keras.ops.cast(index, "float32")


def concrete(model):
    spec = tf.TensorSpec((1, *model.input_shape[1:]), tf.float32, name="images")
    function = tf.function(lambda images: model(images, training=False), [spec])
    return function.get_concrete_function()


# Check 1: operators.


def test_operator_that_does_not_convert(target):
    with pytest.raises(ExportError) as error:
        convert(model_with(Argmax(name="pick")), target, calibration=noise())
    message = str(error.value)
    assert message.startswith("operator tf.BitwiseAnd of layer 'pick' is not a builtin")
    assert "\n" not in message


def test_operator_without_a_kernel_of_16_bits(target):
    model = model_with(layers.Activation("hard_silu", name="swish"))
    with pytest.raises(ExportError, match="HARD_SWISH of layer 'swish' has no int16x8"):
        convert(model, target, quantize="int16x8", calibration=noise())


def plant(monkeypatch, make):
    """Has `make(model)` take the place of the conversion, signature added."""

    def to_tflite(model, mode, io, calibration, output_name):
        file = flatbuffer.parse(make(model))
        graph = file.subgraphs[0]
        signature = flatbuffer.schema.SignatureDefT()
        signature.signatureKey, signature.inputs, signature.outputs = (
            "serving_default",
            [_tensor_map("images", graph.inputs[0])],
            [_tensor_map(output_name, graph.outputs[0])],
        )
        file.signatureDefs = [signature]
        return flatbuffer.pack(file)

    monkeypatch.setattr(tflite, "to_tflite", to_tflite)


def _tensor_map(name, index):
    entry = flatbuffer.schema.TensorMapT()
    entry.name, entry.tensorIndex = name, index
    return entry


def test_custom_operator_in_the_file(target, monkeypatch):
    """TensorFlow's own kernels convert, but no device has them."""

    def with_flex(model):
        converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete(model)])
        ops = tf.lite.OpsSet
        converter.target_spec.supported_ops = [ops.TFLITE_BUILTINS, ops.SELECT_TF_OPS]
        return converter.convert()

    plant(monkeypatch, with_flex)
    model = model_with(Argmax(name="pick"))
    with pytest.raises(ExportError, match="FlexBitwiseAnd of layer 'pick' is not"):
        convert(model, target, calibration=noise())


def test_weights_outside_the_file(target, monkeypatch):
    """`from_concrete_functions` with a Keras 3 model converts without a word."""

    def unfrozen(model):
        return tf.lite.TFLiteConverter.from_concrete_functions(
            [concrete(model)], model
        ).convert()

    plant(monkeypatch, unfrozen)
    with pytest.raises(ExportError, match="VAR.* of layer .* not in the file"):
        convert(model_with(), target, calibration=noise())


def test_open_batch_size(target, monkeypatch):
    def dynamic(model):
        spec = tf.TensorSpec((None, 8, 8, 3), tf.float32, name="images")
        function = tf.function(lambda images: model(images, training=False), [spec])
        return tf.lite.TFLiteConverter.from_concrete_functions(
            [function.get_concrete_function()]
        ).convert()

    plant(monkeypatch, dynamic)
    with pytest.raises(ExportError, match="CONV_2D of layer 'first' has a size that"):
        convert(model_with(), target, calibration=noise())


def test_float_kernel_in_an_int8_file(target):
    """TFLITE_BUILTINS_INT8 wraps ELU in DEQUANTIZE and QUANTIZE, and says nothing."""
    model = model_with(layers.ELU(name="elu"))
    with pytest.raises(ExportError, match="ELU of layer 'elu' is float in an int8 fil"):
        convert(model, target, quantize="int8", calibration=noise())


def graph_of(name, custom, dtype):
    """images -> (operator) -> output, as `flatbuffer.read` gives it."""
    tensors = [
        flatbuffer.Tensor(i, str(i), kind, (1, 4), False, (), ())
        for i, kind in enumerate(["UINT8", dtype, "UINT8"])
    ]
    operators = [
        flatbuffer.Operator("QUANTIZE", False, (0,), (1,)),
        flatbuffer.Operator(name, custom, (1,), (2,)),
    ]
    return flatbuffer.Graph(tensors, operators, {"images": 0}, {"scores": 2})


def test_allowed_by_name():
    layers = ["", "a", "b"]
    graph = graph_of("TFLite_Detection_PostProcess", True, "INT8")
    with pytest.raises(ExportError, match="PostProcess of layer 'b' is not a builtin"):
        checks.check_operators(graph, layers, "int8")
    checks.check_operators(
        graph, layers, "int8", allow_custom=[graph.operators[1].name]
    )
    graph = graph_of("ELU", False, "FLOAT32")
    with pytest.raises(ExportError, match="ELU of layer 'b' is float in an int8 file"):
        checks.check_operators(graph, layers, "int8", allow_float=["NEG"])
    checks.check_operators(graph, layers, "int8", allow_float=["ELU"])
    checks.check_operators(graph, layers, "dynamic")


# Check 2: equal to Keras.


def scale_weights(content, name, factor):
    """Multiplies the constant whose name ends with `name`."""
    file = flatbuffer.parse(content)
    for tensor in file.subgraphs[0].tensors:
        data = file.buffers[tensor.buffer].data
        if tensor.name.decode().endswith(name) and data is not None and len(data):
            weights = np.frombuffer(bytes(data), np.float32) * np.float32(factor)
            file.buffers[tensor.buffer].data = np.frombuffer(weights.tobytes(), "u1")
            return flatbuffer.pack(file)
    raise AssertionError(name)


@pytest.fixture(scope="module")
def tiny_float(tiny_classifier):
    """What the converter makes of the classifier."""
    return tflite.to_tflite(
        tiny_classifier.model, "float32", "float32", None, "probabilities"
    )


@pytest.mark.parametrize(
    "weights, layer",
    [
        ("stem_1/convolution", "CONV_2D of layer 'stem_relu6'"),
        (
            "block2_depthwise_bn_1/batchnorm/mul",
            "DEPTHWISE_CONV_2D of layer 'block2_depthwise_r",
        ),
        ("predictions_1/MatMul", "SOFTMAX of layer 'predictions'"),
    ],
)
def test_wrong_weights_in_the_file(
    tiny_classifier, tiny_float, target, monkeypatch, weights, layer
):
    """The first layer that deviates is named, not the output."""
    broken = scale_weights(tiny_float, weights, 1.05)
    monkeypatch.setattr(tflite, "to_tflite", lambda *arguments: broken)
    with pytest.raises(ExportError) as error:
        convert(tiny_classifier.model, target, probes=tiny_classifier.images[:20])
    assert "output 'probabilities' deviates from Keras by" in str(error.value)
    assert f"first in {layer}" in str(error.value)


def test_deviation_by_hand():
    """Float: 0.5 off where the largest is 4. Integers: what changes is +-1, off by 0.5.

    Around 102, the same change is less than 1 %: it counts as none.
    """
    expected = np.array([[-4.0], [2]])
    assert deviation(expected, expected + 0.5, "float32") == 0.5 / 4
    for offset in (0, 100):
        expected = np.array([[1.0], [3]]) + offset
        off = expected + [[0.5], [-0.5]]
        constant = is_constant(expected)
        size = 102 if constant else 1
        assert constant == bool(offset)
        assert deviation(expected, off, "int8") == pytest.approx(0.5 / size, rel=1e-4)
    zeros = np.zeros((2, 3))
    assert deviation(zeros, zeros, "int8") == 0
    assert deviation(zeros, zeros + 1, "float32") == np.inf


def test_untrained_model(target):
    """It answers every image alike: every file of it would pass."""
    keras.utils.set_random_seed(0)
    images = keras.Input((8, 8, 3), name="images")
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(images))
    x = layers.Dense(5, activation="softmax", kernel_initializer="zeros")(x)
    model = keras.Model(images, x)
    with pytest.raises(ExportError, match="'probabilities'.* same for all 8 probes"):
        convert(model, target, calibration=noise())
    assert convert(
        model, target.parent / "x.tflite", calibration=noise(), allow_constant=True
    )
    (target.parent / "x.tflite").unlink()


def test_output_that_is_not_finite(target):
    model = model_with(layers.Rescaling(np.inf, name="overflow"))
    with pytest.raises(
        ExportError, match="'probabilities' of the Keras model is not f"
    ):
        convert(model, target, calibration=noise())


# Check 3: the metric.


@pytest.mark.parametrize(
    "higher_is_better, minimum, keras, file, message",
    [
        (True, None, 0.9, 0.88, "loss of 0.0200 is more than the budget 0.01"),
        (False, None, 3, 5, "loss of 2.0000 is more than the budget 0.01"),
        (True, None, 0.9, np.nan, "in Keras to nan in the file"),
        (True, 0.95, 0.9, 0.9, "accuracy 0.9000 of the file is worse than 0.95"),
        (False, 2.5, 3, 2.9, "accuracy 2.9000 of the file is worse than 2.5"),
    ],
)
def test_metric(higher_is_better, minimum, keras, file, message):
    metrics = {"name": "accuracy", "keras": keras, "file": file}
    metrics["higher_is_better"] = higher_is_better
    with pytest.raises(ExportError, match=message):
        checks.check_metric(metrics, 0.01, minimum)


def test_metric_that_passes():
    metrics = {"name": "error", "keras": 3.0, "file": 3.1, "higher_is_better": False}
    checks.check_metric(metrics, 0.11, 3.2)


def test_file_that_falls_from_keras(target):
    values = iter([0.9, 0.8])
    with pytest.raises(ExportError, match="accuracy goes from 0.9000 in Keras to 0.8"):
        convert(
            model_with(),
            target,
            calibration=noise(),
            evaluate=lambda predict: next(values),
        )


def test_evaluate_that_fails_leaves_no_file(target):
    def evaluate(predict):
        raise RuntimeError("no data")

    with pytest.raises(RuntimeError, match="no data"):
        convert(model_with(), target, calibration=noise(), evaluate=evaluate)


# Writing.


def test_write_that_fails_halfway(target, monkeypatch):
    """As on a full disk: the old file stays, the temporary one goes."""

    def fsync(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", fsync)
    with pytest.raises(ExportError, match="cannot write .*: No space left on device"):
        files.write_atomically(target, b"new")


def test_folder_that_is_a_file(target):
    with pytest.raises(ExportError, match="cannot write .* is not a folder"):
        convert(model_with(), target / "x.tflite", calibration=noise())


def test_target_that_is_a_folder(tmp_path):
    with pytest.raises(ExportError, match="cannot write .* it is a folder; choose"):
        convert(model_with(), tmp_path, calibration=noise())


# Arguments.


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"quantize": "int4"}, "no quantization 'int4'; known: float32, float16"),
        ({"quantize": "int8", "io": "int16"}, "io 'int16' of a int8 file; possible"),
        ({"io": "uint8"}, "io 'uint8' of a float32 file; possible: float32"),
        ({"calibration": None}, "no real images to compare on"),
        ({"calibration": None, "probes": noise(), "quantize": "int8"}, "int8 needs"),
        ({"calibration": noise(shape=(9, 8, 3))}, r"must have shape \(n, \*\(8, 8, 3"),
        ({"calibration": []}, "must have shape"),
        ({"calibration": noise() * 127}, "calibration spans .* beyond the pixel range"),
        ({"normalization": (127.5,)}, "normalization must be"),
        ({"normalization": ([1, 2], 1)}, "normalization must be"),
        ({"labels": ["a", "b", "c"]}, "3 labels for 2 classes"),
        ({"labels": ["a", "b\nc"]}, "label .* is not one line of text"),
        ({"labels": ["a", ""]}, "label '' is not one line of text"),
    ],
)
def test_wrong_arguments(target, arguments, message):
    with pytest.raises(ValueError, match=message):
        convert(model_with(), target, **{"calibration": noise(), **arguments})


def test_models_of_other_inputs(target):
    two = [keras.Input((8, 8, 3)), keras.Input((8, 8, 3))]
    model = keras.Model(two, layers.Add()(two))
    with pytest.raises(ValueError, match="one image input, got shapes"):
        convert(model, target, calibration=noise())
    images = keras.Input((None, None, 3))
    model = keras.Model(images, layers.Conv2D(2, 3)(images))
    with pytest.raises(ValueError, match="open size .* build with a fixed input_shape"):
        convert(model, target, calibration=noise())


def test_unbuilt_model(target):
    with pytest.raises(ValueError, match=r"one image input, got shapes \[\]"):
        convert(keras.Sequential([layers.Conv2D(2, 3)]), target, calibration=noise())


def test_other_backend(target, monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ValueError, match="Keras runs on jax: save the model and load"):
        convert(model_with(), target, calibration=noise())


def test_mixed_precision(target):
    model = model_with(layers.Conv2D(4, 1, dtype="mixed_bfloat16", name="half"))
    with pytest.raises(ValueError, match="layer 'half' computes in bfloat16; build"):
        convert(model, target, calibration=noise())


@pytest.mark.slow
def test_converter_that_crashes(target):
    """An int8 loop ends the converter's process, not ours."""
    images = keras.Input((8, 8, 3), name="images")
    x = layers.Reshape((8, 24))(images)
    model = keras.Model(images, layers.LSTM(4, name="memory")(x))
    with pytest.raises(ExportError, match="crashed .* layer 'memory'; .* unroll=True"):
        convert(model, target, quantize="int8", calibration=noise())
