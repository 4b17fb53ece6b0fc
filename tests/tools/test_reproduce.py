"""The framework of the claims, with a claim that is made up."""

import copy
import json
import os
import pathlib
import signal
import subprocess
import sys
import types

import pytest

from kcv.tools import claim_results, claims, claims_page, reproduce, script

ROOT = pathlib.Path(__file__).parents[2]
MADE_UP = """
CLAIM = "Twice the seed | is even."
IDS = ("F01", "F02")


def run(seed):
    return {"twice": 2 * seed, "curve": [seed, seed + 0.5], "reached": None}


def verdict(runs):
    return all(run["twice"] % 2 == 0 for run in runs), "It was even."


def draw(runs, path):
    from kcv.viz import style

    return style.save(style.figure(2, 1), path)
"""


@pytest.fixture
def made_up(monkeypatch):
    """A claim `even`, the only one."""
    module = types.ModuleType("kcv.tools.claims.even")
    exec(MADE_UP, module.__dict__)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(claims, "NAMES", ("even",))
    return module


@pytest.fixture
def result(made_up, tmp_path):
    return reproduce.reproduce("even", [0, 1, 4], tmp_path / "results")


def test_a_run_is_a_file_a_picture_and_a_page(result, tmp_path):
    folder = tmp_path / "results/claims"
    assert {path.name for path in folder.iterdir()} == {"even.json", "even.png"}
    assert json.loads((folder / "even.json").read_text()) == result
    assert result["verdict"] == "holds" and result["finding"] == "It was even."
    assert result["ids"] == ["F01", "F02"] and result["seeds"] == [0, 1, 4]
    # By hand: 2 * (0 + 1 + 4) / 3 and 8 - 0.
    twice = {"mean": 3.33333, "spread": 8.0, "values": [0.0, 2.0, 8.0]}
    assert result["numbers"]["twice"] == twice
    assert result["numbers"]["curve"] == [[0.0, 0.5], [1.0, 1.5], [4.0, 4.5]]
    assert result["numbers"]["reached"]["mean"] is None
    page = reproduce.write_page(tmp_path / "results")
    assert page == tmp_path / "docs/claims.md"
    text = page.read_text()
    assert "with 3 seeds" in text and "1 of 1 hold" in text
    assert "| twice | 3.333 | 8 | 0, 2, 8 |" in text
    assert "| reached | – | – | –, –, – |" in text
    assert "| Twice the seed \\| is even. | holds |" in text
    assert "**Holds.** It was even." in text
    assert "![even](../results/claims/even.png)" in text
    assert (tmp_path / "docs/../results/claims/even.png").exists()


def test_same_results_same_bytes(result, tmp_path):
    first = reproduce.write_page(tmp_path / "results").read_bytes()
    claim_results.write(claim_results.read_all(tmp_path / "results")[0], tmp_path)
    written = (tmp_path / "claims/even.json").read_bytes()
    assert written == (tmp_path / "results/claims/even.json").read_bytes()
    assert reproduce.write_page(tmp_path / "results").read_bytes() == first


def test_what_fails_is_reported_as_such(made_up, tmp_path):
    made_up.verdict = lambda runs: (False, "It was odd.")
    found = reproduce.reproduce("even", [3], tmp_path / "results")
    assert found["verdict"] == "does not hold here"
    text = claims_page.document(tmp_path / "results")
    assert "with 1 seed." in text and "0 of 1 hold" in text
    assert "**Does not hold here.** It was odd." in text


def test_redraw_judges_the_numbers_again(result, made_up, tmp_path):
    made_up.verdict = lambda runs: (runs[2]["curve"] == [4.0, 5.5], "Another view.")
    again = reproduce.redraw(result, tmp_path / "results")
    assert again == {
        **result,
        "verdict": "does not hold here",
        "finding": "Another view.",
    }


def test_numbers_and_runs_are_inverse():
    runs = [{"a": 1.0, "b": [1.0, None]}, {"a": None, "b": [2.0]}]
    found = {"numbers": claim_results.numbers(runs), "seeds": [0, 1]}
    assert claim_results.runs_of(found) == runs


def test_a_page_without_results(tmp_path):
    assert "nothing measured yet" in claims_page.document(tmp_path / "results")


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({}, "has no numbers"),
        ({"a": float("nan")}, "a is nan; a run gives finite numbers, or None"),
        ({"a": [1.0, float("inf")]}, "a is inf; a run gives"),
        ({"a": True}, "a is True"),
        ({"a": "1"}, "a is '1'"),
    ],
)
def test_a_run_of_wrong_numbers_is_refused(made_up, tmp_path, numbers, message):
    made_up.run = lambda seed: numbers
    with pytest.raises(ValueError, match=message):
        reproduce.reproduce("even", [0], tmp_path)
    assert not list(tmp_path.rglob("*"))


def test_runs_of_other_numbers_are_refused(made_up, tmp_path):
    made_up.run = lambda seed: {"a": 1} if seed else {"a": 1, "b": 2}
    with pytest.raises(ValueError, match="not every run has the same numbers: b"):
        reproduce.reproduce("even", [0, 1], tmp_path)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("verdict", "maybe", "verdict is 'maybe'; it must be one of"),
        ("sentence", " ", "sentence is ' '; it must be a text that is not empty"),
        ("note", "", "note is unknown"),
        ("numbers", {}, "numbers is empty"),
        ("numbers", {"a": 1.0}, r"numbers\.a is 1.0; it must be an object"),
        ("numbers", {"a": {"mean": 1.0}}, r"numbers\.a\.spread is missing"),
        ("numbers", {"a": [[1.0]]}, "numbers.a has 1 values for 3 seeds"),
        ("seeds", [0, 1, -1], r"seeds\[2\] is -1; it must be at least 0"),
        ("seconds", None, "seconds is None"),
    ],
)
def test_wrong_field_is_named(result, path, value, message):
    with pytest.raises(ValueError, match=message):
        claim_results.validate({**copy.deepcopy(result), path: value})


