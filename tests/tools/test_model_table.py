import copy
import subprocess
import sys

import pytest
from test_results import BENCHMARK, RESULT

from kcv import zoo
from kcv.tools import model_table, recipe_heads, results, tables

README = "# kcv\n\n<!-- model table -->\nold\n<!-- /model table -->\n\nThe end.\n"


@pytest.fixture
def root(tmp_path):
    """A repository with two results, a benchmark and the documents with their marks."""
    other = copy.deepcopy(RESULT)
    other.update(model="lenet5", ids=["C01"], note="no QAT:\nthe bridge is not needed")
    other["metric"].update(qat=None, int8=0.95)
    other["latency_ms"].update(int8_2=None)
    other["equal_training"] = None
    for result in (RESULT, other):
        results.write(result, tmp_path / "results")
    results.write_benchmark(BENCHMARK, tmp_path / "results")
    (tmp_path / "README.md").write_text(README)
    (tmp_path / "docs").mkdir()
    marks = "<!-- benchmarks -->\n<!-- /benchmarks -->\n"
    (tmp_path / "docs/benchmarks.md").write_text(marks)
    return tmp_path


def _run(root, *arguments):
    command = [sys.executable, "-m", "kcv.tools.model_table", f"--root={root}"]
    return subprocess.run([*command, *arguments], capture_output=True, text=True)


def _cells(text, start):
    """The cells of the lines that start with "| " and `start`."""
    lines = [line for line in text.splitlines() if line.startswith(f"| {start}")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def test_tables_hold_the_numbers(root):
    texts = model_table.documents(root)
    zoo_row, metric, files, origin = _cells(
        texts["docs/models.md"], "`mobilenet_v1_025`"
    )
    entry = zoo.ZOO["mobilenet_v1_025"]
    assert zoo_row[5] == f"{entry.parameters:,}"
    assert "](https://arxiv.org/abs/1704.04861)" in zoo_row[3]
    assert metric[2:] == [
        *("360", "accuracy", "10.00 %", "99.00 %", "99.00 %", "98.75 %"),
        *("0.25 points", "99.25 %", "2", "99.13 %", "98.88 %"),
    ]
    assert files[2:] == [
        *("228,810", "3,400,000", "900.0 kB", "260.0 kB", "0.29"),
        *("0.61", "0.50", "0.21", "0.20", "1.2e-06", "2.0e-02"),
        "14 CONV_2D, 13 DEPTHWISE_CONV_2D",
    ]
    assert origin[2:] == [
        *("`mobilenet_v1_025_digits`", "62 s", "0", "3.15.1", "–", "–"),
        *("2026-11-21", "a processor, 2 cores"),
    ]


def test_every_model_of_the_zoo_is_listed_in_its_order(root):
    text = model_table.documents(root)["docs/models.md"]
    listed = text.split("## What the recipes reach")[0]
    positions = [listed.index(f"| `{name}` |") for name in zoo.ZOO]
    assert positions == sorted(positions)


def test_rows_are_sorted_as_the_zoo(root):
    """lenet5 stands before mobilenet_v1_025 in the zoo."""
    assert list(zoo.ZOO).index("lenet5") < list(zoo.ZOO).index("mobilenet_v1_025")
    text = model_table.documents(root)["README.md"]
    assert text.index("`lenet5`") < text.index("`mobilenet_v1_025`")


def test_what_was_not_measured_is_a_dash_and_a_note(root):
    text = model_table.documents(root)["docs/models.md"]
    metric = _cells(text, "`lenet5`")[1]
    assert metric[9:] == ["–", "–", "–", "–"]
    assert "- `lenet5` on digits: no QAT: the bridge is not needed\n" in text


def test_only_the_text_between_the_marks_changes(root):
    text = model_table.documents(root)["README.md"]
    assert text.startswith("# kcv\n\n<!-- model table -->\n| Model |")
    assert text.endswith("|\n\n<!-- /model table -->\n\nThe end.\n")
    assert "old" not in text


def test_benchmarks_have_their_ratio(root):
    text = model_table.documents(root)["docs/benchmarks.md"]
    row = _cells(text, "`latency_mobilenet_v1_int8`")[0]
    assert row[1:6] == ["5", "4", "ms", "1.25", "50"]


def test_writes_then_checks_then_catches_one_digit(root):
    """The story of the command: write, nothing to do, one digit changed by hand."""
    first = _run(root)
    assert first.returncode == 0, first.stderr
    assert first.stdout.split() == [
        *("wrote", "docs/models.md", "wrote", "README.md"),
        *("wrote", "docs/benchmarks.md"),
    ]
    good = _run(root, "--check")
    assert good.returncode == 0, good.stderr
    for name in ("docs/models.md", "README.md", "docs/benchmarks.md"):
        path = root / name
        text = path.read_text()
        old, new = ("1.25", "1.15") if "bench" in name else ("99.25", "99.35")
        line = text[: text.index(old)].count("\n") + 1
        path.write_text(text.replace(old, new))
        bad = _run(root, "--check")
        assert bad.returncode == 1
        message = f"error: {name} differs from results/ in line {line}; run python -m "
        assert bad.stderr == message + "kcv.tools.model_table\n"
        assert new in path.read_text(), "--check must not write"
        path.write_text(text)


def test_missing_models_document_is_a_difference(root):
    run = _run(root, "--check")
    assert (run.returncode, run.stderr[:38]) == (
        1,
        "error: docs/models.md differs from res",
    )
    assert not (root / "docs/models.md").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("# kcv\n", "README.md must hold the lines <!-- model table -->"),
        (README + README, "README.md must hold the lines .* once each"),
        ("<!-- /model table --><!-- model table -->", "stands before <!-- model table"),
    ],
)
def test_wrong_marks_are_named(root, text, message):
    (root / "README.md").write_text(text)
    with pytest.raises(ValueError, match=message):
        model_table.documents(root)


