r"""Measures how fast scenes are drawn, and that their memory stays flat.

  OMP_NUM_THREADS=1 python benchmarks/scenes.py

Takes a minute, and four more for the memory of 100,000 scenes. A scene is sampled and
rendered with boxes and masks, in one thread. Writes results/benchmarks/scenes_64.json,
scenes_128.json, scenes_256.json and scenes_memory.json.
"""

import os
import statistics
import time

from absl import flags

from kcv.data import scenes
from kcv.tools import results, script

_SIZES = flags.DEFINE_list("sizes", ["64", "128", "256"], "Sides of images, pixels.")
_RUNS = flags.DEFINE_integer("runs", 5, "Times that all is measured.", lower_bound=1)
_SECONDS = flags.DEFINE_float("seconds", 3.0, "Length of a run.", lower_bound=0.1)
_MEMORY = flags.DEFINE_integer(
    "memory_scenes", 100_000, "Scenes of the memory's measurement; 0 leaves it out."
)
_RESULTS = flags.DEFINE_string("results", "results", "Folder to write into.")

FLOORS = {64: 400, 128: 150, 256: 45}  # scenes/s
WANT = frozenset(("boxes", "masks"))
WARM = 2000  # scenes after which every digit and picture has been opened


def main(argv):
    if len(argv) > 1:
        raise script.UsageError(f"no positional arguments, got {argv[1:]}")
    for size in map(int, _SIZES.value):
        measure_speed(size)
    if _MEMORY.value:
        measure_memory(_MEMORY.value)


def measure_speed(size):
    config = scenes.Config(height=size, width=size)
    warm_up(config)
    measured = [scenes_per_second(config, run) for run in range(_RUNS.value)]
    wall = [each[0] for each in measured]
    floor = FLOORS.get(size)
    benchmark = results.benchmark(
        f"scenes_{size}",
        ours=statistics.median(wall),
        peer=None,
        unit="scenes/s",
        runs=_RUNS.value,
        note=f"one thread, default config (1-12 objects), sampled and rendered with "
        f"boxes and masks; no peer, the floor is {floor or 'not set'} scenes/s",
        details={
            "wall": [round(value, 1) for value in wall],
            # What it would be without other processes on the core.
            "processor": [round(each[1], 1) for each in measured],
        },
    )
    path = results.write_benchmark(benchmark, _RESULTS.value)
    print(f"{size} px: {benchmark['ours']:.0f} scenes/s, floor {floor}; wrote {path}")


def warm_up(config):
    """Opens every picture and computes every field that a run would."""
    small = config._replace(height=16, width=16)
    for i in range(WARM):
        scenes.render(scenes.sample(small, "train", 1, i))


def scenes_per_second(config, run):
    """Returns scenes a second of wall time and of processor time."""
    start, used, count = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() - start < _SECONDS.value:
        for _ in range(10):
            scenes.render(scenes.sample(config, "train", run, count), WANT)
            count += 1
    elapsed = time.perf_counter() - start
    return count / elapsed, count / (time.process_time() - used)


def measure_memory(count):
    """Writes the growth of resident memory after the first tenth of so many scenes."""
    config = scenes.Config(height=16, width=16, max_objects=4)
    warm_up(config)
    held = []
    for i in range(count):
        if i % max(count // 10, 1) == 0:
            held.append(resident())
        scenes.render(scenes.sample(config, "train", 0, i), WANT)
    held.append(resident())
    benchmark = results.benchmark(
        "scenes_memory",
        ours=(held[-1] - held[1]) / 2**20,
        peer=None,
        unit="MiB",
        runs=1,
        note=f"growth of resident memory over the last nine tenths of {count} scenes "
        "of 16 x 16 pixels, boxes and masks; no peer, the aim is 1 MiB",
        details={"resident_mib": [round(each / 2**20, 2) for each in held]},
    )
    path = results.write_benchmark(benchmark, _RESULTS.value)
    print(f"memory grew by {benchmark['ours']:.2f} MiB; wrote {path}")


def resident():
    """Bytes of memory that this process holds (Linux)."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    script.run(main)
