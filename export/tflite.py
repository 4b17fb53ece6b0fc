"""From a Keras model to the bytes of a .tflite file, as yet unproven.

`python -m kcv.export.tflite FOLDER` is the isolated form, see `isolated`.
"""

import contextlib
import pathlib
import re
import signal
import subprocess
import sys
import tempfile

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import (
    convert_variables_to_constants_v2,
)

from kcv.export import flatbuffer
from kcv.export.errors import ExportError
from kcv.export.quiet import quiet
from kcv.models import saved

MODES = ("float32", "float16", "dynamic", "int8", "int16x8")
LARGE = 200e6  # bytes of weights
_IO = {"uint8": tf.uint8, "int8": tf.int8, "float32": tf.float32}


def to_tflite(model, mode: str, io: str, calibration, output_name: str) -> bytes:
    """Converts at a fixed batch of 1, with named outputs and frozen weights.

    `from_concrete_functions` with a Keras 3 model would leave the variables outside
    the file and still succeed; `model.export` would leave the batch size open, which
    costs SHAPE and PACK operators. A SavedModel of one function has neither fault.
    Its weights are constants already, for saving and loading hundreds of variables
    takes four times as long as all the rest; not so those of more than `LARGE` bytes,
    which would be copied about for minutes.

    Args:
        model: Keras 3 or tf_keras model of one input, see `input_name`.
        mode: one of `MODES`.
        io: type of the int8 file's input and outputs: "uint8", "int8" or "float32".
        calibration: float32 (n, height, width, channels) in the model's range, or (n,
            ...) of an input that is no image; None where the mode needs none, or where
            the model brings its own ranges (trained with quantization).
        output_name: name of the output where the model returns one tensor; a dict
            brings its own names.

    Returns:
        The file as the converter made it.

    Raises:
        ExportError: the converter refused; names the operator and the layer.
    """
    with tempfile.TemporaryDirectory() as folder, quiet():
        module = _module(model, output_name)
        tf.saved_model.save(
            *(module, folder, {"serving_default": module.serve}),
            tf.saved_model.SaveOptions(experimental_custom_gradients=False),
        )
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        _configure(converter, mode, io, calibration)
        try:
            return converter.convert()
        except Exception as error:  # the converter has no class of its own for all
            reason = _unsupported(str(error), model, mode, output_name)
            raise ExportError(reason or _explain(str(error), model)) from error


def input_name(model) -> str:
    """The input's name in the file: "images", or its own where it is no image."""
    return "images" if len(model.inputs[0].shape) == 4 else model.inputs[0].name


def _module(model, output_name):
    """A tf.Module whose `serve(images)` gives a dict."""
    shape = (1, *model.inputs[0].shape[1:])
    signature = [tf.TensorSpec(shape, tf.float32, name=input_name(model))]

    @tf.function(input_signature=signature)
    def answer(images):
        outputs = model(images, training=False)
        return outputs if isinstance(outputs, dict) else {output_name: outputs}

    with _exporting(model):
        traced = answer.get_concrete_function()
    module = tf.Module()
    keras3 = isinstance(model, keras.Model)
    variables = [v.value if keras3 else v for v in model.variables]
    if sum(v.shape.num_elements() * v.dtype.size for v in variables) > LARGE:
        module.model = model  # tf_keras variables are found through it, Keras 3's not
        module.variables_ = variables
        module.serve = answer
        return module
    constant = convert_variables_to_constants_v2(traced, lower_control_flow=False)
    names = sorted(traced.structured_outputs)  # the order of a flat dict

    @tf.function(input_signature=signature)
    def serve(images):
        return dict(zip(names, constant(images)))

    module.serve = serve
    return module


@contextlib.contextmanager
def _exporting(model):
    """While it is open, `quantizers.PixelQuantizer` takes its input for levels."""
    found = [getattr(layer, "quantizer", None) for layer in all_layers(model)]
    found = [quantizer for quantizer in found if hasattr(quantizer, "exporting")]
    for quantizer in found:
        quantizer.exporting = True
    try:
        yield
    finally:
        for quantizer in found:
            quantizer.exporting = False


