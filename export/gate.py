"""The gate between a Keras model and a device: convert, prove, then write.

    report = convert(model, "digits.tflite", quantize="int8", calibration=images)

A file is written only when it (1) uses builtin operators alone, and integers alone
where it claims to, (2) equals Keras within a bound on real images, output by output,
(3) loses no more of the task's metric than the budget. Otherwise ExportError says in
one line which operator or output failed first, and the Keras layer it came from.

Against the stock converter (measured with keras.applications MobileNet, V2 and V3): the
batch size is 1 and not open, which saves SHAPE, STRIDED_SLICE and PACK before a
RESHAPE; inputs and outputs have the task's names; equal vectors are stored once, which
makes an int8 MobileNetV1 (alpha 0.25) 15 % smaller. An int8 file with uint8 ends keeps
one QUANTIZE at each, as kernels are int8: 1 ns a value on x86, 27 us for an image of
96x96x3, a tenth of that network. io="int8" saves it where MediaPipe is not needed.
"""

import hashlib
import os
import pathlib
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import version

import numpy as np
import tensorflow as tf

import kcv
from kcv.export import blame, checks, flatbuffer, inputs, metadata, tflite
from kcv.export.deviation import BOUNDS
from kcv.export.errors import ExportError
from kcv.export.files import check_writable, write_atomically
from kcv.export.interpreter import predictor
from kcv.export.report import Report, activation_ranges

Predict = Callable[[np.ndarray], dict[str, np.ndarray]]

# Of models with one output; what several are called, their model says.
OUTPUT_NAMES = {"classification": "probabilities", "verification": "embeddings"}


def convert(
    model,
    path: str | os.PathLike,
    *,
    quantize: str | None = None,
    io: str | None = None,
    calibration: np.ndarray | Iterable[np.ndarray] | None = None,
    probes: np.ndarray | Iterable[np.ndarray] | None = None,
    evaluate: Callable[[Predict], float] | None = None,
    budget: float = 0.01,
    minimum: float | None = None,
    metric: str = "accuracy",
    higher_is_better: bool = True,
    bound: float | None = None,
    task: str = "classification",
    labels: Sequence[str] = (),
    normalization: tuple = (127.5, 127.5),
    model_name: str | None = None,
    hashes: dict[str, str] | None = None,
    extra: dict | None = None,
    allow_custom: Sequence[str] = (),
    allow_float: Sequence[str] = (),
    allow_constant: bool = False,
    isolate: bool | None = None,
) -> Report:
    """Writes a proven .tflite file, or raises and writes nothing.

    Args:
        model: functional Keras 3 or tf_keras model from one image to one tensor or a
            dict of tensors.
        path: the file to write; missing folders are made.
        quantize: None or "float32", "float16", "dynamic" (int8 weights), "int8" or
            "int16x8" (16-bit activations, 8-bit weights).
        io: type of the int8 file's input and outputs: "uint8" (default; pixels go in
            as they are, MediaPipe accepts it), "int8" or "float32". All other files
            speak float32.
        calibration: real images, float32 (n, height, width, channels) in the model's
            range, or an iterable of images or batches. Needed for int8 and int16x8,
            unless the model was trained with quantization.
        probes: real images to compare file and Keras on; default: the calibration.
        evaluate: computes the task's metric with a function from float32 images to
            {output: float32 array}; called once with Keras and once with the file.
        budget: how much worse than Keras the file may be, in units of the metric.
        minimum: the worst value of the metric that the file may have; None: any.
        metric: name of what `evaluate` returns.
        higher_is_better: False where the metric is an error.
        bound: largest deviation from Keras; default: `deviation.BOUNDS`.
        task: what the model does; names the output of a model with one.
        labels: names of the classes.
        normalization: (mean, std), numbers or one for each channel, with x = (pixel -
            mean) / std for pixels in 0..255. Default: pixels to [-1, 1].
        model_name: name in the file; default: the model's own.
        hashes: sha256 of what the model was made from, such as {"data": ...}.
        extra: more entries of kcv.json, such as {"decoding": ...}.
        allow_custom: custom operators that the target has.
        allow_float: operators that may be float in an int8 or int16x8 file.
        allow_constant: accept a model that answers every probe alike; the comparison
            with Keras then proves nothing.
        isolate: convert in a process of its own; default: where the model has
            recurrent loops, on which the converter may crash.

    Returns:
        What was measured.

    Raises:
        ExportError: the model can't be converted, or the file failed a check.
        ValueError: an argument is wrong.
    """
    path = pathlib.Path(path)
    mode = quantize or "float32"
    io = inputs.io_type(mode, io)
    shape = inputs.image_shape(model)
    inputs.check_model(model)
    inputs.check_labels(labels, model, background=task == "detection")
    mean, std = inputs.mean_and_std(normalization, shape[-1])
    check_writable(path)
    calibration = inputs.gather_images("calibration", calibration, shape, mean, std)
    probes = inputs.gather_images("probes", probes, shape, mean, std)
    probes = calibration if probes is None else probes
    if probes is None:
        raise ValueError("no real images to compare on: give `probes` or `calibration`")
    # tfmot wraps each layer, and tells the converter the ranges it has learned.
    learned = any(type(layer).__name__.startswith("Quantize") for layer in model.layers)
    if mode in ("int8", "int16x8") and calibration is None and not learned:
        raise ValueError(f"{mode} needs `calibration`: about 200 real images")

    # Convert.
    isolate = bool(tflite.recurrent(model)) if isolate is None else isolate
    to_tflite = tflite.isolated if isolate else tflite.to_tflite
    output = OUTPUT_NAMES.get(task, "output")
    images = None if learned else inputs.with_both_ends(calibration, mean, std)
    file = flatbuffer.parse(to_tflite(model, mode, io, images, output))
    layers = blame.name_tensors(file, model, output)
    graph = flatbuffer.read(file)
    checks.check_operators(graph, layers, mode, allow_custom, allow_float)
    if mode == "int8" and io != "float32":
        checks.check_input_scale(graph, mean, std)
    labelled = _labelled(graph, labels)
    info = metadata.tflite_metadata(
        model_name or model.name,
        list(graph.outputs),
        shape[-1],
        mean,
        std,
        "labels.txt" if labelled else None,
        labelled,
    )
    flatbuffer.drop_unused(file)
    flatbuffer.add_metadata(file, "TFLITE_METADATA", info)

    # Compare with Keras the very bytes that will be written, but for the manifest.
    content = flatbuffer.pack(file)
    keras_predict, file_predict = keras_predictor(model, output), predictor(content)
    bound = BOUNDS[mode] if bound is None else bound
    parity = checks.check_parity(
        keras_predict(probes), file_predict(probes), mode, allow_constant
    )
    for name, value in parity.items():
        if not value <= bound:
            some = probes[:8]
            place = blame.first_deviation(content, model, layers, some, bound, mode)
            raise ExportError(
                f"output {name!r} deviates from Keras by {value:.3g}, more than "
                f"{bound:g}; first in {place or 'the last layer'}"
            )
    metrics = {}
    if evaluate:
        metrics = {"name": metric, "higher_is_better": higher_is_better}
        metrics["keras"] = float(evaluate(keras_predict))
        metrics["file"] = float(evaluate(file_predict))
        checks.check_metric(metrics, budget, minimum)

    # Write.
    manifest = {
        "kcv": kcv.__version__,
        "format": 1,
        "task": task,
        "model": model_name or model.name,
        "quantization": mode,
        "signature": {
            "inputs": _signature(graph, graph.inputs),
            "outputs": _signature(graph, graph.outputs),
        },
        "normalization": {"mean": mean.tolist(), "std": std.tolist()},
        "labels": list(labels),
        "decoding": {},
        "metrics": metrics,
        "hashes": _hashes(model, calibration) | (hashes or {}),
        "versions": {x: version(x) for x in ("keras", "tensorflow", "ai-edge-litert")},
        **(extra or {}),
    }
    content = metadata.append_files(content, labels, manifest)
    write_atomically(path, content)
    counts, ranges = graph.counts(), activation_ranges(graph, layers)
    size = len(content)
    return Report(path, size, mode, counts, parity, bound, metrics, ranges, manifest)


