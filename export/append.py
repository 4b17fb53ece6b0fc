"""Adds operators at the end of a .tflite file."""

import numpy as np
from ai_edge_litert import schema_py_generated as schema

_OLDER_CODES = 127  # the field for codes below it, see flatbuffer.read


class Appender:
    """Adds tensors and operators to the first subgraph of a parsed file, in place.

    Args:
        file: what `flatbuffer.parse` returned; changed.
    """

    def __init__(self, file: schema.ModelT):
        self._file, self._graph = file, file.subgraphs[0]

    def tensor(self, name: str, shape: tuple[int, ...]) -> int:
        """Adds a float32 tensor and returns its index."""
        return self._add(name, shape, schema.TensorType.FLOAT32, 0)  # 0: no data

    def constant(self, name: str, values: np.ndarray) -> int:
        """Adds a tensor of float32 or int32 values and returns its index."""
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(values.tobytes(), np.uint8)
        self._file.buffers.append(buffer)
        kind = getattr(schema.TensorType, values.dtype.name.upper())
        return self._add(name, values.shape, kind, len(self._file.buffers) - 1)

    def builtin(self, name: str, inputs, outputs, options=None, version=1) -> None:
        """Adds an operator.

        Args:
            name: such as "GATHER".
            inputs: indices of tensors.
            outputs: likewise.
            options: such as schema.GatherOptionsT(), or None.
            version: of the operator, the first that knows the types.
        """
        operator = self._operator(self._code(name, version), inputs, outputs)
        if options is not None:
            kind = type(options).__name__.removesuffix("T")
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
            operator.builtinOptions = options

    def custom(self, name: str, inputs, outputs, options: bytes) -> None:
        """Adds a custom operator; its options are a flexbuffer."""
        code = self._code("CUSTOM", 1, name)
        operator = self._operator(code, inputs, outputs)
        operator.customOptions = np.frombuffer(options, np.uint8)

    def as_float(self, index: int) -> int:
        """The index of a float32 tensor with the values of the output `index`.

        An int8 file with uint8 ends has a QUANTIZE in front of each output; it becomes
        the DEQUANTIZE.
        """
        tensor = self._graph.tensors[index]
        if tensor.type == schema.TensorType.FLOAT32:
            return index
        made = next(x for x in self._graph.operators if index in x.outputs)
        inside = self._graph.tensors[made.inputs[0]].type == schema.TensorType.INT8
        if made.opcodeIndex != self._find("QUANTIZE") or not inside:
            found = self.tensor(f"{_text(tensor.name)}_float", tensor.shape)
            self.builtin("DEQUANTIZE", [index], [found], version=2)
            return found
        made.opcodeIndex = self._code("DEQUANTIZE", 2)
        made.builtinOptionsType, made.builtinOptions = 0, None
        tensor.type, tensor.quantization = schema.TensorType.FLOAT32, None
        return index

    def _add(self, name, shape, kind, buffer):
        tensor = schema.TensorT()
        tensor.name, tensor.type, tensor.buffer = name, kind, buffer
        tensor.shape, tensor.hasRank = np.array(shape, np.int32), True
        self._graph.tensors.append(tensor)
        return len(self._graph.tensors) - 1

    def _operator(self, code, inputs, outputs):
        operator = schema.OperatorT()
        operator.opcodeIndex = code
        operator.inputs = np.array(inputs, np.int32)
        operator.outputs = np.array(outputs, np.int32)
        self._graph.operators.append(operator)
        return operator

    def _code(self, name, version, custom=None):
        """Index of an operator's code, which is added where the file has none."""
        index = self._find(name, version)
        if index is not None and custom is None:
            return index
        entry = schema.OperatorCodeT()
        entry.builtinCode = getattr(schema.BuiltinOperator, name)
        entry.deprecatedBuiltinCode = min(entry.builtinCode, _OLDER_CODES)
        entry.customCode, entry.version = custom, version
        self._file.operatorCodes.append(entry)
        return len(self._file.operatorCodes) - 1

    def _find(self, name, version=1):
        wanted = getattr(schema.BuiltinOperator, name)
        for index, entry in enumerate(self._file.operatorCodes):
            code = max(entry.builtinCode, entry.deprecatedBuiltinCode)
            if code == wanted and entry.version >= version:
                return index
        return None


def _text(value):
    return value.decode() if isinstance(value, bytes) else (value or "")
