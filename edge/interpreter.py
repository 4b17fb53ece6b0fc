"""LiteRT's interpreter with tensors found by their signature names."""

import ctypes
import threading
from typing import NamedTuple

import numpy as np

from kcv.edge.errors import EdgeError

SIGNATURE = "serving_default"
HALF = 1e-3  # levels; as far from the middle of two a number counts as in the middle


class Tensor(NamedTuple):
    """An input or output: real value = scale * (level - zero_point); scale 0 if float.

    Args:
        index: LiteRT's number of the tensor.
        shape: with the batch of 1.
        dtype: np.dtype.
        scale: step of one level.
        zero_point: level of the real value 0.
    """

    index: int
    shape: tuple[int, ...]
    dtype: np.dtype
    scale: float
    zero_point: int


class Interpreter:
    """Runs one model; may be called from several threads, one at a time runs.

    Args:
        flatbuffer: bytes of the model.
        name: of the file, for errors.
        threads: CPU threads, at least 1.
        xnnpack: False leaves LiteRT's own kernels.
        delegates: paths of delegate libraries.
    """

    def __init__(self, flatbuffer, name, threads=1, xnnpack=True, delegates=()):
        from ai_edge_litert import interpreter as litert

        if type(threads) is not int or threads < 1:
            raise EdgeError(f"threads must be an integer of 1 or more, not {threads!r}")
        if isinstance(delegates, str):
            raise EdgeError(f"delegates must be a list of paths, not {delegates!r}")
        resolvers = litert.OpResolverType
        resolver = (
            resolvers.AUTO if xnnpack else resolvers.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        )
        libraries = [load_delegate(path) for path in delegates]
        try:
            self._interpreter = litert.Interpreter(
                model_content=flatbuffer,
                num_threads=threads,
                experimental_op_resolver_type=resolver,
                experimental_delegates=libraries,
            )
            self._interpreter.allocate_tensors()
            runner = self._interpreter.get_signature_runner(SIGNATURE)
        except (ValueError, RuntimeError) as error:
            raise EdgeError(f"{name}: LiteRT cannot load it: {error}") from error
        self.inputs = _tensors(runner.get_input_details())
        self.outputs = _tensors(runner.get_output_details())
        self._lock = threading.Lock()

    def run(self, inputs):
        """Returns {name: array as the model gives it} for {name: array as it takes}."""
        with self._lock:
            for name, value in inputs.items():
                self._interpreter.set_tensor(self.inputs[name].index, value)
            self._interpreter.invoke()
            return {
                name: self._interpreter.get_tensor(tensor.index)
                for name, tensor in self.outputs.items()
            }


def quantize(values, tensor: Tensor) -> np.ndarray:
    """Real values to the levels that `tensor` takes; float tensors take them as is.

    Pixels in [-1, 1] lie halfway between two levels. All of them go the same way, to
    the level that is the pixel: rounded each as it falls, neighbours would become one.
    """
    if not tensor.scale:
        return np.asarray(values, tensor.dtype)
    limits = np.iinfo(tensor.dtype)
    up = tensor.zero_point < (int(limits.min) + int(limits.max)) / 2
    half = 0.5 + HALF if up else 0.5 - HALF
    kind = _exact(tensor)
    levels = np.asarray(values, kind) / kind(tensor.scale)
    levels += kind(half)
    np.floor(levels, out=levels)
    levels += tensor.zero_point
    np.clip(levels, limits.min, limits.max, out=levels)
    return levels.astype(tensor.dtype)


def dequantize(levels, tensor: Tensor) -> np.ndarray:
    """What `tensor` gives, as float32 real values."""
    if not tensor.scale:
        return np.asarray(levels, "float32")
    kind = _exact(tensor)
    values = levels.astype(kind)
    values -= tensor.zero_point
    values *= kind(tensor.scale)
    return values.astype("float32", copy=False)


def _exact(tensor):
    """The float type that tells all levels of a tensor apart, and parts of them."""
    return np.float32 if tensor.dtype.itemsize == 1 else np.float64


def load_delegate(path: str):
    """LiteRT's delegate of a library such as libedgetpu.so.1, or an EdgeError."""
    from ai_edge_litert import interpreter as litert

    try:
        # Tried here first: LiteRT's own failed attempt also prints a traceback.
        library = ctypes.CDLL(path)
        if not hasattr(library, "tflite_plugin_create_delegate"):
            raise OSError("the library is not a TFLite delegate")
        return litert.load_delegate(path)
    except (OSError, ValueError) as error:
        raise EdgeError(
            f"{path}: the delegate cannot be loaded ({error}); install its library and"
            " connect its device, or leave the delegate out"
        ) from error


def _tensors(details):
    tensors = {}
    for name, detail in details.items():
        scale, zero_point = detail["quantization"]
        tensors[name] = Tensor(
            index=detail["index"],
            shape=tuple(int(side) for side in detail["shape"]),
            dtype=np.dtype(detail["dtype"]),
            scale=float(scale),
            zero_point=int(zero_point),
        )
    return tensors
