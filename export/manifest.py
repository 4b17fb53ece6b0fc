"""What kcv.json says of a file, and how its images are described."""

import hashlib
from importlib.metadata import version

import numpy as np

import kcv
from kcv.export import checks, metadata


def manifest(model, name, task, mode, graph, given, labels, hashes=None) -> dict:
    """The entries of kcv.json that every file has.

    Args:
        model: the Keras model.
        name: in the file.
        task: what the model does.
        mode: see `tflite.MODES`.
        graph: what the file holds, or its first part.
        given: of `inputs.gather`.
        labels: names of the classes.
        hashes: more of them.
    """
    mean, std = given.normalization
    return {
        "kcv": kcv.__version__,
        "format": 1,
        "task": task,
        "model": name,
        "quantization": mode,
        "signature": signature(graph),
        "normalization": {"mean": mean.tolist(), "std": std.tolist()},
        "labels": list(labels),
        "decoding": {},
        "metrics": {},
        "hashes": _hashes(model, given.calibration) | (hashes or {}),
        "versions": {x: version(x) for x in ("keras", "tensorflow", "ai-edge-litert")},
    }


def signature(graph) -> dict:
    """{"inputs": {name: {"shape", "dtype"}}, "outputs": ...} of a graph."""
    return {
        "inputs": _ends(graph, graph.inputs),
        "outputs": _ends(graph, graph.outputs),
    }


def labelled_output(graph, labels) -> str | None:
    """The output with a value for each class: the probabilities, where there are."""
    fits = [
        name
        for name, index in graph.outputs.items()
        if graph.tensors[index].shape[-1] == len(labels)
    ]
    return "probabilities" if "probabilities" in fits else next(iter(fits), None)


def describe_images(name, mode, io, given, labels):
    """The function (graph) -> TFLite Metadata of a model of one image, for `prove`.

    It refuses a quantized input that does not take pixels as they are.
    """
    mean, std = given.normalization

    def describe(graph):
        if mode == "int8" and io != "float32":
            checks.check_input_scale(graph, mean, std)
        labelled = labelled_output(graph, labels)
        file = "labels.txt" if labelled else None
        known = (given.shape[-1], mean, std, file, labelled)
        return metadata.tflite_metadata(name, list(graph.outputs), *known)

    return describe


def _hashes(model, calibration):
    digest = hashlib.sha256()
    for weight in model.get_weights():
        digest.update(f"{weight.dtype}{weight.shape}".encode())
        digest.update(np.ascontiguousarray(weight))
    hashes = {"weights": digest.hexdigest()}
    if calibration is not None:
        hashes["calibration"] = hashlib.sha256(calibration).hexdigest()
    return hashes


def _ends(graph, ends):
    tensors = {name: graph.tensors[index] for name, index in ends.items()}
    return {
        name: {"shape": list(tensor.shape), "dtype": tensor.dtype.lower()}
        for name, tensor in tensors.items()
    }
