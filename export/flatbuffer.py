"""Reads and edits the flatbuffer of a .tflite file."""

import re
from typing import NamedTuple

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

_OPERATORS = {
    v: k for k, v in vars(schema.BuiltinOperator).items() if not k.startswith("_")
}
_TYPES = {v: k for k, v in vars(schema.TensorType).items() if not k.startswith("_")}


class Tensor(NamedTuple):
    """One tensor of the first subgraph."""

    index: int
    name: str
    dtype: str  # "FLOAT32", "INT8", ...
    shape: tuple[int, ...]  # -1 where the file leaves a size open
    constant: bool
    scale: tuple[float, ...]  # empty where not quantized
    zero_point: tuple[int, ...]


class Operator(NamedTuple):
    """One operator of the first subgraph, in the order of execution."""

    name: str  # the builtin's name, or the custom code
    custom: bool
    inputs: tuple[int, ...]  # indices of tensors
    outputs: tuple[int, ...]


class Graph(NamedTuple):
    """What the gate looks at: the tensors and operators of all subgraphs in turn."""

    tensors: list[Tensor]
    operators: list[Operator]
    inputs: dict[str, int]  # signature name -> index of its tensor
    outputs: dict[str, int]  # in the order of the file's outputs

    def counts(self) -> dict[str, int]:
        """Number of operators by name, in order of the names."""
        names = [operator.name for operator in self.operators]
        return {name: names.count(name) for name in sorted(set(names))}


def parse(content: bytes) -> schema.ModelT:
    """Unpacks a .tflite file into a mutable object."""
    if content[4:8] != b"TFL3":
        raise ValueError("not a .tflite file: the identifier TFL3 is missing")
    return schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(bytearray(content), 0))


def pack(model: schema.ModelT) -> bytes:
    """The inverse of `parse`; changes no number, but stores equal parts once."""
    options = {}
    for subgraph in model.subgraphs:
        for operator in subgraph.operators or []:
            if operator.builtinOptions is not None:
                operator.builtinOptions = _Once(operator.builtinOptions, options)
    builder = _Builder(1 << 16)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


class _Once:
    """Options of operators, written once for all operators that have the same."""

    def __init__(self, options, places):
        self._options, self._places = getattr(options, "_options", options), places

    def Pack(self, builder):  # noqa: N802
        options = self._options
        values = tuple(
            (name, str(value.tolist() if isinstance(value, np.ndarray) else value))
            for name, value in sorted(vars(options).items())
        )
        key = (type(options), values)
        if key not in self._places:
            self._places[key] = options.Pack(builder)
        return self._places[key]


class _Builder(flatbuffers.Builder):
    """A builder that keeps the weights aligned, and stores equal vectors once.

    The schema says `force_align: 16` for the data of a buffer; the generated Python
    code forgets it. Kernels on Arm and the Edge TPU rely on it. The zero points of
    per-channel weights and biases are 8 bytes a channel, nearly all of them zero: in an
    int8 MobileNetV1 (alpha 0.25) they are 14 % of the file, unless shared.
    """

    def __init__(self, size):
        super().__init__(size)
        self._vectors = {}

    def CreateNumpyVector(self, x):  # noqa: N802
        data = x.tobytes()
        key = (x.dtype.str, data)
        if key not in self._vectors:
            alignment = 16 if x.dtype == np.uint8 else x.itemsize
            self.StartVector(x.itemsize, x.size, alignment)
            self.head -= len(data)
            self.Bytes[self.head : self.head + len(data)] = data
            self._vectors[key] = self.EndVector()
        return self._vectors[key]


