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

import os
import pathlib
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from kcv.export import checks, inputs, metadata
from kcv.export.files import check_writable, write_atomically
from kcv.export.manifest import describe_images, manifest
from kcv.export.prove import Predict, prove
from kcv.export.report import Report, activation_ranges

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
    check_writable(path)
    known = (calibration, probes, labels, normalization, task)
    given = inputs.gather(model, mode, *known)

    # Convert, and compare with Keras.
    name, labels = model_name or model.name, list(labels)
    proven = prove(
        model,
        mode,
        io,
        None if inputs.learned(model) else inputs.with_both_ends(given),
        given.probes,
        output=OUTPUT_NAMES.get(task, "output"),
        describe=describe_images(name, mode, io, given, labels),
        bound=bound,
        allow_custom=allow_custom,
        allow_float=allow_float,
        allow_constant=allow_constant,
        isolate=isolate,
    )
    metrics = {}
    if evaluate:
        metrics = {"name": metric, "higher_is_better": higher_is_better}
        metrics["keras"] = float(evaluate(proven.keras_predict))
        metrics["file"] = float(evaluate(proven.file_predict))
        checks.check_metric(metrics, budget, minimum)

    # Write.
    graph = proven.graph
    said = manifest(model, name, task, mode, graph, given, labels, hashes)
    said |= {"metrics": metrics, **(extra or {})}
    content = metadata.append_files(proven.content, labels, said)
    write_atomically(path, content)
    ranges = activation_ranges(graph, proven.layers)
    measured = (proven.parity, proven.bound, metrics, ranges, said)
    return Report(path, len(content), mode, graph.counts(), *measured)
