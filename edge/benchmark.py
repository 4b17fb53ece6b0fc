"""How fast a .tflite file is, in how much memory, and where its time goes.

Any .tflite file can be measured, also one that kcv did not write. Each measurement
runs in a fresh process of its own (`benchmark_worker`), so that its memory is the
model's alone and a damaged file that makes LiteRT abort is one error line. Of a file of
several networks an inference is all of them and what `kcv.edge` does between them.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from kcv.edge import model_file
from kcv.edge.errors import EdgeError


class Latency(NamedTuple):
    """Time of one inference, without preprocessing, in milliseconds.

    Args:
        threads: CPU threads.
        runs: timed inferences after the warm-up.
        mean, min, p50, p90, p99: over the runs; percentiles interpolate linearly.
        load: reading the file until tensors are allocated.
        first: the first inference.
        memory_bytes: peak of the process's resident memory over its level before the
            file was read; None where the system does not tell (only Linux does).
    """

    threads: int
    runs: int
    mean: float
    min: float
    p50: float
    p90: float
    p99: float
    load: float
    first: float
    memory_bytes: int | None


class OperatorTime(NamedTuple):
    """Time of one operator of the graph on LiteRT's own kernels (without XNNPACK).

    Args:
        operator: such as "CONV_2D".
        output: name of the tensor it writes.
        shape: of that tensor.
        milliseconds: difference of two prefixes of the graph; noise makes it negative.
    """

    operator: str
    output: str
    shape: tuple[int, ...]
    milliseconds: float


class Benchmark(NamedTuple):
    """What `measure` finds.

    Args:
        path: of the file.
        model: name in its kcv.json; None for a file that kcv did not write.
        quantization: likewise.
        bytes: size of the file.
        operators: name -> count in the file, before any delegate fuses them.
        xnnpack: whether XNNPACK ran what it can.
        latency: one a number of threads.
        per_operator: in graph order; empty unless asked for.
        runtime: LiteRT's version.
    """

    path: str
    model: str | None
    quantization: str | None
    bytes: int
    operators: dict[str, int]
    xnnpack: bool
    latency: tuple[Latency, ...]
    per_operator: tuple[OperatorTime, ...]
    runtime: str

    def to_dict(self) -> dict:
        """Plain dicts and lists for JSON."""
        return {
            **self._asdict(),
            "latency": [latency._asdict() for latency in self.latency],
            "per_operator": [
                {**operator._asdict(), "shape": list(operator.shape)}
                for operator in self.per_operator
            ],
        }


def measure(
    path: str | os.PathLike,
    threads: Sequence[int] = (1,),
    runs: int = 50,
    warmup: int = 10,
    xnnpack: bool = True,
    delegates: Sequence[str] = (),
    per_operator: bool = False,
    timeout: float = 600,
    image: np.ndarray | None = None,
) -> Benchmark:
    """Measures a .tflite file on random inputs.

    Args:
        path: the file.
        threads: numbers of CPU threads; each is measured in its own process.
        runs: timed inferences.
        warmup: untimed inferences before them.
        xnnpack: False measures LiteRT's own kernels.
        delegates: paths of delegate libraries.
        per_operator: also time every operator, on one thread without XNNPACK.
        timeout: seconds that one process may take.
        image: (1, height, width, channels), as a detector's `outputs` takes it, for a
            file of several networks, whose work depends on what it finds; None: random
            pixels.

    Returns:
        Benchmark.

    Raises:
        EdgeError: the file cannot be read or run, or an argument is out of range.
    """
    for name, values in (("threads", threads), ("runs", (runs,))):
        if not values or any(type(value) is not int or value < 1 for value in values):
            raise EdgeError(f"{name} must be integers of 1 or more, not {values!r}")
    data = model_file.read_bytes(path)
    # A file with a checksum must pass it; a foreign one has none.
    ours = b"kcv.json" in data[-model_file.MAX_JSON_BYTES :]
    manifest = model_file.read(path).manifest if ours else {}
    path = os.fspath(path)
    described = _work(timeout, task="describe", path=path)
    latency = []
    options = {"runs": runs, "warmup": warmup, "xnnpack": xnnpack}
    options["delegates"] = list(delegates)
    with tempfile.TemporaryDirectory() as folder:
        if image is not None:
            options["image"] = os.path.join(folder, "image.npy")
            np.save(options["image"], image)
        for count in threads:
            timed = _work(timeout, task="latency", path=path, threads=count, **options)
            latency.append(summary(count, **timed))
    operators = ()
    if per_operator:
        timed = _work(timeout, task="operators", path=path, runs=min(runs, 20))
        operators = tuple(
            OperatorTime(operator, output, tuple(shape), milliseconds)
            for operator, output, shape, milliseconds in timed
        )
    return Benchmark(
        path=path,
        model=manifest.get("model"),
        quantization=manifest.get("quantization"),
        bytes=len(data),
        operators=described["operators"],
        xnnpack=xnnpack,
        latency=tuple(latency),
        per_operator=operators,
        runtime=described["runtime"],
    )


def summary(
    threads: int, seconds, load_seconds: float, first_seconds: float, memory_bytes
) -> Latency:
    """Latency of the single runs' times.

    Args:
        threads: CPU threads they ran on.
        seconds: of each run.
        load_seconds: of loading.
        first_seconds: of the first inference.
        memory_bytes: or None.

    Returns:
        Latency.
    """
    milliseconds = np.asarray(seconds) * 1e3
    p50, p90, p99 = np.percentile(milliseconds, [50, 90, 99])
    return Latency(
        threads=threads,
        runs=len(milliseconds),
        mean=float(milliseconds.mean()),
        min=float(milliseconds.min()),
        p50=float(p50),
        p90=float(p90),
        p99=float(p99),
        load=load_seconds * 1e3,
        first=first_seconds * 1e3,
        memory_bytes=memory_bytes,
    )


def _work(timeout, **job):
    """Runs benchmark_worker on a job and returns its answer."""
    path = job["path"]
    command = [sys.executable, "-m", "kcv.edge.benchmark_worker", json.dumps(job)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=timeout
        )
    except subprocess.TimeoutExpired as error:
        raise EdgeError(
            f"{path}: not measured within {timeout} s; ask for fewer runs, or the file"
            " is damaged: copy it again"
        ) from error
    if done.returncode < 0:
        raise EdgeError(
            f"{path}: LiteRT died of {signal.Signals(-done.returncode).name} on it: the"
            f" file is damaged or not for this runtime; {model_file.EXPORT}"
        )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no message"]
        reason = lines[-1].removeprefix("kcv.edge.errors.EdgeError: ")
        if path not in reason:
            reason = (
                f"{path}: is damaged or not for this runtime ({reason});"
                f" copy it again or {model_file.EXPORT}"
            )
        raise EdgeError(reason)
    return json.loads(done.stdout.splitlines()[-1])
