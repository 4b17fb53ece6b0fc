"""Localiser, detector and verifier to check with NumPy, written without TensorFlow.

The localiser is tiny_tflite's classifier with a second head beside it: boxes =
flatten(images) @ kernel + bias. The verifier is that head alone, of any width. The
detector gives the same answers at its anchors for every picture.
"""

import json

import numpy as np
import tiny_tflite

SHAPE = (8, 8, 3)  # of the images


def heads(kernels, biases, io_dtype="float32", steps=None):
    """Bytes of a model with one output for each kernel {name: (pixels, n)}.

    Args:
        kernels: by output; "probabilities" get a softmax.
        biases: {name: (n,)}.
        io_dtype: "uint8" gives an int8 graph.
        steps: {name: (scale, zero point as uint8)} of the outputs of that graph.
    """
    graph = tiny_tflite._Graph()
    pixel = 2 / 255  # pixel p is level p of the range (-1, 1)
    if io_dtype == "float32":
        images = inside = graph.tensor("images", (1, *SHAPE), "float32")
    else:
        images = graph.tensor("images", (1, *SHAPE), "uint8", (pixel, 127))
        inside = graph.tensor("levels", (1, *SHAPE), "int8", (pixel, -1))
        graph.quantize(images, inside)
    outputs = {}
    for name, kernel in kernels.items():
        kernel, bias = np.float32(kernel).T, np.float32(biases[name])
        if io_dtype == "float32":
            weights = graph.tensor(f"{name}_w", kernel.shape, "float32", data=kernel)
            shift = graph.tensor(f"{name}_b", bias.shape, "float32", data=bias)
            made = graph.tensor(f"{name}_s", (1, len(bias)), "float32")
            graph.fully_connected(inside, weights, shift, made)
            if name == "probabilities":
                logits, made = made, graph.tensor(name, (1, len(bias)), "float32")
                graph.softmax(logits, made)
            outputs[name] = made
            continue
        step = max(float(np.abs(kernel).max()) / 127, 1e-3)
        kernel = np.round(kernel / step).astype("int8")
        bias = np.round(bias / (pixel * step)).astype("int32")
        weights = graph.tensor(f"{name}_w", kernel.shape, "int8", (step, 0), kernel)
        shift = graph.tensor(f"{name}_b", bias.shape, "int32", (pixel * step, 0), bias)
        scale, zero = steps[name]
        made = graph.tensor(f"{name}_s", (1, len(bias)), "int8", (scale, zero - 128))
        graph.fully_connected(inside, weights, shift, made)
        outside = graph.tensor(name, (1, len(bias)), "uint8", (scale, zero))
        graph.quantize(made, outside)
        outputs[name] = outside
    return graph.finish({"images": images}, outputs)


def write(path, task, flat, outputs, io_dtype="float32", **changes):
    """Writes a whole model file; outputs is {name: width}. Returns its path."""
    described = {
        name: {"shape": [1, width], "dtype": io_dtype}
        for name, width in outputs.items()
    }
    kcv_json = tiny_tflite.description(flat, SHAPE, io_dtype=io_dtype, task=task)
    kcv_json["signature"]["outputs"] = described
    kcv_json = json.loads(json.dumps(kcv_json)) | changes
    path.write_bytes(tiny_tflite.pack(flat, kcv_json))
    return path


def localiser(
    path, io_dtype="float32", box=(1, 2, 5, 7), task="localisation", **changes
):
    """A localiser that finds the same box, in pixels of 8 x 8, in every picture."""
    kernel, bias = tiny_tflite.weights(SHAPE)
    kernels = {"boxes": np.zeros((kernel.shape[0], 4)), "probabilities": kernel}
    biases = {"boxes": np.float32(box), "probabilities": bias}
    steps = {"boxes": (0.05, 60)}
    if io_dtype == "uint8":  # the second head says nothing but which is the largest
        steps["probabilities"] = (0.15, 128)
    flat = heads(kernels, biases, io_dtype, steps)
    outputs = {"boxes": 4, "probabilities": 4}
    return write(path, task, flat, outputs, io_dtype, **changes)


def detector(path, outputs, decoding, labels, **changes):
    """A detector that answers with `outputs`, {name: array of one image}."""
    kernel, _ = tiny_tflite.weights(SHAPE)
    graph = tiny_tflite._Graph()
    images = graph.tensor("images", (1, *SHAPE), "float32")
    made, described = {}, {}
    for name, values in outputs.items():
        flat = np.ravel(values)
        nothing = np.zeros((len(flat), kernel.shape[0]))
        weights = graph.tensor(f"{name}_w", nothing.shape, "float32", data=nothing)
        shift = graph.tensor(f"{name}_b", flat.shape, "float32", data=flat)
        row = graph.tensor(f"{name}_s", (1, len(flat)), "float32")
        graph.fully_connected(images, weights, shift, row)
        made[name] = graph.reshape(row, name, (1, *np.shape(values)))
        described[name] = {"shape": [1, *np.shape(values)], "dtype": "float32"}
    flat = graph.finish({"images": images}, made)
    kcv_json = tiny_tflite.description(flat, SHAPE, task="detection", labels=labels)
    kcv_json["signature"]["outputs"] = described
    kcv_json |= {"decoding": decoding, **changes}
    path.write_bytes(tiny_tflite.pack(flat, kcv_json))
    return path


def verifier(path, io_dtype="float32", width=6, threshold=0.4, **changes):
    """A verifier of random directions; its embeddings are not of length 1."""
    kernel, _ = tiny_tflite.weights(SHAPE, width, seed=1)
    kernels, biases = {"embeddings": kernel}, {"embeddings": np.zeros(width)}
    flat = heads(kernels, biases, io_dtype, {"embeddings": (0.1, 128)})
    changes = {"decoding": {"threshold": threshold}, "labels": [], **changes}
    return write(path, "verification", flat, {"embeddings": width}, io_dtype, **changes)
