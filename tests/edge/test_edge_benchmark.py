import json
import subprocess
import sys

import numpy as np
import pytest
import tiny_tflite

import kcv.edge
from kcv.edge import benchmark


def test_percentiles_of_known_times():
    """Pencil: 1..101 ms in any order."""
    seconds = np.random.default_rng(0).permutation(np.arange(1, 102)) / 1e3
    found = benchmark.summary(2, seconds, 0.5, 0.25, 7)
    assert (found.threads, found.runs, found.memory_bytes) == (2, 101, 7)
    np.testing.assert_allclose(
        [found.min, found.p50, found.p90, found.p99, found.mean], [1, 51, 91, 100, 51]
    )
    np.testing.assert_allclose([found.load, found.first], [500, 250])


def test_measures_and_counts(tiny):
    found = benchmark.measure(tiny["uint8"], (1, 2), runs=20, per_operator=True)
    assert found.operators == {"QUANTIZE": 2, "FULLY_CONNECTED": 1, "SOFTMAX": 1}
    assert (found.model, found.quantization) == ("tiny", "int8")
    assert found.bytes == tiny["uint8"].stat().st_size
    assert [latency.threads for latency in found.latency] == [1, 2]
    for latency in found.latency:
        assert latency.runs == 20
        assert 0 < latency.min <= latency.p50 <= latency.p90 <= latency.p99
        assert 0 < latency.memory_bytes < 200e6
    assert [row.operator for row in found.per_operator] == [
        "QUANTIZE",
        "FULLY_CONNECTED",
        "SOFTMAX",
        "QUANTIZE",
    ]
    assert found.per_operator[0].shape == (1, 8, 8, 3)
    assert found.per_operator[-1].output == "probabilities"
    assert json.loads(json.dumps(found.to_dict())) == found.to_dict()


def test_slow_operator_takes_the_time(tmp_path):
    """Multiplying 48 000 pixels with 64 columns outweighs the softmax of 64."""
    path = tiny_tflite.write(tmp_path / "a.tflite", "float32", (100, 160, 3), 64)
    found = benchmark.measure(path, runs=20, per_operator=True)
    fully_connected, softmax = (row.milliseconds for row in found.per_operator)
    assert fully_connected > 3 * softmax


def test_memory_is_the_models_not_the_parents(tiny):
    """A parent of 400 MB must not show in the measured process's peak."""
    code = (
        "import sys, numpy as np; from kcv.edge import benchmark\n"
        "ballast = np.ones(50_000_000)\n"
        "print(benchmark.measure(sys.argv[1], runs=2).latency[0].memory_bytes)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tiny["uint8"]],
        capture_output=True,
        text=True,
        check=True,
    )
    assert 0 < int(done.stdout) < 100e6


def test_foreign_files_are_measured_too(tmp_path):
    path = tmp_path / "foreign.tflite"
    path.write_bytes(tiny_tflite.flatbuffer(io_dtype="int8"))
    found = benchmark.measure(path, runs=3)
    assert found.model is None
    assert found.operators["FULLY_CONNECTED"] == 1


def test_damaged_files_are_one_line(tmp_path):
    flat = bytearray(tiny_tflite.flatbuffer())
    path = tmp_path / "a.tflite"
    path.write_bytes(bytes(flat[: len(flat) // 2]))
    with pytest.raises(kcv.edge.EdgeError, match="is damaged") as caught:
        benchmark.measure(path, runs=3)
    assert "\n" not in str(caught.value)
    whole = bytearray(tiny_tflite.pack(bytes(flat), tiny_tflite.description(flat)))
    whole[100] ^= 1
    path.write_bytes(whole)
    with pytest.raises(kcv.edge.EdgeError, match="checksum"):
        benchmark.measure(path, runs=3)


def test_an_abort_of_the_interpreter_is_one_line(tmp_path, monkeypatch):
    """Whatever kills the measured process, the caller lives and says so."""
    path = tmp_path / "foreign.tflite"
    path.write_bytes(tiny_tflite.flatbuffer())
    script = tmp_path / "python"
    script.write_text("#!/bin/sh\nkill -ABRT $$\n")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))
    with pytest.raises(kcv.edge.EdgeError, match="died of SIGABRT"):
        benchmark.measure(path, runs=3)


def test_a_hang_ends(tmp_path, monkeypatch):
    path = tmp_path / "foreign.tflite"
    path.write_bytes(tiny_tflite.flatbuffer())
    script = tmp_path / "python"
    script.write_text("#!/bin/sh\nexec sleep 60\n")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))
    with pytest.raises(kcv.edge.EdgeError, match="not measured within 0.5 s"):
        benchmark.measure(path, runs=3, timeout=0.5)


def test_missing_delegates(tiny):
    with pytest.raises(kcv.edge.EdgeError, match="libno.so: the delegate cannot"):
        benchmark.measure(tiny["uint8"], runs=2, delegates=("libno.so",))


@pytest.mark.parametrize("arguments", [{"threads": (0,)}, {"threads": ()}, {"runs": 0}])
def test_wrong_arguments(tiny, arguments):
    with pytest.raises(kcv.edge.EdgeError, match="integers of 1 or more"):
        benchmark.measure(tiny["uint8"], **arguments)