def keras_predictor(model, output_name: str, batch_size: int = 64) -> Predict:
    """Returns a function like that of `interpreter.predictor`, computed by Keras."""
    shape = (None, *inputs.image_shape(model))
    if model.inputs[0].shape[0] is not None:
        batch_size = int(model.inputs[0].shape[0])

    def run(images):
        outputs = model(images, training=False)
        return outputs if isinstance(outputs, dict) else {output_name: outputs}

    run = tf.function(run, [tf.TensorSpec(shape, tf.float32)]).get_concrete_function()

    def predict(images: np.ndarray) -> dict[str, np.ndarray]:
        starts = range(0, len(images), batch_size)
        parts = [run(tf.constant(images[i : i + batch_size])) for i in starts]
        return {x: np.concatenate([p[x].numpy() for p in parts]) for x in parts[0]}

    return predict


def _labelled(graph, labels):
    """The output with a value for each class: the probabilities, where there are."""
    fits = [
        name
        for name, index in graph.outputs.items()
        if graph.tensors[index].shape[-1] == len(labels)
    ]
    return "probabilities" if "probabilities" in fits else next(iter(fits), None)


def _hashes(model, calibration):
    digest = hashlib.sha256()
    for weight in model.get_weights():
        digest.update(f"{weight.dtype}{weight.shape}".encode())
        digest.update(np.ascontiguousarray(weight))
    hashes = {"weights": digest.hexdigest()}
    if calibration is not None:
        hashes["calibration"] = hashlib.sha256(calibration).hexdigest()
    return hashes


def _signature(graph, ends):
    tensors = {name: graph.tensors[index] for name, index in ends.items()}
    return {
        name: {"shape": list(tensor.shape), "dtype": tensor.dtype.lower()}
        for name, tensor in tensors.items()
    }
