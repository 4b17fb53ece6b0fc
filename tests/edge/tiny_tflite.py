"""A classifier small enough to check with NumPy, written without TensorFlow.

probabilities = softmax(flatten(images) @ kernel + bias): one FULLY_CONNECTED and one
SOFTMAX, so every pixel, channel and class can be seen in the answer. Tests of kcv.edge
stay fast, and the package is shown to work where TensorFlow is not installed.
"""

import hashlib
import io
import json
import zipfile

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

CODES = schema.BuiltinOperator
TYPES = {
    "float32": schema.TensorType.FLOAT32,
    "uint8": schema.TensorType.UINT8,
    "int8": schema.TensorType.INT8,
    "int32": schema.TensorType.INT32,
}


def weights(image_shape=(8, 8, 3), classes=4, seed=0):
    """Random kernel (pixels, classes) and bias (classes,) that spread the classes."""
    rng = np.random.default_rng(seed)
    kernel = rng.normal(0, 0.25, (int(np.prod(image_shape)), classes))
    return kernel.astype("float32"), rng.normal(0, 0.5, classes).astype("float32")


def softmax(logits):
    exponentials = np.exp(logits - logits.max(-1, keepdims=True))
    return exponentials / exponentials.sum(-1, keepdims=True)


def reference(images, image_shape=(8, 8, 3), classes=4, seed=0):
    """The same answer by NumPy for normalised images (n, h, w, c)."""
    kernel, bias = weights(image_shape, classes, seed)
    return softmax(images.reshape(len(images), -1).astype("float64") @ kernel + bias)


def flatbuffer(image_shape=(8, 8, 3), classes=4, io_dtype="float32", seed=0):
    """The model's bytes; io_dtype "uint8" or "int8" gives an int8 graph."""
    kernel, bias = weights(image_shape, classes, seed)
    graph = _Graph()
    if io_dtype == "float32":
        images = graph.tensor("images", (1, *image_shape), "float32")
        kernel = graph.tensor("kernel", kernel.T.shape, "float32", data=kernel.T)
        bias = graph.tensor("bias", bias.shape, "float32", data=bias)
        logits = graph.tensor("logits", (1, classes), "float32")
        output = graph.tensor("probabilities", (1, classes), "float32")
        graph.fully_connected(images, kernel, bias, logits)
        graph.softmax(logits, output)
    else:
        unsigned = 128 if io_dtype == "uint8" else 0
        pixel, step = 2 / 255, float(np.abs(kernel).max()) / 127
        # Pixel p is exactly level p (uint8) or p - 128 (int8) of the range (-1, 1).
        quantized = np.round(kernel.T / step).astype("int8")
        bias = np.round(bias / (pixel * step)).astype("int32")
        outside = graph.tensor(
            "images", (1, *image_shape), io_dtype, (pixel, unsigned - 1)
        )
        inside = graph.tensor("levels", (1, *image_shape), "int8", (pixel, -1))
        kernel = graph.tensor("kernel", quantized.shape, "int8", (step, 0), quantized)
        bias = graph.tensor("bias", bias.shape, "int32", (pixel * step, 0), bias)
        logits = graph.tensor("logits", (1, classes), "int8", (0.15, 0))
        scores = graph.tensor("scores", (1, classes), "int8", (1 / 256, -128))
        output = graph.tensor(
            "probabilities", (1, classes), io_dtype, (1 / 256, unsigned - 128)
        )
        graph.quantize(outside, inside)
        graph.fully_connected(inside, kernel, bias, logits)
        graph.softmax(logits, scores)
        graph.quantize(scores, output)
        images = outside
    return graph.finish({"images": images}, {"probabilities": output})


def description(flat, image_shape=(8, 8, 3), classes=4, io_dtype="float32", **changes):
    """kcv.json of a tiny model, with changes to its top level."""
    return {
        "kcv": "0.1.0",
        "format": 1,
        "task": "classification",
        "model": "tiny",
        "quantization": "float32" if io_dtype == "float32" else "int8",
        "signature": {
            "inputs": {"images": {"shape": [1, *image_shape], "dtype": io_dtype}},
            "outputs": {"probabilities": {"shape": [1, classes], "dtype": io_dtype}},
        },
        "normalization": {"mean": [127.5], "std": [127.5]},
        "labels": [f"class {k}" for k in range(classes)],
        "decoding": {},
        "metrics": {},
        "hashes": {"flatbuffer": hashlib.sha256(flat).hexdigest()},
        "versions": {},
        **changes,
    }


