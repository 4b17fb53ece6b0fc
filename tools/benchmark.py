r"""Measures how fast a .tflite file answers, and in how much memory.

  python -m kcv.tools.benchmark --model=digits.tflite --threads=1,2 --per_operator

A few seconds for a MobileNet. Times are of inference alone, on random inputs, after a
warm-up; each number of threads runs in its own process. Any .tflite file will do.
--json=FILE writes the same numbers as JSON; "-" prints JSON instead of the tables.
"""

import json

from absl import flags

from kcv import files
from kcv.edge import benchmark
from kcv.tools import results, script

_MODEL = flags.DEFINE_string("model", None, "The .tflite file.")
_THREADS = flags.DEFINE_list("threads", ["1"], "Numbers of CPU threads, as 1,2.")
_RUNS = flags.DEFINE_integer("runs", 50, "Timed inferences.", lower_bound=1)
_WARMUP = flags.DEFINE_integer("warmup", 10, "Inferences before them.", lower_bound=0)
_XNNPACK = flags.DEFINE_bool("xnnpack", True, "False uses LiteRT's own kernels.")
_DELEGATES = flags.DEFINE_list("delegates", [], "Libraries, as libedgetpu.so.1.")
_PER_OPERATOR = flags.DEFINE_bool("per_operator", False, "Also time every operator.")
_JSON = flags.DEFINE_string("json", None, "File for the numbers; - for the screen.")
flags.mark_flag_as_required("model")
flags.register_validator(
    "threads",
    lambda values: bool(values) and all(v.isdecimal() and int(v) for v in values),
    message="must be integers of 1 or more, as 1,2",
)


def main(argv):
    """Measures, writes JSON where asked, prints tables."""
    if len(argv) > 1:
        raise script.UsageError(f"no positional arguments, got {argv[1:]}")
    measured = benchmark.measure(
        _MODEL.value,
        threads=[int(count) for count in _THREADS.value],
        runs=_RUNS.value,
        warmup=_WARMUP.value,
        xnnpack=_XNNPACK.value,
        delegates=_DELEGATES.value,
        per_operator=_PER_OPERATOR.value,
    )
    numbers = {
        **measured.to_dict(),
        "machine": results.machine(),
        "date": results.today(),
    }
    text = json.dumps(numbers, indent=2) + "\n"
    if _JSON.value == "-":
        print(text, end="")
        return
    if _JSON.value:
        files.write_atomically(_JSON.value, text)
    _print(measured)


def _print(measured):
    """Tables on the screen; rich is imported only here."""
    import rich.console
    import rich.table

    console = rich.console.Console()
    name = measured.model or "not made by kcv"
    console.print(
        f"{measured.path}: {name}, {measured.quantization or 'unknown'},"
        f" {measured.bytes:,} bytes, {measured.runtime},"
        f" XNNPACK {'on' if measured.xnnpack else 'off'}",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
    counts = sorted(measured.operators.items(), key=lambda item: -item[1])
    console.print(
        "operators: " + ", ".join(f"{name} {count}" for name, count in counts),
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
    columns = ("p50", "p90", "p99", "mean", "min", "first", "load")
    table = rich.table.Table("threads", *columns, "MiB", title="milliseconds, memory")
    for latency in measured.latency:
        memory = latency.memory_bytes
        table.add_row(
            str(latency.threads),
            *(f"{getattr(latency, column):.3f}" for column in columns),
            "?" if memory is None else f"{memory / 2**20:.1f}",
        )
    console.print(table)
    if measured.per_operator:
        table = rich.table.Table("operator", "ms", "share", "output shape")
        total = sum(operator.milliseconds for operator in measured.per_operator) or 1
        for operator in measured.per_operator:
            table.add_row(
                operator.operator,
                f"{operator.milliseconds:z.4f}",
                f"{operator.milliseconds / total:z.1%}",
                " x ".join(map(str, operator.shape)),
            )
        console.print(table)


if __name__ == "__main__":
    script.run(main)
