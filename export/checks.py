"""The three checks of the gate. Each raises ExportError with one line."""

import numpy as np

from kcv.export.deviation import deviation, is_constant
from kcv.export.errors import ExportError
from kcv.export.flatbuffer import Graph

# Weights that stayed outside the file: it would compute with garbage.
_VARIABLES = {"VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE"}
_FLOATS = {"FLOAT16", "BFLOAT16", "FLOAT32", "FLOAT64"}


def check_operators(
    graph: Graph, layers: list[str], mode: str, allow_custom=(), allow_float=()
) -> None:
    """Check 1: builtin operators, known sizes, frozen weights, integers inside int8.

    Args:
        graph: what the file holds.
        layers: layer of each tensor, see `blame.name_tensors`.
        mode: see `tflite.MODES`.
        allow_custom: names of custom operators to let pass.
        allow_float: names of operators that may be float in an integer file.

    Raises:
        ExportError: names the first operator that fails, and its layer.
    """
    ends = {*graph.inputs.values(), *graph.outputs.values()}
    for operator in graph.operators:
        where = f"operator {operator.name} of layer {_layer(operator, layers)!r}"
        if operator.custom and operator.name not in allow_custom:
            raise ExportError(
                f"{where} is not a builtin operator; express the layer in other "
                "operations"
            )
        if operator.name in _VARIABLES:
            raise ExportError(f"{where} reads a weight that is not in the file")
        tensors = [graph.tensors[i] for i in (*operator.inputs, *operator.outputs)]
        if any(-1 in tensor.shape for tensor in tensors):
            raise ExportError(
                f"{where} has a size that is only known at run time; build the model "
                "with fixed sizes"
            )
    if mode not in ("int8", "int16x8"):
        return
    free = {*ends}
    for operator in graph.operators:
        if operator.name in allow_float:
            free |= {*operator.inputs, *operator.outputs}
    # Kernels before the conversions around them: the kernel is to blame.
    for operator in sorted(graph.operators, key=_converts):
        tensors = {*operator.inputs, *operator.outputs}
        floats = [i for i in tensors if graph.tensors[i].dtype in _FLOATS]
        if operator.name in allow_float or (_converts(operator) and free >= {*floats}):
            continue
        if floats:
            raise ExportError(
                f"operator {operator.name} of layer {_layer(operator, layers)!r} is "
                f"float in an {mode} file; replace the layer, or allow the operator"
            )


def _converts(operator):
    return operator.name in ("QUANTIZE", "DEQUANTIZE")


def _layer(operator, layers):
    indices = (*operator.outputs, *operator.inputs)
    return next((layers[i] for i in indices if layers[i]), "unknown")


def check_input_scale(graph: Graph, mean: np.ndarray, std: np.ndarray) -> None:
    """Checks that a quantized input takes pixels as they are.

    Args:
        graph: what the file holds.
        mean: (channels,), x = (pixel - mean) / std.
        std: (channels,).

    Raises:
        ExportError: a level of the input is not a level of the pixels.
    """
    tensor = graph.tensors[graph.inputs["images"]]
    lowest, highest = np.min((0 - mean) / std), np.max((255 - mean) / std)
    expected, scale = (highest - lowest) / 255, tensor.scale[0]
    first = -128 if tensor.dtype == "INT8" else 0
    low = scale * (first - tensor.zero_point[0])
    if abs(scale / expected - 1) > 1e-3 or abs(low - lowest) > 0.51 * expected:
        high = low + 255 * scale
        raise ExportError(
            f"input 'images' spans [{low:.4g}, {high:.4g}], pixels span [{lowest:.4g}, "
            f"{highest:.4g}]; calibrate over the whole range of the pixels"
        )


def check_parity(
    expected: dict, actual: dict, mode: str, allow_constant: bool
) -> dict[str, float]:
    """Check 2, first half: the outputs say something, and by how much they differ.

    Args:
        expected: Keras, output -> float32 (n, ...).
        actual: the file, likewise.
        mode: see `tflite.MODES`.
        allow_constant: do not ask that the outputs differ between images.

    Returns:
        Output -> deviation.

    Raises:
        ExportError: a file that gave the same answer to every image would pass.
    """
    parity = {}
    for name, reference in expected.items():
        if not np.all(np.isfinite(reference)):
            raise ExportError(f"output {name!r} of the Keras model is not finite")
        if not allow_constant and is_constant(reference):
            raise ExportError(
                f"output {name!r} of the Keras model is the same for all "
                f"{len(reference)} probes, so that comparing proves nothing: the model "
                "is untrained, or the probes are alike"
            )
        parity[name] = deviation(reference, actual[name], mode)
    return parity


def check_metric(metrics: dict, budget: float, minimum: float | None) -> None:
    """Check 3: the file is good enough, and not much worse than Keras.

    Args:
        metrics: {"name", "higher_is_better", "keras", "file"}.
        budget: how much worse it may be.
        minimum: the worst value it may have; None: any.

    Raises:
        ExportError: it is not.
    """
    name, before, after = metrics["name"], metrics["keras"], metrics["file"]
    sign = 1 if metrics["higher_is_better"] else -1
    drop = sign * (before - after)
    if not drop <= budget:
        raise ExportError(
            f"{name} goes from {before:.4f} in Keras to {after:.4f} in the file; the "
            f"loss of {drop:.4f} is more than the budget {budget:g}: train with "
            "quantization, or raise the budget"
        )
    if minimum is not None and not sign * after >= sign * minimum:
        raise ExportError(
            f"{name} {after:.4f} of the file is worse than {minimum:g}: train longer"
        )
