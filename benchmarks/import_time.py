r"""Measures how long `import kcv` and `import kcv.edge` take. Takes five seconds.

  python benchmarks/import_time.py

Every run is a fresh process with warm disk caches; the start of Python itself does not
count. Writes results/benchmarks/import_kcv.json, import_kcv_edge.json and so on.
"""

import statistics
import subprocess
import sys

from absl import flags

from kcv.tools import results, script

_RUNS = flags.DEFINE_integer("runs", 10, "Processes a module.", lower_bound=1)
_RESULTS = flags.DEFINE_string("results", "results", "Folder to write into.")

# Seconds. kcv.edge imports what it needs when it loads a model; the last is all of it.
BARS = {"kcv": 0.1, "kcv.edge": 0.5, "kcv.edge.classify": 0.5}
TIMED = (
    "import time; start = time.perf_counter(); import {}; "
    "print(time.perf_counter() - start)"
)


def main(argv):
    if len(argv) > 1:
        raise script.UsageError(f"no positional arguments, got {argv[1:]}")
    for module, bar in BARS.items():
        seconds(module)  # reads the files from the disk
        measured = [seconds(module) for _ in range(_RUNS.value)]
        benchmark = results.benchmark(
            "import_" + module.replace(".", "_"),
            ours=statistics.median(measured),
            peer=None,
            unit="s",
            runs=_RUNS.value,
            note=f"median of fresh processes; no peer, the aim is {bar} s",
            details={"seconds": [round(value, 4) for value in measured]},
        )
        path = results.write_benchmark(benchmark, _RESULTS.value)
        print(f"import {module}: {benchmark['ours']:.3f} s, aim {bar} s; wrote {path}")


def seconds(module):
    """The seconds that a fresh process spends on the import."""
    command = [sys.executable, "-c", TIMED.format(module)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(run.stdout)


if __name__ == "__main__":
    script.run(main)
