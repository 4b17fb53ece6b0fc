import json
import pathlib
import subprocess
import sys

import pytest

EDGE = pathlib.Path(__file__).parents[1] / "edge"
sys.path.insert(0, str(EDGE))  # for the tiny model that both folders use
import tiny_tflite  # noqa: E402


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("benchmark")
    tiny_tflite.write(folder / "tiny.tflite", "uint8")
    (folder / "broken.tflite").write_bytes(tiny_tflite.flatbuffer()[:1000])
    return folder


def benchmark(place, *arguments, model="tiny.tflite"):
    command = [sys.executable, "-m", "kcv.tools.benchmark", f"--model={model}"]
    return subprocess.run(
        [*command, *arguments], cwd=place, capture_output=True, text=True
    )


def test_tables_and_json(place, tmp_path):
    file = tmp_path / "new" / "numbers.json"
    done = benchmark(place, "--threads=1,2", "--runs=5", "--per_operator",
                     f"--json={file}")  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    for word in ("p50", "p90", "p99", "MiB", "FULLY_CONNECTED", "share", "2,"):
        assert word in done.stdout
    found = json.loads(file.read_text())
    assert list(file.parent.iterdir()) == [file]
    assert found["model"] == "tiny"
    assert found["bytes"] == (place / "tiny.tflite").stat().st_size
    assert found["operators"] == {"QUANTIZE": 2, "FULLY_CONNECTED": 1, "SOFTMAX": 1}
    assert [row["threads"] for row in found["latency"]] == [1, 2]
    for row in found["latency"]:
        assert row.keys() == {"threads", "runs", "mean", "min", "p50", "p90", "p99",
                              "load", "first", "memory_bytes"}  # fmt: skip
        assert row["runs"] == 5
    assert [row["operator"] for row in found["per_operator"]][1] == "FULLY_CONNECTED"
    assert found.keys() >= {"machine", "date", "runtime", "xnnpack", "quantization"}


def test_json_on_the_screen_alone(place):
    done = benchmark(place, "--runs=2", "--json=-", "--noxnnpack")
    assert done.returncode == 0
    assert json.loads(done.stdout)["xnnpack"] is False


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--threads=1,x"], "threads"),
        (["--threads=0"], "threads"),
        (["--runs=0"], "runs"),
        (["tiny.tflite"], "no positional arguments"),
    ],
)
def test_wrong_usage(place, arguments, message):
    done = benchmark(place, *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("model", ["gone.tflite", "broken.tflite"])
def test_a_model_that_cannot_be_used(place, model):
    done = benchmark(place, f"--json={place / 'numbers.json'}", model=model)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {model}: ")
    assert len(done.stderr.splitlines()) == 1
    assert not (place / "numbers.json").exists()


def test_imports_nothing_heavy(place):
    code = (
        "import sys; import kcv.tools.benchmark\n"
        "print(sys.modules.keys() & {'tensorflow', 'keras', 'rich', 'kcv.zoo'})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "set()"
