"""Quantisation-aware training: the simulation is the file, and it learns."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from keras import layers, ops
from sklearn.datasets import load_digits

from kcv import zoo
from kcv.export import bridge, convert, qat, quantization_plan, tflite
from kcv.layers.pad_channels import PadChannels
from kcv.models.classification import mobilenet_v1, mobilenet_v3

IMAGE = (12, 12, 4)


def images(shape=IMAGE, count=16, seed=0):
    rng = np.random.default_rng(seed)
    return rng.uniform(-1, 1, (count, *shape)).astype("float32")


def settle(model, x, seed=1):
    """Random batch norms with the statistics of x: nothing dies or saturates."""
    rng = np.random.default_rng(seed)
    for layer in model._flatten_layers():
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = 0.0
            if layer.scale:
                layer.gamma.assign(rng.uniform(0.5, 1.5, layer.gamma.shape))
            if layer.center:
                layer.beta.assign(rng.uniform(-0.5, 0.5, layer.beta.shape))
    model(x, training=True)
    return model


def run_file(content, x):
    """Returns the outputs of an int8 file with float ends, and its tensors' types."""
    interpreter = Interpreter(model_content=content)
    interpreter.allocate_tensors()
    (i,), (o,) = interpreter.get_input_details(), interpreter.get_output_details()
    outputs = []
    for image in x:
        interpreter.set_tensor(i["index"], image[None])
        interpreter.invoke()
        outputs.append(interpreter.get_tensor(o["index"])[0])
    inner = [
        (t["name"], t["dtype"].__name__)
        for t in interpreter.get_tensor_details()
        if t["index"] not in (i["index"], o["index"]) and t["name"]
    ]
    operators = [op["op_name"] for op in interpreter._get_ops_details()]
    operators = [name for name in operators if name != "DELEGATE"]  # XNNPACK's parts
    return np.array(outputs), inner, operators


def quantized(model, x):
    twin = qat.quantization_aware(model)
    qat.calibrate(twin, [x])
    return twin


def assert_simulates(model, bound=0.06):
    """The file has integers alone and answers as the simulation does.

    Returns the names of its operators.
    """
    x = images(model.input_shape[1:])
    settle(model, x)
    twin = quantized(model, x)
    simulated = np.asarray(twin(x, training=False))
    exact = np.asarray(model(x, training=False))
    content = tflite.to_tflite(twin, "int8", "float32", None, "y")
    answers, tensors, operators = run_file(content, x)
    assert [t for t in tensors if "float" in t[1]] == []
    spread = np.std(simulated)
    assert spread > 1e-3
    assert np.std(answers - simulated) < bound * spread
    assert 0 < np.std(simulated - exact) < 4 * bound * spread
    return operators


def chain(*stack, shape=IMAGE):
    inputs = x = keras.Input(shape, name="images")
    for layer in stack:
        x = layer(x)
    return keras.Model(inputs, x, name="model")


def squeeze_excite():
    """What MobileNetV3 adds: hard swish, a hard sigmoid gate, pooling kept 4-D."""
    inputs = keras.Input(IMAGE, name="images")
    x = layers.Conv2D(8, 3, use_bias=False, name="stem")(inputs)
    x = layers.BatchNormalization(name="stem_bn")(x)
    x = layers.Activation("hard_silu", name="stem_hs")(x)
    gate = layers.GlobalAveragePooling2D(keepdims=True)(x)
    gate = layers.Conv2D(4, 1, activation="relu")(gate)
    gate = layers.Conv2D(8, 1, activation="hard_sigmoid")(gate)
    x = layers.Multiply()([x, gate])
    y = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
    y = layers.BatchNormalization()(y)
    y = layers.ReLU(6.0)(y)
    x = layers.Add()([x, y])
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(5, name="predictions")(x), name="model")


def nested_shared_and_operations():
    """Sub-model called twice, operators in the graph, a concatenation."""
    inner_inputs = keras.Input((10, 10, 6))
    y = layers.Conv2D(6, 3, padding="same")(inner_inputs)
    inner = keras.Model(inner_inputs, ops.relu6(y + 3.0) * (1 / 6), name="inner")
    inputs = keras.Input(IMAGE, name="images")
    x = layers.Conv2D(6, 3, activation="relu6")(inputs)
    x = layers.Concatenate()([inner(x), inner(inner(x))])
    x = layers.Conv2D(5, 3)(x)
    return keras.Model(inputs, ops.mean(x, axis=(1, 2)), name="model")