def test_missing_documents_are_named(root):
    (root / "README.md").unlink()
    with pytest.raises(ValueError, match="README.md is missing"):
        model_table.documents(root)
    with pytest.raises(ValueError, match="no folder results; set --root"):
        model_table.documents(root / "docs")


def test_model_outside_the_zoo_is_named(root):
    results.write({**RESULT, "model": "mobilenet_v9"}, root / "results")
    with pytest.raises(
        ValueError, match="mobilenet_v9_digits.json: mobilenet_v9 is not"
    ):
        model_table.documents(root)


@pytest.mark.parametrize(
    ("metric", "text"),
    [
        ({"name": "accuracy", "keras": 0.5, "int8": 0.45}, "5.00"),
        ({"name": "accuracy", "keras": 0.5, "int8": 0.51}, "-1.00"),
        ({"name": "accuracy", "keras": 0.5, "int8": None}, "–"),
        (
            {"name": "epe", "keras": 2.0, "int8": 2.1, "higher_is_better": False},
            "5.0 %",
        ),
        ({"name": "ap", "keras": 2.0, "int8": 2.1}, "-5.0 %"),
        ({"name": "ap", "keras": 0.0, "int8": 2.1}, "–"),
    ],
)
def test_drop_is_positive_when_int8_is_worse(metric, text):
    assert tables.drop({"higher_is_better": True, **metric}) == text


def test_table_escapes_and_counts():
    assert tables.table("A; >B", [("x|y", "1\n2")]).splitlines() == [
        "| A | B |",
        "| --- | ---: |",
        "| x\\|y | 1 2 |",
    ]
    assert "nothing measured yet" in tables.table("A; B", [])
    with pytest.raises(ValueError, match="1 cells under 2 titles"):
        tables.table("A; B", [("x",)])


def test_no_arguments_are_taken(root):
    run = _run(root, "now")
    assert run.returncode == 2 and "no positional arguments" in run.stderr


def test_a_recipe_says_what_it_reaches(root):
    path = root / f"tools/recipes/{RESULT['recipe']}.flags"
    path.parent.mkdir(parents=True)
    path.write_text("# A title.\n#\n# Reaches 100 %.\n--model=mlp\n--epochs=3\n")
    assert _run(root).returncode == 0
    lines = path.read_text().splitlines()
    assert lines[0] == "# A title."
    assert lines[-2:] == ["--model=mlp", "--epochs=3"]
    head = " ".join(lines[:-2])
    assert "test accuracy of 99.0 % (a guess: 10.0 %)" in head
    assert RESULT["machine"] in head
    assert "100 %" not in head
    assert _run(root, "--check").returncode == 0
    path.write_text(path.read_text().replace("99.0", "99.9"))
    check = _run(root, "--check")
    assert check.returncode == 1
    assert f"tools/recipes/{RESULT['recipe']}.flags differs" in check.stderr


def test_a_recipe_needs_a_title():
    with pytest.raises(ValueError, match="and a title"):
        recipe_heads.with_head("--model=mlp\n", RESULT)
