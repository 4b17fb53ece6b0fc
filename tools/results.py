"""The files under results/: their schemas, reading and writing. Imports no Keras.

    results/<model>_<data>.json      one model on one data set, made by tools.measure
    results/benchmarks/<name>.json   ours against a peer, made by benchmarks/*.py
    results/claims/<claim>.json      a statement of a paper, by claim_results

A value that was not measured is null, and then `note` says why.
"""

import datetime
import json
import math
import os
import platform
import re
from importlib import metadata
from pathlib import Path

from kcv import files
from kcv.tools.schema import BOOL, DATE, Maybe, MayLack, Number, Table, Text, check

QUANTIZATIONS = ("float32", "float16", "dynamic", "int8", "int16x8", "qat")
VERSIONS_OF = ("kcv", "keras", "tensorflow", "ai-edge-litert", "numpy")

TEXT, NAME = Text(), Text(r"[A-Za-z0-9][A-Za-z0-9._-]*", "letters, digits and ._- only")
NUMBER, POSITIVE, COUNT = Number(), Number(low=0.0), Number(low=0, whole=True)
ANY_TEXT = Text(r"(?s).*", "a text")
IDS = [Text(r"[A-Z]\d{2}", "an id as C14")]
_OTHERS = ("float16", "dynamic", "int16x8")

RESULT = {
    "model": NAME,
    "ids": IDS,
    "task": TEXT,
    "data": TEXT,
    "recipe": Maybe(NAME),  # stem of the flagfile in tools/recipes
    "metric": {
        "name": TEXT,
        "higher_is_better": BOOL,
        "baseline": Maybe(NUMBER),  # a guess of the most frequent class, or such
        "keras": Maybe(NUMBER),
        "float32": Maybe(NUMBER),
        "int8": Maybe(NUMBER),  # post-training quantisation
        "qat": Maybe(NUMBER),  # the int8 file after quantisation-aware training
        **{name: MayLack(Maybe(NUMBER)) for name in _OTHERS},
        "splits": Table(COUNT),  # {"train": examples, "validation": ..., "test": ...}
    },
    # The model after as many further float epochs as the quantisation-aware one had and
    # its post-training int8 file: what "qat" has to be compared with.
    "equal_training": Maybe({"epochs": POSITIVE, "keras": NUMBER, "int8": NUMBER}),
    "parameters": COUNT,  # of the measured model: the recipe's size and classes
    "multiply_adds": COUNT,
    "bytes": {
        "float32": Maybe(COUNT),
        "int8": Maybe(COUNT),
        **{name: MayLack(Maybe(COUNT)) for name in (*_OTHERS, "qat")},
    },
    "latency_ms": Table(  # p50; the number behind the name counts threads
        Maybe(POSITIVE), rf"({'|'.join(QUANTIZATIONS)})_\d+", "a key as int8_1"
    ),
    "parity": {  # max abs difference to Keras / max abs value, over real inputs
        "float32": Maybe(POSITIVE),
        **{n: MayLack(Maybe(POSITIVE)) for n in QUANTIZATIONS if n != "float32"},
    },
    "operators": Table(COUNT, r"[A-Za-z0-9_]+", "an operator"),  # of the int8 file
    "train_seconds": Maybe(POSITIVE),
    "seed": COUNT,
    "versions": Table(TEXT),
    "machine": TEXT,
    "date": DATE,
    "note": ANY_TEXT,
}

BENCHMARK = {
    "name": NAME,
    "ours": NUMBER,  # in `unit`
    "peer": Maybe(NUMBER),  # in `unit`, same run
    "peer_version": Maybe(TEXT),
    "ratio": Maybe(POSITIVE),  # ours / peer, whichever of the two is better
    "unit": TEXT,
    "runs": Number(low=1, whole=True),  # of each side, interleaved
    "machine": TEXT,
    "date": DATE,
    "note": ANY_TEXT,
    "details": MayLack({}),  # anything else worth keeping, e.g. operator counts
}


def validate(result: dict) -> None:
    """Checks a result of a model.

    Raises:
        ValueError: naming the first field that is missing, unknown or wrong.
    """
    nulls = check(result, RESULT)
    _explained(nulls, result["note"])
    if not result["metric"]["splits"]:
        raise ValueError("metric.splits is empty; give the number of examples by split")
    for key in ("float32_1", "int8_1"):
        if key not in result["latency_ms"]:
            raise ValueError(f"latency_ms.{key} is missing; null where not measured")


