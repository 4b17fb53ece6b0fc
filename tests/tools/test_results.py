import copy
import json
import os

import pytest

from kcv.tools import results

RESULT = {
    "model": "mobilenet_v1_025",
    "ids": ["C14"],
    "task": "classification",
    "data": "digits",
    "recipe": "mobilenet_v1_025_digits",
    "metric": {
        "name": "accuracy",
        "higher_is_better": True,
        "baseline": 0.1,
        "keras": 0.99,
        "float32": 0.99,
        "int8": 0.9875,
        "qat": 0.9925,
        "splits": {"train": 1258, "validation": 179, "test": 360},
    },
    "equal_training": {"epochs": 2, "keras": 0.9913, "int8": 0.9888},
    "parameters": 228_810,
    "multiply_adds": 3_400_000,
    "bytes": {"float32": 900_000, "int8": 260_000},
    "latency_ms": {"float32_1": 0.61, "float32_2": 0.5, "int8_1": 0.21, "int8_2": 0.2},
    "parity": {"float32": 1.2e-6, "int8": 0.02},
    "operators": {"CONV_2D": 14, "DEPTHWISE_CONV_2D": 13},
    "train_seconds": 61.5,
    "seed": 0,
    "versions": {"keras": "3.15.1", "python": "3.11.7"},
    "machine": "a processor, 2 cores",
    "date": "2026-11-21",
    "note": "",
}
BENCHMARK = {
    "name": "latency_mobilenet_v1_int8",
    "ours": 5.0,
    "peer": 4.0,
    "peer_version": "keras.applications 3.15.1",
    "ratio": 1.25,
    "unit": "ms",
    "runs": 50,
    "machine": "a processor, 2 cores",
    "date": "2026-11-21",
    "note": "",
}
MISSING = object()


def _with(value, path, new):
    """A copy with the value at a path such as "metric.int8" replaced or removed."""
    value = copy.deepcopy(value)
    *parents, last = path.split(".")
    inner = value
    for key in parents:
        inner = inner[key]
    if new is MISSING:
        del inner[last]
    else:
        inner[last] = new
    return value


def test_good_files_pass():
    results.validate(RESULT)
    results.validate_benchmark(BENCHMARK)


@pytest.mark.parametrize("key", RESULT)
def test_every_field_is_needed(key):
    with pytest.raises(ValueError, match=f"{key} is missing"):
        results.validate(_with(RESULT, key, MISSING))


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("metrics", {}, "metrics is unknown; known: model"),
        ("metric.top", 1.0, r"metric\.top is unknown"),
        ("metric.qat", MISSING, r"metric\.qat is missing"),
        ("metric.int8", "0.98", r"metric\.int8 is '0.98'; .* finite number"),
        ("metric.int8", True, r"metric\.int8 is True; .* finite number"),
        ("metric.int8", float("nan"), r"metric\.int8 is nan; .* finite number"),
        ("metric.higher_is_better", 1, r"metric\.higher_is_better is 1; .* true or"),
        ("metric.splits", {}, r"metric\.splits is empty"),
        ("metric", [], r"metric is \[\]; it must be an object"),
        ("model", "../mobilenet", "model is '../mobilenet'; .* letters, digits"),
        ("ids", [], r"ids is \[\]; it must be a list, not empty"),
        ("ids", ["C14", "14"], r"ids\[1\] is '14'; it must be an id"),
        ("parameters", 0.5, "parameters is 0.5; it must be whole"),
        ("parameters", -1, "parameters is -1; it must be at least 0"),
        ("bytes.int8", 12.5, r"bytes\.int8 is 12.5; it must be whole"),
        ("latency_ms.int8", 1.0, r"latency_ms\.int8 is 'int8'; .* key as int8_1"),
        ("latency_ms.int8_1", MISSING, r"latency_ms\.int8_1 is missing"),
        ("parity.int4", 1.0, r"parity\.int4 is unknown"),
        ("machine", " ", "machine is ' '; it must be a text that is not empty"),
        ("date", "21.11.2026", "date is '21.11.2026'; it must be a date"),
        ("date", "2026-02-30", "date is '2026-02-30'; it must be a day that exists"),
        ("note", None, "note is None; it must be a text"),
        ("versions", {"keras": 3}, r"versions\.keras is 3; it must be a text"),
        ("equal_training", {"epochs": 2}, r"equal_training\.keras is missing"),
    ],
)
def test_wrong_field_is_named(path, value, message):
    with pytest.raises(ValueError, match=message):
        results.validate(_with(RESULT, path, value))