def padded_shortcut():
    """Zeros beside the channels, as the first residual networks have."""
    inputs = keras.Input(IMAGE, name="images")
    x = layers.Conv2D(4, 3, padding="same", activation="relu")(inputs)
    y = layers.Conv2D(6, 3, 2, padding="same")(x)
    x = layers.Add()([PadChannels(2)(layers.MaxPooling2D(1, 2)(x)), y])
    return keras.Model(inputs, layers.ReLU()(x), name="model")


def batch_norm():
    return layers.BatchNormalization()


BLOCKS = {
    "dilated": lambda: chain(
        layers.Conv2D(6, 3, dilation_rate=2), batch_norm(), layers.ReLU(6.0)
    ),
    "separable": lambda: chain(
        layers.SeparableConv2D(6, 3, use_bias=False), batch_norm(), layers.ReLU()
    ),
    "grouped_silu": lambda: chain(
        layers.Conv2D(8, 3, groups=2), batch_norm(), layers.Activation("silu")
    ),
    "depthwise_multiplier": lambda: chain(
        layers.DepthwiseConv2D(3, depth_multiplier=2), layers.LeakyReLU(0.2)
    ),
    "prelu": lambda: chain(layers.Conv2D(6, 3), layers.PReLU(shared_axes=[1, 2])),
    "rescaled": lambda: chain(
        layers.Rescaling(0.5, 0.25), layers.Conv2D(6, 3, activation="tanh"),
        layers.AveragePooling2D(2), layers.Flatten(), layers.Dense(6, "sigmoid"),
        layers.Dense(5, "softmax"),
    ),
    "nested": nested_shared_and_operations,
    "padded_shortcut": padded_shortcut,
}  # fmt: skip


def test_squeeze_excite_and_hard_swish_become_integers_with_few_operators():
    operators = assert_simulates(squeeze_excite())
    assert operators.count("HARD_SWISH") == 1
    assert operators.count("CONV_2D") == 3
    assert operators.count("DEPTHWISE_CONV_2D") == 1
    # One at either end, as the ends are float here.
    assert operators.count("QUANTIZE") == operators.count("DEQUANTIZE") == 1
    assert len(operators) == 14, " ".join(operators)


@pytest.mark.slow
@pytest.mark.parametrize("name", BLOCKS)
def test_a_block_becomes_integers(name):
    assert_simulates(BLOCKS[name]())


@pytest.fixture
def shallow(monkeypatch):
    """MobileNets of fewer blocks, but of each kind."""
    v1, v3 = mobilenet_v1.BLOCKS, mobilenet_v3.SMALL
    monkeypatch.setattr(mobilenet_v1, "BLOCKS", (v1[1], *v1[3:7], v1[11]))
    monkeypatch.setattr(mobilenet_v3, "SMALL", v3[:5])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("perceptron", (8, 8, 1)),
        ("mlp", (8, 8, 1)),
        ("lenet_1989", (16, 16, 1)),
        ("lenet5", (28, 28, 1)),
        ("cifar_cnn", (32, 32, 3)),
        ("mobilenet_v1_025", (32, 32, 3)),
        ("mobilenet_v3_small", (32, 32, 3)),
    ],
)
def test_the_models_of_the_zoo_become_integers(name, shape, shallow):
    model = zoo.build(name, input_shape=shape, classes=7, classifier_activation=None)
    # Untrained and tens of layers deep: single levels that flip grow along the way.
    assert_simulates(model, bound=0.8)


def digits():
    pixels, labels = load_digits(return_X_y=True)
    x = (pixels.reshape(-1, 8, 8, 1) / 8 - 1).astype("float32")
    return (x[:1300], labels[:1300]), (x[1300:], labels[1300:])


