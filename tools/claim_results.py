"""The files results/claims/<claim>.json: a claim, its verdict and numbers.

`numbers` has for each name {"mean", "spread", "values"}, one value a seed and the
spread their largest difference, or, for a curve, one list a seed. A value that was not
reached is null, and so are the mean and the spread then.
"""

import json
import math
import re
from pathlib import Path

import numpy as np

from kcv import files
from kcv.tools import results
from kcv.tools.schema import DATE, Maybe, Number, Table, Text, check

VERDICTS = ("holds", "does not hold here")

_VALUE = Maybe(Number())
SCALAR = {"mean": _VALUE, "spread": Maybe(Number(low=0.0)), "values": [_VALUE]}
CURVES = [[_VALUE]]

CLAIM = {
    "claim": results.NAME,
    "ids": results.IDS,
    "sentence": results.TEXT,
    "verdict": Text("|".join(VERDICTS), f"one of {VERDICTS}"),
    "finding": results.TEXT,
    "numbers": {},  # each of them is a SCALAR or CURVES
    "seeds": [Number(low=0, whole=True)],
    "seconds": Number(low=0.0),  # of all seeds
    "versions": Table(results.TEXT),
    "machine": results.TEXT,
    "date": DATE,
}


def tidy(run: dict) -> dict:
    """The numbers of one seed as floats of six digits, which a file gives back equal.

    Args:
        run: what `run` of a claim returned.

    Raises:
        ValueError: if there is none, or one is not a finite number, None or a list.
    """
    if not run:
        raise ValueError("the run has no numbers")
    return {
        name: [_tidy(name, item) for item in value]
        if isinstance(value, list | tuple | np.ndarray)
        else _tidy(name, value)
        for name, value in run.items()
    }


def numbers(runs: list[dict]) -> dict:
    """The numbers of all seeds as they stand in the file.

    Raises:
        ValueError: if the runs do not have the same names.
    """
    for run in runs:
        if set(run) != set(runs[0]):
            differ = ", ".join(sorted(set(run) ^ set(runs[0])))
            raise ValueError(f"not every run has the same numbers: {differ}")
    return {name: _over_seeds([run[name] for run in runs]) for name in runs[0]}


def runs_of(claim: dict) -> list[dict]:
    """The runs that a file was made of: the inverse of `numbers`."""
    values = {
        name: value["values"] if isinstance(value, dict) else value
        for name, value in claim["numbers"].items()
    }
    return [
        {name: value[i] for name, value in values.items()}
        for i in range(len(claim["seeds"]))
    ]


def validate(claim: dict) -> None:
    """Checks the content of a file.

    Raises:
        ValueError: naming the first field that is missing, unknown or wrong.
    """
    check(claim, CLAIM)
    if not claim["numbers"]:
        raise ValueError("numbers is empty")
    for name, value in claim["numbers"].items():
        check(value, CURVES if isinstance(value, list) else SCALAR, f"numbers.{name}")
        values = value if isinstance(value, list) else value["values"]
        if len(values) != len(claim["seeds"]):
            raise ValueError(
                f"numbers.{name} has {len(values)} values for "
                f"{len(claim['seeds'])} seeds"
            )
        if value != _over_seeds(values):
            raise ValueError(f"numbers.{name}: mean and spread are not of its values")


def write(claim: dict, folder: str | Path) -> Path:
    """Writes <folder>/claims/<claim>.json whole or not at all; returns its path."""
    validate(claim)
    path = Path(folder, "claims", f"{claim['claim']}.json")
    text = json.dumps(claim, indent=2, sort_keys=True, allow_nan=False)
    text = re.sub(r"\[\n[^][{}]*\]", _on_one_line, text)
    files.write_atomically(path, text + "\n")
    return path


def read_all(folder: str | Path) -> list[dict]:
    """Reads and checks <folder>/claims/*.json in the order of file names.

    Raises:
        ValueError: naming the file, if one is not JSON, breaks the schema or is not
            named after its claim.
    """
    paths = sorted(Path(folder, "claims").glob("*.json"))
    return [read(folder, path.stem) for path in paths]


def read(folder: str | Path, name: str) -> dict:
    """Reads and checks <folder>/claims/<name>.json.

    Raises:
        ValueError: naming the file, as `read_all` does, or if it is missing.
    """
    path = Path(folder, "claims", f"{name}.json")
    if not path.exists():
        raise ValueError(f"{path} is missing; run the claim {name} first")
    try:
        claim = json.loads(path.read_text())
        validate(claim)
    except ValueError as error:  # JSONDecodeError is one
        raise ValueError(f"{path}: {error}") from None
    if claim["claim"] != name:
        raise ValueError(f"{path}: is named so, but holds {claim['claim']}")
    return claim


def _on_one_line(found):
    """A list of numbers, which json.dumps spreads over many lines."""
    return f"[{' '.join(found[0][1:-1].split())}]"


def _tidy(name, value):
    if value is None:
        return None
    is_number = isinstance(value, int | float | np.number) and not isinstance(
        value, bool
    )
    if not is_number or not math.isfinite(value):
        raise ValueError(
            f"{name} is {value!r}; a run gives finite numbers, or None for what was "
            "not reached"
        )
    return _rounded(value)


def _over_seeds(values):
    if any(isinstance(value, list) for value in values):
        return values
    known = None not in values
    return {
        "mean": _rounded(sum(values) / len(values)) if known else None,
        "spread": _rounded(max(values) - min(values)) if known else None,
        "values": values,
    }


def _rounded(value):
    return float(f"{float(value):.6g}")