@pytest.mark.parametrize(
    "path", ["metric.qat", "latency_ms.int8_2", "bytes.int8", "equal_training"]
)
def test_null_needs_a_reason(path):
    result = _with(RESULT, path, None)
    with pytest.raises(ValueError, match=f"{path} is null; note must say why"):
        results.validate(result)
    results.validate({**result, "note": "not measured: this graph has no int8 file"})


def test_null_is_not_for_what_is_always_known():
    result = {**_with(RESULT, "parameters", None), "note": "why ever"}
    with pytest.raises(ValueError, match="parameters is None"):
        results.validate(result)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("ratio", 0.8, "ratio is 0.8, but ours / peer is 5.0 / 4.0"),
        ("peer", None, "peer is null; note must say why"),
        ("runs", 0, "runs is 0; it must be at least 1"),
    ],
)
def test_wrong_benchmark_is_named(path, value, message):
    with pytest.raises(ValueError, match=message):
        results.validate_benchmark(_with(BENCHMARK, path, value))


def test_benchmark_without_peer_has_no_ratio():
    alone = {**BENCHMARK, "peer": None, "peer_version": None, "note": "no peer"}
    with pytest.raises(ValueError, match="both be numbers or both be null"):
        results.validate_benchmark(alone)
    results.validate_benchmark({**alone, "ratio": None})


def test_benchmark_makes_a_valid_file(tmp_path):
    made = results.benchmark("x", 2.00001, 3.0, "ms", 5, "peer 1.0", details={"a": 1})
    assert (made["ours"], made["ratio"], made["details"]) == (2.0, 0.6667, {"a": 1})
    assert results.write_benchmark(made, tmp_path).name == "x.json"


def test_write_and_read_again(tmp_path):
    other = {**RESULT, "data": "tfds:mnist"}
    path = results.write(RESULT, tmp_path / "results")
    assert path == tmp_path / "results/mobilenet_v1_025_digits.json"
    results.write(other, tmp_path / "results")
    results.write_benchmark(BENCHMARK, tmp_path / "results")
    assert results.read_all(tmp_path / "results") == [RESULT, other]
    assert results.read_benchmarks(tmp_path / "results") == [BENCHMARK]
    assert results.read_all(tmp_path / "nowhere") == []


def test_files_are_the_same_whatever_the_order_of_keys(tmp_path):
    one = results.write(RESULT, tmp_path / "1").read_text()
    two = results.write(dict(reversed(RESULT.items())), tmp_path / "2").read_text()
    assert one == two
    assert one.startswith('{\n  "bytes": {\n    "float32": 900000,')
    assert one.endswith("}\n")


def test_wrong_result_is_not_written(tmp_path):
    with pytest.raises(ValueError, match="date is"):
        results.write({**RESULT, "date": "today"}, tmp_path)
    assert not list(tmp_path.iterdir())


def test_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = results.write(RESULT, tmp_path)

    def full(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        results.write({**RESULT, "seed": 1}, tmp_path)
    assert json.loads(path.read_text()) == RESULT
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.json", "{", "a.json: Expecting property name"),
        ("a.json", "[]", r"a.json: the file is \[\]; it must be an object"),
        ("a.json", json.dumps(RESULT), "a.json: .* holds mobilenet_v1_025_digits"),
    ],
)
def test_reading_names_the_bad_file(name, text, message, tmp_path):
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=message):
        results.read_all(tmp_path)


def test_machine_says_no_names():
    text = results.machine()
    assert "core" in text and "memory" in text
    assert os.uname().nodename not in text and "/" not in text


def test_versions_are_those_installed():
    import numpy

    assert results.versions()["numpy"] == numpy.__version__
