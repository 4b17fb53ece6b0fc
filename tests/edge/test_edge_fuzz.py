"""Damaged files never crash the process and never answer otherwise."""

import collections
import pathlib
import subprocess
import sys

import pytest

WORKER = pathlib.Path(__file__).parent / "fuzz_worker.py"


def fuzz(model, folder, first_seed, count):
    """{outcome: number of seeds}; fails naming the seed that killed the process."""
    command = [sys.executable, str(WORKER), str(model), str(folder)]
    done = subprocess.run(
        [*command, str(first_seed), str(count)],
        capture_output=True,
        text=True,
        timeout=200,
    )
    lines = done.stdout.splitlines()
    assert done.returncode == 0, (
        f"{model.name}: process ended with {done.returncode} at seed {lines[-1:]}:"
        f" {done.stderr[-500:]}"
    )
    outcomes = dict(line.split(" ", 1) for line in lines if " " in line)
    assert len(outcomes) == count
    wrong = {s: o for s, o in outcomes.items() if o not in ("refused", "equal")}
    assert not wrong, f"{model.name}: {wrong}"
    return collections.Counter(outcomes.values())


def test_a_few_mutated_files(tiny, tmp_path):
    outcomes = fuzz(tiny["uint8"], tmp_path, 0, 160)
    assert outcomes["refused"] > 100
    assert outcomes["equal"] > 0  # bytes of the ZIP that mean nothing were hit too


@pytest.mark.slow
@pytest.mark.parametrize("name", ["float32", "uint8", "int16x8"])
def test_many_mutated_files_of_an_exported_model(exported, tmp_path, name):
    outcomes = fuzz(exported.files[name], tmp_path, 1000, 3000)
    assert outcomes["refused"] > 2000
    assert outcomes["equal"] > 0
