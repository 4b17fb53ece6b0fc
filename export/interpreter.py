"""Runs a .tflite file on float32 images, as a device would, batch 1 at a time."""

from collections.abc import Callable

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from kcv.export.quiet import quiet

HALF = 1e-3  # levels; as far from the middle of two a number counts as in the middle


def predictor(
    content: bytes, num_threads: int = 1
) -> Callable[[np.ndarray], dict[str, np.ndarray]]:
    """Loads a file with the signature "serving_default" and one input.

    Args:
        content: bytes of the file.
        num_threads: threads of the interpreter.

    Returns:
        A function from float32 (n, ...), such as images, to {output name: float32
        (n, ...)}; quantized inputs and outputs are converted on the way.
    """
    with quiet():
        interpreter = Interpreter(model_content=content, num_threads=num_threads)
        interpreter.allocate_tensors()
    image, outputs = _signature(interpreter)

    def predict(images: np.ndarray) -> dict[str, np.ndarray]:
        results = {name: [] for name in outputs}
        for x in np.asarray(images, np.float32):
            interpreter.set_tensor(image["index"], quantize(x[None], image))
            interpreter.invoke()
            for name, detail in outputs.items():
                value = interpreter.get_tensor(detail["index"])
                results[name].append(dequantize(value, detail)[0])
        return {name: np.stack(values) for name, values in results.items()}

    return predict


def _signature(interpreter):
    """Returns the details of the one input, and of the outputs by name.

    The runner must be gone before `invoke`, which counts the users of the interpreter.
    """
    runner = interpreter.get_signature_runner("serving_default")
    (given,) = runner.get_input_details().values()
    return given, runner.get_output_details()


def quantize(values: np.ndarray, detail: dict) -> np.ndarray:
    """Converts float32 to the type of a tensor: q = round(x / scale) + zero point.

    Pixels in [-1, 1] lie halfway between two levels: 0 is 127.5 levels above -1, and a
    zero point is a whole number. Rounded each as it falls, neighbouring levels would
    become one, which smooth areas show; all go the same way, to the level that a device
    gives for the pixel.
    """
    scale, zero_point = detail["quantization"]
    if detail["dtype"] == np.float32 or scale == 0:
        return values.astype(detail["dtype"])
    limits = np.iinfo(detail["dtype"])
    up = zero_point < (int(limits.min) + int(limits.max)) / 2
    q = np.floor(values / scale + (0.5 + HALF if up else 0.5 - HALF)) + zero_point
    return np.clip(q, limits.min, limits.max).astype(detail["dtype"])


def dequantize(values: np.ndarray, detail: dict) -> np.ndarray:
    """Converts a tensor to float32: x = scale * (q - zero point)."""
    scale, zero_point = detail["quantization"]
    if scale == 0:
        return values.astype(np.float32)
    return np.float32(scale) * (values.astype(np.float32) - zero_point)


def all_tensors(content: bytes, image: np.ndarray) -> dict[int, np.ndarray]:
    """Returns every tensor of the first subgraph after one image, as float32.

    Args:
        content: bytes of the file.
        image: float32 (height, width, channels), or what else the file takes.

    Returns:
        Tensor index -> value. Delegates are off: they hide what lies between.
    """
    with quiet():
        interpreter = Interpreter(
            model_content=content,
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
            experimental_preserve_all_tensors=True,
        )
        interpreter.allocate_tensors()
    detail, _ = _signature(interpreter)
    interpreter.set_tensor(detail["index"], quantize(image[None], detail))
    interpreter.invoke()
    tensors = {}
    for detail in interpreter.get_tensor_details():
        if detail["dtype"] is None or np.prod(detail["shape"]) == 0:
            continue
        try:
            value = interpreter.get_tensor(detail["index"])
        except ValueError:  # it has no values: of a loop, say
            continue
        tensors[detail["index"]] = dequantize(value, detail)
    return tensors
