"""Every command and every line of Python that README.md and the docs show runs."""

import json
import os
import pathlib
import re
import subprocess

import numpy as np
import programs
import pytest
from PIL import Image

from kcv import edge
from kcv.data import sources
from kcv.data.readers import record_keys
from kcv.data.scenes import views

ROOT = pathlib.Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
DATA = (ROOT / "docs" / "data.md").read_text()
LOOKING = (ROOT / "docs" / "inspect.md").read_text()
# What a reader of docs/inspect.md has, and what there is here.
HERE = {
    "runs/digits": "runs/pictures",
    "runs/mine": "runs/pictures",
    "a.jpg,b.jpg": "picture.jpg",
    "--class=cat": "--class=plums",
    "--weights=imagenet --data=PICTURES": "--image_size=96 --data=pictures",
}
BLOCK = re.compile(r"```(bash|python)\n(.*?)```", re.DOTALL)
BLOCKS = BLOCK.findall(README)
SCRIPTS = [text for kind, text in BLOCKS if kind == "bash" and "bash tools/" in text]
REST = [block for block in BLOCKS if block[1] not in SCRIPTS]

pytestmark = pytest.mark.slow


def run(command, cwd, python=None, **variables):
    """Stdout of a command of the shell; `python` is a folder for PATH."""
    path = f"{python}:{os.environ['PATH']}" if python else os.environ["PATH"]
    process = subprocess.run(
        command,
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=900,
        env={**os.environ, "PATH": path, **variables},
    )
    assert process.returncode == 0, f"{command}\n{process.stderr[-3000:]}"
    return process.stdout


@pytest.fixture(scope="module")
def run_block(tmp_path_factory):
    """A function from (kind of block, text, folder) to its stdout."""
    python = programs.command(tmp_path_factory.mktemp("bin"))

    def call(kind, text, cwd):
        command = ["bash", "-eu"] if kind == "bash" else [f"{python}/python"]
        return run([*command, "-c", text], cwd, python)

    return call


def test_the_first_block_is_the_two_commands():
    assert SCRIPTS == ["bash tools/quickstart.sh\nbash tools/test.sh\n"]
    assert run(["bash", "tools/test.sh", "--version"], ROOT).startswith("pytest")
    assert "bash tools/test.sh\n" in (ROOT / ".ci" / "run").read_text()


def test_the_quickstart_reached_its_bars():
    """Accuracy 98 %, int8 within half a point, and at most 0.30 of the float file."""
    script = (ROOT / "tools" / "quickstart.sh").read_text()
    (name,) = re.findall(r"recipes/(\w+)\.flags", script)
    result = json.loads((ROOT / "results" / f"{name}.json").read_text())
    assert result["recipe"] == name and "BUDGET:-0.005}" in script
    metric, size = result["metric"], result["bytes"]
    assert metric["float32"] >= 0.98
    for kind in ("int8", "qat"):
        assert metric["keras"] - metric[kind] <= 0.005
        assert size[kind] <= 0.30 * size["float32"]


def test_quickstart(tmp_path):
    """With a small network, for seconds: all its steps, and lower bars."""
    flags = "--model=lenet5 --image_size=28 --epochs=8"
    command = ["bash", "tools/quickstart.sh", str(tmp_path / "run"), *flags.split()]
    out = run(command, ROOT, BUDGET="0.02")
    files = {p.name: p for p in (tmp_path / "run").glob("*.tflite")}
    assert set(files) == {"float32.tflite", "int8.tflite", "int8_qat.tflite"}
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["model"] == "lenet5" and metrics["test"]["accuracy"] >= 0.93
    for path in files.values():
        assert path.name in out
        found = edge.load(path).model.manifest["metrics"]
        assert metrics["test"]["accuracy"] - found["file"] <= 0.02
    sizes = {name: path.stat().st_size for name, path in files.items()}
    assert sizes["int8.tflite"] <= 0.30 * sizes["float32.tflite"]
    assert sizes["int8_qat.tflite"] <= 0.30 * sizes["float32.tflite"]
    pictures = sorted(p.name for p in (tmp_path / "run" / "answers").iterdir())
    assert pictures == ["digit_3_answer.png", "digit_7_answer.png"]
    assert "predict --model=" in out


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What the reader has: pictures of two classes, and one more."""
    path = tmp_path_factory.mktemp("reader")
    rng = np.random.default_rng(0)
    for index in range(240):
        pixels = rng.integers(0, 60, (96, 96, 3), dtype=np.uint8)
        pixels[..., 2 * (index % 2)] += 190
        name = path / "pictures" / ("cherries", "plums")[index % 2] / f"{index}.png"
        name.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(name)
    Image.fromarray(pixels).save(path / "picture.jpg")
    return path


def test_the_other_blocks_run_in_their_order(folder, run_block):
    assert [kind for kind, _ in REST] == [
        *("bash", "bash", "bash", "bash", "python", "python", "bash", "python")
    ]
    for kind, text in REST:
        # Shorter, and with fewer pictures than a reader would have.
        text = text.replace("--epochs=20", "--epochs=10 --batch_size=16")
        text = text.replace("--image_size=96", "--image_size=64")
        assert run_block(kind, text, folder).strip()
    assert (folder / "pictures.tflite").exists()
    assert (folder / "lenet5.tflite").exists()
    assert Image.open(folder / "scenes.png").width > 600
    for _, text in BLOCK.findall(LOOKING):
        for there, here in HERE.items():
            text = text.replace(there, here)
        assert "wrote" in run_block("bash", text, folder)


def test_the_blocks_about_data_run(tmp_path, run_block):
    for kind, text in BLOCK.findall(DATA):
        assert run_block(kind, text, tmp_path).strip()
    assert (tmp_path / "motorcycle.png").exists()


def test_every_name_of_data_is_documented():
    for name in (*sources.FORMATS, *views.VIEWS, *record_keys.KEYS):
        assert f"`{name}" in DATA, name
    for name in re.findall(r"^\| `(\w+):PATH`", DATA, re.MULTILINE):
        assert name in sources.FORMATS


def test_links_lead_somewhere():
    for text in (README, (ROOT / "CONTRIBUTING.md").read_text()):
        for target in re.findall(r"\]\((?!http)([^)]+)\)", text):
            assert (ROOT / target).exists(), target
