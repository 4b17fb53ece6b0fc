"""One network through the gate: converted, checked and compared with Keras."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from kcv.export import blame, checks, flatbuffer, tflite
from kcv.export.alignment import aligned
from kcv.export.deviation import BOUNDS
from kcv.export.errors import ExportError
from kcv.export.flatbuffer import Graph
from kcv.export.interpreter import predictor

Predict = Callable[[np.ndarray], dict[str, np.ndarray]]


class Proven(NamedTuple):
    """A network that passed the gate's checks 1 and 2."""

    content: bytes  # of the file, but for what is appended to it
    graph: Graph
    layers: list[str]  # of each tensor, see `blame.name_tensors`
    parity: dict[str, float]  # output -> deviation from Keras
    bound: float  # of the deviation
    keras_predict: Predict
    file_predict: Predict


def prove(
    model,
    mode: str,
    io: str,
    calibration: np.ndarray | None,
    probes: np.ndarray,
    *,
    output: str = "output",
    describe: Callable[[Graph], bytes] | None = None,
    bound: float | None = None,
    allow_custom: Sequence[str] = (),
    allow_float: Sequence[str] = (),
    allow_constant: bool = False,
    isolate: bool | None = None,
    batch_size: int = 64,
) -> Proven:
    """Converts a model of one input, of images or not, and proves it.

    Args:
        model: functional Keras 3 or tf_keras model.
        mode: see `tflite.MODES`.
        io: type of an int8 file's input and outputs.
        calibration: float32 (n, ...), what the model takes; None where the mode needs
            none, or the model has learned its ranges.
        probes: likewise, to compare on.
        output: name of the output where the model returns one tensor.
        describe: gives the TFLite Metadata of the graph, or refuses it; None: none.
        bound: see `gate.convert`.
        allow_custom: likewise.
        allow_float: likewise.
        allow_constant: likewise.
        isolate: likewise.
        batch_size: of Keras.

    Returns:
        Proven.

    Raises:
        ExportError: it can't be converted, or failed a check.
    """
    isolate = bool(tflite.recurrent(model)) if isolate is None else isolate
    to_tflite = tflite.isolated if isolate else tflite.to_tflite
    file = flatbuffer.parse(to_tflite(model, mode, io, calibration, output))
    layers = blame.name_tensors(file, model, output)
    graph = flatbuffer.read(file)
    checks.check_operators(graph, layers, mode, allow_custom, allow_float)
    information = describe(graph) if describe else None
    flatbuffer.drop_unused(file)
    if information:
        flatbuffer.add_metadata(file, "TFLITE_METADATA", information)

    # Compare with Keras the very bytes that will be written, but for the manifest.
    content = flatbuffer.pack(file)
    keras_predict = keras_predictor(model, output, batch_size)
    file_predict = predictor(content)
    bound = BOUNDS[mode] if bound is None else bound
    pair = aligned(keras_predict(probes), file_predict(probes), bound)
    parity = checks.check_parity(*pair, mode, allow_constant)
    for name, value in parity.items():
        if not value <= bound:
            some = probes[:8]
            place = blame.first_deviation(content, model, layers, some, bound, mode)
            raise ExportError(
                f"output {name!r} deviates from Keras by {value:.3g}, more than "
                f"{bound:g}; first in {place or 'the last layer'}"
            )
    return Proven(content, graph, layers, parity, bound, keras_predict, file_predict)


def keras_predictor(model, output_name: str, batch_size: int = 64) -> Predict:
    """Returns a function like that of `interpreter.predictor`, computed by Keras."""
    shape = (None, *model.inputs[0].shape[1:])
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