def small_classifier():
    inputs = keras.Input((8, 8, 1), name="images")
    x = layers.Conv2D(16, 3, padding="same", use_bias=False, name="stem")(inputs)
    x = layers.BatchNormalization(momentum=0.9, name="stem_bn")(x)
    x = layers.ReLU(6.0, name="stem_relu6")(x)
    x = layers.DepthwiseConv2D(3, 2, padding="same", name="dw", use_bias=False)(x)
    x = layers.BatchNormalization(momentum=0.9, name="dw_bn")(x)
    x = layers.Activation("hard_silu", name="dw_hs")(x)
    x = layers.Conv2D(24, 3, dilation_rate=2, padding="same", name="wide")(x)
    x = layers.BatchNormalization(momentum=0.9, name="wide_bn")(x)
    x = layers.ReLU(name="wide_relu")(x)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    x = layers.Dense(10, activation="softmax", name="predictions")(x)
    return keras.Model(inputs, x, name="small")


def shuffled(x, y):
    def batches(epoch):
        order = np.random.default_rng(epoch).permutation(len(x))
        for rows in np.array_split(order, len(x) // 50):
            yield {"images": x[rows], "labels": y[rows]}

    return batches


def accuracy(model, x, y):
    return float(np.mean(np.argmax(model(x, training=False), axis=-1) == y))


@pytest.fixture(scope="module")
def trained_digits():
    keras.utils.set_random_seed(1)
    (x, y), test = digits()
    model = small_classifier()
    loss = "sparse_categorical_crossentropy"
    model.compile(keras.optimizers.Adam(5e-3), loss, jit_compile=False)
    model.fit(x, y, batch_size=50, epochs=4, verbose=0)
    return model, (x, y), test


@pytest.mark.slow
def test_training_gives_an_integer_file_that_answers_like_the_simulation(
    trained_digits, tmp_path
):
    model, (x, y), test = trained_digits
    before = accuracy(model, *test)
    weights = model.get_weights()
    assert before > 0.85  # random guessing: 0.1
    calibrated = qat.quantization_aware(model)
    assert accuracy(calibrated, *test) < 0.3  # without ranges it knows nothing
    qat.calibrate(calibrated, [x[:200]])
    assert accuracy(calibrated, *test) > before - 0.03

    steps = []
    twin = qat.train_quantization_aware(
        model, shuffled(x, y), epochs=3, learning_rate=2e-3,
        on_step=lambda step, loss: steps.append((step, loss)),
    )  # fmt: skip
    assert [step for step, _ in steps] == list(range(1, 3 * 26 + 1))
    simulated = accuracy(twin, *test)
    assert simulated >= before - 0.01
    for a, b in zip(weights, model.get_weights()):
        np.testing.assert_array_equal(a, b)

    report = convert(
        twin, tmp_path / "qat.tflite", quantize="int8", io="uint8", probes=test[0],
        evaluate=lambda predict: np.mean(
            np.argmax(predict(test[0])["probabilities"], axis=-1) == test[1]
        ),
        budget=0.02,
    )  # fmt: skip
    assert abs(report.metrics["file"] - simulated) <= 0.02
    # Dilation costs two more in TFLite; all are integer, or the gate would refuse.
    assert report.operators["CONV_2D"] == 2
    assert report.operators["DEPTHWISE_CONV_2D"] == 1

    bridge.weights_back(twin, model)
    assert accuracy(model, *test) >= simulated - 0.03
    model.set_weights(weights)


def test_weights_come_back_exactly_also_through_folded_batch_norms():
    x = images((8, 8, 1))
    model = settle(small_classifier(), x)
    twin = qat.quantization_aware(model)
    rng = np.random.default_rng(5)
    for layer in twin.layers:
        for weight in getattr(layer, "trainable_weights", []):
            weight.assign(weight * rng.uniform(0.8, 1.2, weight.shape))
    bridge.weights_back(twin, model)
    found = {bridge.unwrapped(x).name: x for x in twin.layers}
    assert "wide_bn" not in found and "dw_bn" in found
    kept = bridge._variables(model.get_layer("dw"), [found["dw"]])
    np.testing.assert_array_equal(model.get_layer("dw").kernel, kept["kernel"].numpy())
    # With the rounding switched off the two compute the same.
    exact = bridge.to_tf_keras(model)(x)
    np.testing.assert_allclose(exact, model(x), atol=1e-5)
    unrounded = _without_rounding(twin, model, x)
    np.testing.assert_allclose(unrounded, model(x), atol=1e-4)


def _without_rounding(twin, model, x):
    """The trained twin's float function: its own kernels in a plain folded model."""
    from kcv.export import fold

    folded = fold.fold_batch_norm(model, only=quantization_plan.must_fold)
    bridge.weights_back(twin, folded)
    return folded(x)


def test_calibration_takes_the_ranges_of_the_images():
    model = chain(layers.Conv2D(3, 1, name="conv"), layers.ReLU(name="relu"))
    x = images()
    twin = quantized(model, x)
    values = np.asarray(model(x))
    layer = twin.get_layer("relu_range")
    low, high = (layer.quantizer_vars[f"{end}_var"].numpy() for end in ("min", "max"))
    assert low == 0
    # Seen through the rounded kernel and input.
    np.testing.assert_allclose(high, values.max(), rtol=0.02)
    with pytest.raises(ValueError, match="no batch to calibrate"):
        qat.calibrate(twin, [])


def test_every_pixel_is_its_own_level_in_the_simulation_and_in_the_file():
    """Pixels of [-1, 1] lie in the middle of two levels: neighbours must not merge."""
    model = chain(
        layers.Identity(name="same"), layers.MaxPooling2D(1), shape=(16, 16, 1)
    )
    pixels = (np.arange(256, dtype="float32").reshape(1, 16, 16, 1) - 127.5) / 127.5
    twin = quantized(model, pixels)
    simulated = np.asarray(twin(pixels, training=False)).ravel()
    np.testing.assert_allclose(np.diff(simulated), 1 / 127.5, rtol=1e-3)
    content = tflite.to_tflite(twin, "int8", "uint8", None, "y")
    detail = Interpreter(model_content=content).get_input_details()[0]
    scale, zero_point = detail["quantization"]
    given = scale * (np.arange(256) - zero_point)  # pixel p as level p
    np.testing.assert_allclose(given, simulated, atol=1e-4)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (lambda: layers.ELU(name="here"), r"'here' \(ELU\)"),
        (lambda: layers.Conv2D(3, 1, activation="elu", name="here"), "activation elu"),
        (lambda: layers.LayerNormalization(name="here"), r"'here' \(LayerNorm"),
        (lambda: layers.Conv2DTranspose(3, 2, name="here"), r"'here' \(Conv2DTranspo"),
        (lambda: layers.Activation("gelu", name="here"), "activation gelu"),
        (lambda: layers.BatchNormalization(name="here"), "no convolution right before"),
    ],
)
def test_what_has_no_integer_form_is_named(layer, message):
    with pytest.raises(ValueError, match=message):
        qat.quantization_aware(chain(layer()))


