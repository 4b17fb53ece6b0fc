"""One measurement in a process of its own: a job as JSON in, its result as JSON out.

Started by `benchmark.measure`; not for use by hand.
"""

import functools
import json
import sys
import time

import numpy as np
from ai_edge_litert import interpreter as litert

from kcv.edge import model_file
from kcv.edge.interpreter import load_delegate

PLAIN = litert.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES


def describe(path):
    """Operator counts and the runtime's version."""
    import ai_edge_litert

    counts = {}
    for data in _networks(path):
        model = _parse(data)
        for graph in model.subgraphs:
            for operator in graph.operators:
                name = _name(model, operator)
                counts[name] = counts.get(name, 0) + 1
    runtime = f"ai-edge-litert {ai_edge_litert.__version__}"
    return {"operators": counts, "runtime": runtime}


def latency(path, threads, runs, warmup, xnnpack, delegates, image=None):
    """Seconds of each of `runs` inferences after `warmup`, of loading, and memory."""
    before = _memory("VmRSS")
    start = time.perf_counter()
    if model_file.has_parts(path):
        infer = _of_parts(path, threads, xnnpack, delegates, image)
    else:
        resolver = litert.OpResolverType.AUTO if xnnpack else PLAIN
        libraries = [load_delegate(library) for library in delegates]
        flat = model_file.read_bytes(path)
        infer = _interpreter(flat, resolver, threads, libraries).invoke
    loaded = time.perf_counter()
    infer()
    first = time.perf_counter()
    _repeat(infer, warmup)
    seconds = _repeat(infer, runs)
    peak = _memory("VmHWM")
    return {
        "seconds": seconds,
        "load_seconds": loaded - start,
        "first_seconds": first - loaded,
        "memory_bytes": None if peak is None else peak - before,
    }


def operators(path, runs):
    """[operator, output's name, its shape, milliseconds] of each operator in order.

    LiteRT's profiler is not reachable from Python. So the graph is cut after each
    operator, and an operator's time is what its prefix takes over the one before. The
    two run in turn and the median of their differences counts: processors change their
    speed, and a time taken now is not comparable with one taken a second ago.
    """
    rows = []
    for data in _networks(path):
        rows += _operators_of(data, runs)
    return rows


def _operators_of(data, runs):
    import flatbuffers

    model = _parse(data)
    model.signatureDefs = None
    graph = model.subgraphs[0]
    steps, before, rows = graph.operators, None, []
    for k, operator in enumerate(steps):
        graph.operators = steps[: k + 1]
        graph.outputs = np.asarray(operator.outputs, "int32")
        builder = flatbuffers.Builder(len(data))
        builder.Finish(model.Pack(builder), b"TFL3")
        prefix = _interpreter(bytes(builder.Output()), PLAIN, threads=1)
        pair = [prefix] if before is None else [before, prefix]
        differences = []
        for _ in range(3 + runs):
            times = [_repeat(interpreter.invoke, 1)[0] for interpreter in pair]
            differences.append(times[-1] - sum(times[:-1]))
        seconds = float(np.median(differences[3:]))
        tensor = graph.tensors[operator.outputs[0]]
        shape = [] if tensor.shape is None else [int(side) for side in tensor.shape]
        name, output = _name(model, operator), tensor.name.decode()
        rows.append([name, output, shape, seconds * 1e3])
        before = prefix
    return rows


def _networks(path):
    """The bytes of each network in a file."""
    parts = model_file.read(path).parts if model_file.has_parts(path) else {}
    return [model_file.read_bytes(path), *parts.values()]


def _of_parts(path, threads, xnnpack, delegates, image):
    """A function that finds all in an image, of random pixels or the file `image`."""
    import kcv.edge

    detector = kcv.edge.load(path, threads, xnnpack, delegates)
    if image is None:
        rng = np.random.default_rng(0)
        pixels = rng.integers(0, 256, (1, *detector.image_shape)).astype("uint8")
    else:
        pixels = np.load(image)
    return functools.partial(detector.outputs, pixels)


def _interpreter(flat, resolver, threads, delegates=()):
    """Allocated, with random inputs set."""
    interpreter = litert.Interpreter(
        model_content=flat,
        num_threads=threads,
        experimental_op_resolver_type=resolver,
        experimental_delegates=delegates,
    )
    interpreter.allocate_tensors()
    rng = np.random.default_rng(0)
    for detail in interpreter.get_input_details():
        shape, dtype = detail["shape"], np.dtype(detail["dtype"])
        if dtype.kind == "f":
            value = rng.uniform(-1, 1, shape).astype(dtype)
        elif dtype.itemsize <= 2:
            limits = np.iinfo(dtype)
            value = rng.integers(limits.min, limits.max + 1, shape).astype(dtype)
        else:  # indices or lengths, where random values would be out of range
            value = np.zeros(shape, dtype)
        interpreter.set_tensor(detail["index"], value)
    return interpreter


def _repeat(infer, times):
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        infer()
        seconds.append(time.perf_counter() - start)
    return seconds


def _parse(data):
    from ai_edge_litert import schema_py_generated as schema

    return schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(bytearray(data), 0))


def _name(model, operator):
    from ai_edge_litert import schema_py_generated as schema

    entry = model.operatorCodes[operator.opcodeIndex]
    # Codes above 127 are in the newer field, those of old files in the older one.
    code = max(entry.builtinCode, entry.deprecatedBuiltinCode)
    if code == schema.BuiltinOperator.CUSTOM:
        return entry.customCode.decode()
    names = {number: name for name, number in vars(schema.BuiltinOperator).items()}
    return names[code]


def _memory(field):
    """Bytes of a line of /proc/self/status, or None where there is none.

    Not getrusage: its maximum counts what the parent had before it started us.
    """
    try:
        with open("/proc/self/status") as file:
            lines = dict(line.split(":", 1) for line in file)
    except FileNotFoundError:
        return None
    return int(lines[field].split()[0]) * 1024


JOBS = {"describe": describe, "latency": latency, "operators": operators}

if __name__ == "__main__":
    job = json.loads(sys.argv[1])
    print(json.dumps(JOBS[job.pop("task")](**job)))