def validate_benchmark(benchmark: dict) -> None:
    """Checks a benchmark; raises ValueError naming the field."""
    _explained(check(benchmark, BENCHMARK), benchmark["note"])
    ours, peer, ratio = (benchmark[key] for key in ("ours", "peer", "ratio"))
    if (peer is None) != (ratio is None):
        raise ValueError("ratio and peer must both be numbers or both be null")
    if peer is not None and not math.isclose(ratio * peer, ours, rel_tol=1e-2):
        raise ValueError(f"ratio is {ratio}, but ours / peer is {ours} / {peer}")


def write(result: dict, folder: str | Path) -> Path:
    """Writes results/<model>_<data>.json, whole or not at all; returns its path."""
    validate(result)
    return _write(result, Path(folder) / f"{_stem(result)}.json")


def write_benchmark(benchmark: dict, folder: str | Path) -> Path:
    """Writes <folder>/benchmarks/<name>.json; returns its path."""
    validate_benchmark(benchmark)
    return _write(benchmark, Path(folder, "benchmarks", benchmark["name"] + ".json"))


def read_all(folder: str | Path) -> list[dict]:
    """Reads and checks the results of models in a folder, in the order of file names.

    Raises:
        ValueError: naming the file, if one is not JSON, breaks the schema or is not
            named <model>_<data>.json.
    """
    return _read_all(Path(folder), validate, _stem)


def read_benchmarks(folder: str | Path) -> list[dict]:
    """Reads and checks <folder>/benchmarks/*.json, as `read_all` does."""
    return _read_all(
        Path(folder, "benchmarks"), validate_benchmark, lambda value: value["name"]
    )


def benchmark(
    name: str,
    ours,
    peer,
    unit: str,
    runs: int,
    peer_version=None,
    note="",
    details=None,
) -> dict:
    """Makes a benchmark of today on this machine, with its ratio; see BENCHMARK."""
    return {
        "name": name,
        "ours": _rounded(ours),
        "peer": None if peer is None else _rounded(peer),
        "peer_version": peer_version,
        "ratio": None if peer is None else _rounded(ours / peer),
        "unit": unit,
        "runs": runs,
        "machine": machine(),
        "date": today(),
        "note": note,
        **({"details": details} if details else {}),
    }


def machine() -> str:
    """Describes this machine without naming it: processor, cores and memory."""
    processor = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        found = re.search(r"model name\s*: (.+)", cpuinfo.read_text())
        processor = found.group(1) if found else processor
    processor = re.sub(r"\((R|TM)\)", "", processor).strip()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    cores = cores or os.cpu_count()
    memory = ""
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        size = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        memory = f", {size / 2**30:.0f} GiB memory"
    return f"{processor}, {cores} core{'s' * (cores != 1)}{memory}"


def versions() -> dict[str, str]:
    """The versions that decide a result: Python's and those of installed packages."""
    found = {"python": platform.python_version()}
    for name in VERSIONS_OF:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue  # a device has no TensorFlow
    return found


def today() -> str:
    """The date in UTC as 2026-11-21."""
    return datetime.datetime.now(datetime.UTC).date().isoformat()


def _explained(nulls, note):
    if nulls and not note.strip():
        raise ValueError(f"{nulls[0]} is null; note must say why it was not measured")


def _rounded(value):
    """Four significant digits: what a run repeats at best."""
    return float(f"{value:.4g}")


def _stem(result):
    return re.sub(r"[^A-Za-z0-9._-]+", "_", f"{result['model']}_{result['data']}")


def _write(value, path):
    text = json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n"
    files.write_atomically(path, text)
    return path


def _read_all(folder, check, stem):
    if not folder.is_dir():
        return []
    values = []
    for path in sorted(folder.glob("*.json")):
        try:
            value = json.loads(path.read_text())
            check(value)
        except ValueError as error:  # JSONDecodeError is one
            raise ValueError(f"{path}: {error}") from None
        if stem(value) != path.stem:
            raise ValueError(f"{path}: is named so, but holds {stem(value)}")
        values.append(value)
    return values