def _configure(converter, mode, io, calibration):
    ops = tf.lite.OpsSet
    if mode == "float32":
        return
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if mode == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if mode == "int8":
        converter.inference_input_type = _IO[io]
        converter.inference_output_type = _IO[io]
    if mode in ("int8", "int16x8") and calibration is not None:
        # Without calibration, that is after training with quantization, the converter
        # demands it as soon as the set of operators is restricted.
        converter.target_spec.supported_ops = [
            ops.TFLITE_BUILTINS_INT8
            if mode == "int8"
            else ops.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
        ]
        converter.representative_dataset = lambda: ([x[None]] for x in calibration)


def isolated(model, mode: str, io: str, calibration, output_name: str) -> bytes:
    """Does what `to_tflite` does in a process of its own.

    The converter ends the whole process on some graphs, for example int8 recurrent
    layers that are not unrolled. A model with custom layers must be loadable from its
    .keras file alone.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        model.save(folder / "model.keras")
        arrays = {} if calibration is None else {"calibration": calibration}
        np.savez(folder / "request.npz", request=[mode, io, output_name], **arrays)
        command = [sys.executable, "-m", "kcv.export.tflite", name]
        child = subprocess.run(command, capture_output=True, text=True)
        if child.returncode == 0:
            return (folder / "model.tflite").read_bytes()
        if child.returncode > 0:
            raise ExportError((child.stderr.strip() or "no message").splitlines()[-1])
    layers = ", ".join(repr(layer.name) for layer in recurrent(model)) or "unknown"
    raise ExportError(
        f"the converter crashed ({signal.Signals(-child.returncode).name}) on a "
        f"{mode} model with loops in layer {layers}; build the layer with unroll=True"
    )


def recurrent(model) -> list:
    """Lists the layers that become a loop in the graph."""
    kinds = (keras.layers.RNN,)
    layers = all_layers(model)
    return [x for x in layers if isinstance(x, kinds) and not x.unroll]


def all_layers(model) -> list:
    """Lists the layers of a Keras 3 or tf_keras model, inner ones included."""
    return list(model._flatten_layers(include_self=False))


def _unsupported(message, model, mode, output_name):
    """Finds the layer of an operator that has no kernel in this mode."""
    operator = re.search(r"not yet supported for op: '(\w+)'", message)
    if not operator:
        return None
    graph = flatbuffer.read(to_tflite(model, "float32", "float32", None, output_name))
    known = {layer.name for layer in all_layers(model)}
    for candidate in graph.operators:
        if candidate.name == operator.group(1):
            tensor = graph.tensors[candidate.outputs[0]].name
            layer = (flatbuffer.layer_path(tensor, model.name, known) or ["unknown"])[0]
            return (
                f"operator {candidate.name} of layer {layer!r} has no {mode} kernel; "
                "replace the layer, or quantize otherwise"
            )
    return None


def _explain(message, model):
    """Turns pages of MLIR into the operator, its layer and a remedy."""
    operator = re.search(r"'(\w+\.\w+)' op ([^\n]*)", message)
    if not operator:
        lines = [line for line in message.splitlines() if "error:" in line]
        first = (lines or message.splitlines() or ["no message"])[0]
        return f"the converter failed: {first[:300]}"
    known = {layer.name for layer in all_layers(model)}
    # The location stands before the operator: the last path that names a layer.
    places = re.findall(r'"([^"]*/[^"]*)"', message[: operator.start()])
    paths = [p for x in places for p in flatbuffer.layer_path(x, model.name, known)]
    layer = paths[-1] if paths else "unknown"
    name, reason = operator.groups()
    if "custom op nor a flex op" in reason:
        reason = "is not a builtin operator; express the layer in other operations"
    return f"operator {name} of layer {layer!r} {reason}"


def _main(folder):
    folder = pathlib.Path(folder)
    request = dict(np.load(folder / "request.npz"))
    mode, io, output_name = request["request"].tolist()
    model = saved.load_model(folder / "model.keras")
    try:
        content = to_tflite(model, mode, io, request.get("calibration"), output_name)
    except ExportError as error:
        sys.exit(str(error))
    (folder / "model.tflite").write_bytes(content)


if __name__ == "__main__":
    _main(sys.argv[1])
