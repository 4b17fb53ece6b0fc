import json
import subprocess
import sys

import programs
import pytest

from kcv import zoo


def _run(*arguments):
    command = [sys.executable, "-m", "kcv.tools.zoo", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_lists_every_model_without_importing_keras():
    code = (
        "import sys; from kcv.tools import zoo; "
        "sys.argv = ['zoo']; import atexit; "
        "atexit.register(lambda: print('keras' in sys.modules)); "
        "zoo.script.run(zoo.main)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={"COLUMNS": "200", "PATH": ""},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("False\n")
    for name, row in zoo.ZOO.items():
        assert name in done.stdout and f"{row.parameters:,}" in done.stdout


def test_json_is_the_rows():
    done = _run("--task=classification", "--json")
    assert done.returncode == 0, done.stderr
    rows = {row["model"]: row for row in json.loads(done.stdout)}
    assert list(rows) == zoo.names("classification")
    assert rows["lenet5"]["recipe"] == "tools/recipes/lenet5_digits.flags"
    assert rows["lenet5"]["parameters"] == 61706
    assert rows["mobilenet_v2_050"]["recipe"] is None


@pytest.mark.parametrize(
    "argument", ["--model=mobilenet_v9", "--task=typing", "extra", "--modle=x"]
)
def test_wrong_usage_is_one_line_and_exit_2(argument):
    done = _run(argument)
    assert done.returncode == 2
    assert done.stdout == "" and done.stderr.count("\n") == 1
    assert done.stderr.startswith("error: ")
    if argument.startswith("--model"):
        assert all(name in done.stderr for name in zoo.ZOO)


def _describe(name):
    done = programs.tool("zoo", f"--model={name}", "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.slow
def test_describes_one():
    described = _describe("lenet5")
    assert described["feature_maps"] == {"C1": [14, 14, 6], "C2": [5, 5, 16]}
    assert described["file"] == "kcv/models/classification/lenet.py"
    layers = {layer["name"]: layer for layer in described["layers"]}
    assert layers["C3"] == {
        "name": "C3",
        "type": "Conv2D",
        "output_shape": [10, 10, 16],
        "parameters": 2416,
    }
    assert sum(la["parameters"] for la in layers.values()) == described["parameters"]
    printed = programs.tool("zoo", "--model=lenet5").stdout
    assert "61,706" in printed and "10 x 10 x 16" in printed


@pytest.mark.slow
def test_models_without_maps_are_described_too():
    assert _describe("mlp")["feature_maps"] == {}


@pytest.mark.slow
def test_arguments_of_the_row_reach_the_maps():
    described = _describe("mobilenet_v1_025")
    assert described["feature_maps"]["C5"] == [7, 7, 256]
    assert described["arguments"] == {"alpha": 0.25}