def read(content: bytes | schema.ModelT) -> Graph:
    """Lists tensors and operators; those of the control-flow subgraphs come last.

    Args:
        content: the bytes of a .tflite file, or what `parse` returned.

    Returns:
        The graph. Indices of tensors count through all subgraphs; in the first
        subgraph they are the file's own.
    """
    model = content if isinstance(content, schema.ModelT) else parse(content)
    tensors, operators = [], []
    for subgraph in model.subgraphs:
        first = len(tensors)
        for tensor in subgraph.tensors:
            tensors.append(_tensor(model, tensor, len(tensors)))
        for operator in subgraph.operators or []:
            code = model.operatorCodes[operator.opcodeIndex]
            # Codes below 127 are in the older, narrower field too.
            name = _OPERATORS[max(code.builtinCode, code.deprecatedBuiltinCode)]
            operators.append(
                Operator(
                    _text(code.customCode) if name == "CUSTOM" else name,
                    name == "CUSTOM",
                    tuple(first + int(i) for i in _list(operator.inputs) if i >= 0),
                    tuple(first + int(i) for i in _list(operator.outputs) if i >= 0),
                )
            )
    signature = (model.signatureDefs or [schema.SignatureDefT()])[0]
    inputs = {_text(m.name): int(m.tensorIndex) for m in signature.inputs or []}
    order = _list(model.subgraphs[0].outputs)  # the signature's is alphabetical
    maps = sorted(signature.outputs or [], key=lambda m: order.index(m.tensorIndex))
    outputs = {_text(m.name): int(m.tensorIndex) for m in maps}
    return Graph(tensors, operators, inputs, outputs)


def _tensor(model, tensor, index):
    shape = _list(tensor.shapeSignature) or _list(tensor.shape)
    quantization = tensor.quantization or schema.QuantizationParametersT()
    data = model.buffers[tensor.buffer].data
    return Tensor(
        index,
        _text(tensor.name),
        _TYPES[tensor.type],
        tuple(int(size) for size in shape),
        data is not None and len(data) > 0,
        tuple(float(s) for s in _list(quantization.scale)),
        tuple(int(z) for z in _list(quantization.zeroPoint)),
    )


def rename_tensors(model: schema.ModelT, names: list[str]) -> None:
    """Renames tensors in place, keeping the names unique with ":1", ":2", ...

    Args:
        model: what `parse` returned; changed.
        names: the new names, through all subgraphs in turn as in `read`; "" for none.
    """
    used, names = set(), iter(names)
    for subgraph in model.subgraphs:
        for tensor in subgraph.tensors:
            name = unique = next(names)
            count = 0
            while unique in used:
                count += 1
                unique = f"{name}:{count}"
            if name:
                used.add(unique)
            tensor.name = unique or None


def drop_unused(model: schema.ModelT) -> None:
    """Drops, in place, buffers without data and what the converter says of itself."""
    kept = [x for x in model.metadata or [] if _text(x.name) != "CONVERSION_METADATA"]
    model.metadata = kept
    tensors = [tensor for subgraph in model.subgraphs for tensor in subgraph.tensors]
    used = [0]  # by definition empty
    for owner in (*tensors, *model.metadata):
        data = model.buffers[owner.buffer].data
        if data is None or not len(data):
            owner.buffer = 0
        elif owner.buffer not in used:
            used.append(owner.buffer)
    for owner in (*tensors, *model.metadata):
        owner.buffer = used.index(owner.buffer)
    model.buffers = [model.buffers[i] for i in used]


def add_metadata(model: schema.ModelT, name: str, data: bytes) -> None:
    """Adds, or replaces, the metadata entry `name`, in place."""
    model.metadata = [m for m in model.metadata or [] if _text(m.name) != name]
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = np.frombuffer(data, np.uint8)
    model.buffers.append(buffer)
    entry.name, entry.buffer = name, len(model.buffers) - 1
    model.metadata.append(entry)


def layer_path(tensor_name: str, model_name: str, known: set[str]) -> list[str]:
    """Finds the Keras layers that a tensor's name speaks of.

    TensorFlow writes "net_1/block_1/conv_1/convolution;net_1/block_1/...", one path
    for each fused operation. All scopes of a path carry one more suffix where the
    graph was traced a second time: then one is dropped at every level, so that a
    layer that is itself called "conv_1" is still found.

    Args:
        tensor_name: a name as the converter wrote it.
        model_name: name of the Keras model, the first scope.
        known: names of all its layers, those of inner models included.

    Returns:
        One "block/conv" for each fused operation that a layer is known for.
    """
    paths = []
    for part in tensor_name.split(";"):
        root, *scopes = part.split("/")
        names = []
        for scope in scopes:
            tries = (scope, _drop(scope))
            if root != model_name:  # the second trace
                tries = tries[::-1]
            names += [name for name in tries if name in known][:1]
        if names:
            paths.append("/".join(names))
    return paths


def _drop(scope):
    return re.sub(r"_\d+$", "", scope)


def _text(value):
    return value.decode() if isinstance(value, bytes) else (value or "")


def _list(values):
    return [] if values is None else list(values)