def test_a_mean_that_was_bent_is_found(result):
    result["numbers"]["twice"]["mean"] = 3.0
    with pytest.raises(ValueError, match="numbers.twice: mean and spread are not of"):
        claim_results.validate(result)


def test_wrong_files_are_named(result, tmp_path):
    folder = tmp_path / "results/claims"
    (folder / "even.json").rename(folder / "odd.json")
    with pytest.raises(ValueError, match="odd.json: is named so, but holds even"):
        claims_page.document(tmp_path / "results")
    (folder / "odd.json").write_text("{")
    with pytest.raises(ValueError, match="odd.json: Expecting"):
        claims_page.document(tmp_path / "results")
    with pytest.raises(ValueError, match="even.json is missing; run the claim even"):
        claim_results.read(tmp_path / "results", "even")


def test_a_file_of_no_claim_is_named(result, tmp_path, monkeypatch):
    monkeypatch.setattr(claims, "NAMES", ("odd",))
    with pytest.raises(ValueError, match="even.json: there is no claim even; remove"):
        claims_page.document(tmp_path / "results")
    with pytest.raises(ValueError, match="no claim 'even'; known: odd"):
        claims.module("even")


def test_an_exception_leaves_the_last_result(result, made_up, tmp_path):
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.*")}
    assert len(before) == 2

    def fail(*arguments):
        raise OSError("disk full")

    made_up.draw = fail
    with pytest.raises(OSError, match="disk full"):
        reproduce.reproduce("even", [5], tmp_path / "results")
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.*")} == before


def test_killed_in_the_middle_leaves_nothing_half_written(tmp_path):
    """SIGKILL after the first seed: the results of an earlier run stay as they are."""
    code = f"""
import sys, time, types
from kcv.tools import claims, reproduce

module = types.ModuleType("kcv.tools.claims.even")
exec({MADE_UP!r}, module.__dict__)
quick = module.run

def run(seed):
    if seed == 9:
        print("in the middle", flush=True)
        time.sleep(60)
    return quick(seed)

module.run = run
sys.modules[module.__name__] = module
claims.NAMES = ("even",)
reproduce.reproduce("even", [0, 1], {str(tmp_path)!r})
reproduce.reproduce("even", [2, 9], {str(tmp_path)!r})
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"in the middle\n"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    names = sorted(path.name for path in (tmp_path / "claims").iterdir())
    assert names == ["even.json", "even.png"]
    assert claim_results.read_all(tmp_path)[0]["seeds"] == [0, 1]


@pytest.mark.parametrize(
    ("flags", "code", "message"),
    [
        ([], 2, "give one of --claim=NAME, --list and --page"),
        (["--redraw", "--page"], 2, "--redraw needs --claim=NAME or --claim=all"),
        (["--claim=xnor"], 2, "--claim=xnor: write all or one of xor, linear_layers"),
        (["now"], 2, "no positional arguments, got now"),
    ],
)
def test_wrong_usage(flags, code, message):
    run = _command(*flags)
    assert (run.returncode, run.stdout) == (code, "")
    assert run.stderr.startswith(f"error: {message}")
    assert run.stderr.count("\n") == 1


def test_seeds_are_whole_numbers_and_different():
    assert reproduce.parse_seeds(["0", "7"]) == [0, 7]
    for texts in ([], ["-1"], [""], ["1.5"]):
        with pytest.raises(script.UsageError, match="write whole numbers"):
            reproduce.parse_seeds(texts)
    with pytest.raises(script.UsageError, match="--seeds=1,1: a seed stands there"):
        reproduce.parse_seeds(["1", "1"])


def test_all_is_all_claims():
    assert reproduce.parse_names("all") == [*claims.NAMES]
    assert reproduce.parse_names("xor") == ["xor"]
    with pytest.raises(script.UsageError, match="--claim=: write all or one of xor"):
        reproduce.parse_names("")


def test_list_and_page_need_no_keras(tmp_path):
    listed = _command("--list")
    assert listed.returncode == 0, listed.stderr
    assert [line.split()[0] for line in listed.stdout.splitlines()] == [*claims.NAMES]
    assert "(F01, F02)" in listed.stdout.splitlines()[0]
    page = _command("--page", f"--results_dir={tmp_path}/results")
    assert page.stdout == f"wrote {tmp_path}/docs/claims.md\n"
    code = "import sys; from kcv.tools import reproduce; print('keras' in sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True)
    assert loaded.stdout == b"False\n"


def test_every_claim_of_the_folder_has_a_name():
    sources = (ROOT / "tools/claims").glob("*.py")
    modules = {path.stem for path in sources if "\nCLAIM = " in path.read_text()}
    assert modules == set(claims.NAMES)
    for name in claims.NAMES:
        sentence, ids = claims.statement(name)
        assert sentence.endswith(".") and ids, name


def test_committed_page_is_what_the_committed_files_make():
    text = (ROOT / "docs/claims.md").read_text()
    assert text == claims_page.document(ROOT / "results")
    for found in claim_results.read_all(ROOT / "results"):
        assert (ROOT / "results/claims" / f"{found['claim']}.png").exists()


def _command(*flags):
    return subprocess.run(
        [sys.executable, "-m", "kcv.tools.reproduce", *flags],
        capture_output=True,
        text=True,
    )