def test_a_sum_of_three_is_named():
    images = keras.Input((4, 4, 2))
    parts = [layers.Conv2D(3, 1)(images) for _ in range(3)]
    model = keras.Model(images, layers.Add(name="here")(parts))
    with pytest.raises(ValueError, match=r"'here' \(Add, of more than two inputs\)"):
        qat.quantization_aware(model)


def test_training_refuses_no_data_and_an_exploding_loss():
    model = chain(layers.Flatten(), layers.Dense(3, "softmax"))
    with pytest.raises(ValueError, match="no batch to calibrate"):
        qat.train_quantization_aware(
            model, lambda epoch: [], epochs=1, learning_rate=1e-3
        )
    batch = images(), np.zeros(16, "int64")
    with pytest.raises(ValueError, match="loss is nan at step 1.*lower rate than 0.1"):
        qat.train_quantization_aware(
            model, lambda epoch: [batch], epochs=1, learning_rate=0.1,
            loss=lambda labels, outputs: outputs[:, 0] * np.nan,
        )  # fmt: skip


@pytest.mark.slow
def test_importing_export_leaves_the_toolkit_and_the_environment_alone():
    code = (
        "import os, sys; import kcv.export; "
        "assert 'tensorflow_model_optimization' not in sys.modules; "
        "import kcv.export.qat, tensorflow as tf, keras; "
        "assert 'tensorflow_model_optimization' in sys.modules; "
        "assert 'TF_USE_LEGACY_KERAS' not in os.environ; "
        "assert tf.keras.version() == keras.version()"
    )
    environment = {k: v for k, v in os.environ.items() if k != "TF_USE_LEGACY_KERAS"}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