def pack(flat, kcv_json, labels=None):
    """The flatbuffer with kcv.json (dict, text or None) in a ZIP behind it."""
    if isinstance(kcv_json, dict):
        labels = kcv_json.get("labels") if labels is None else labels
        kcv_json = json.dumps(kcv_json)
    file = io.BytesIO()
    file.write(flat)
    with zipfile.ZipFile(file, "a", zipfile.ZIP_STORED) as archive:
        archive.writestr("labels.txt", "\n".join(map(str, labels or [])))
        if kcv_json is not None:
            archive.writestr("kcv.json", kcv_json)
    return file.getvalue()


def write(path, io_dtype="float32", image_shape=(8, 8, 3), classes=4, **changes):
    """Writes a whole tiny model file and returns its path."""
    flat = flatbuffer(image_shape, classes, io_dtype)
    kcv_json = description(flat, image_shape, classes, io_dtype, **changes)
    path.write_bytes(pack(flat, kcv_json))
    return path


class _Graph:
    """Collects tensors and operators of one subgraph."""

    def __init__(self):
        self.buffers, self.tensors = [schema.BufferT()], []
        self.codes, self.operators = [], []

    def tensor(self, name, shape, dtype, quantization=None, data=None):
        tensor = schema.TensorT()
        tensor.name, tensor.type = name, TYPES[dtype]
        tensor.shape = np.array(shape, "int32")
        if quantization:
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale = np.array([quantization[0]], "float32")
            tensor.quantization.zeroPoint = np.array([quantization[1]], "int64")
        if data is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(
                np.ascontiguousarray(data, dtype).tobytes(), "uint8"
            )
            tensor.buffer = len(self.buffers)
            self.buffers.append(buffer)
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def quantize(self, source, target):
        self._operator(CODES.QUANTIZE, [source], target, version=2)

    def fully_connected(self, source, kernel, bias, target):
        options = schema.FullyConnectedOptionsT()
        kind = schema.BuiltinOptions.FullyConnectedOptions
        inputs = [source, kernel, bias]
        self._operator(CODES.FULLY_CONNECTED, inputs, target, kind, options, version=4)

    def softmax(self, source, target):
        options = schema.SoftmaxOptionsT()
        options.beta = 1.0
        kind = schema.BuiltinOptions.SoftmaxOptions
        self._operator(CODES.SOFTMAX, [source], target, kind, options, version=2)

    def reshape(self, source, name, shape):
        """A tensor of float values in another shape."""
        wanted = self.tensor(f"{name}_shape", (len(shape),), "int32", data=shape)
        made = self.tensor(name, shape, "float32")
        self._operator(CODES.RESHAPE, [source, wanted], made)
        return made

    def _operator(self, code, inputs, output, kind=0, options=None, version=1):
        entry = schema.OperatorCodeT()
        entry.builtinCode, entry.version = code, version
        entry.deprecatedBuiltinCode = min(code, 127)
        operator = schema.OperatorT()
        operator.opcodeIndex = len(self.codes)
        operator.inputs = np.array(inputs, "int32")
        operator.outputs = np.array([output], "int32")
        operator.builtinOptionsType, operator.builtinOptions = kind, options
        self.codes.append(entry)
        self.operators.append(operator)

    def finish(self, inputs, outputs):
        graph = schema.SubGraphT()
        graph.name, graph.tensors, graph.operators = (
            "main",
            self.tensors,
            self.operators,
        )
        graph.inputs = np.array(list(inputs.values()), "int32")
        graph.outputs = np.array(list(outputs.values()), "int32")
        signature = schema.SignatureDefT()
        signature.signatureKey, signature.subgraphIndex = "serving_default", 0
        signature.inputs = [_tensor_map(*item) for item in inputs.items()]
        signature.outputs = [_tensor_map(*item) for item in outputs.items()]
        model = schema.ModelT()
        model.version, model.description = 3, "tiny"
        model.operatorCodes, model.subgraphs = self.codes, [graph]
        model.buffers, model.signatureDefs = self.buffers, [signature]
        builder = flatbuffers.Builder(4096)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def _tensor_map(name, index):
    entry = schema.TensorMapT()
    entry.name, entry.tensorIndex = name, index
    return entry
