import json
import os

import pytest
import tiny_tflite
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import kcv.edge
from kcv.edge import model_file

FLAT = tiny_tflite.flatbuffer()
WHOLE = tiny_tflite.pack(FLAT, tiny_tflite.description(FLAT))
DAMAGED = bytearray(WHOLE)
DAMAGED[len(FLAT) // 2] ^= 1


def without(key):
    manifest = tiny_tflite.description(FLAT)
    del manifest[key]
    return tiny_tflite.pack(FLAT, manifest)


def with_(**changes):
    return tiny_tflite.pack(FLAT, tiny_tflite.description(FLAT, **changes))


def test_reads_what_was_written(tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(WHOLE)
    model = model_file.read(path)
    assert model.flatbuffer == FLAT
    assert model.labels == ("class 0", "class 1", "class 2", "class 3")
    assert (model.mean, model.std) == ((127.5,), (127.5,))
    assert model.inputs == {"images": {"shape": [1, 8, 8, 3], "dtype": "float32"}}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"TFL3", "not a .tflite file"),
        (os.urandom(3000), "not a .tflite file"),
        (b"PK\x03\x04" + bytes(100), "is a ZIP or .keras file"),
        (FLAT, "has no metadata"),
        (WHOLE[: len(FLAT) // 2], "has no metadata"),
        (WHOLE[: len(FLAT) + 80], "damaged or cut off"),
        (WHOLE[:-30], "damaged or cut off"),
        (bytes(DAMAGED), "do not match their checksum"),
        (WHOLE[:100] + WHOLE[101:], "do not match their checksum"),
        (tiny_tflite.pack(FLAT, None), "has no kcv.json"),
        (tiny_tflite.pack(FLAT, "{'a': 1}"), "is not JSON"),
        (tiny_tflite.pack(FLAT, "[" * 100_000), "is not JSON"),
        (tiny_tflite.pack(FLAT, "[]"), "is not an object"),
        (tiny_tflite.pack(FLAT, " " * (2**24 + 1)), "kcv.json is too large"),
        (with_(format=2), "format 2, this kcv knows up to 1"),
        (with_(format="1"), "format '1'"),
        (with_(task="haiku"), r"task 'haiku' is not one of \['classification', 'detec"),
        (with_(labels=["a"]), "1 labels for 4 classes"),
        (with_(normalization={"mean": [0, 0], "std": [1]}), "2 values of mean for 3"),
        (with_(normalization={"mean": [0], "std": [0]}), "'normalization.std'"),
        (with_(normalization={"mean": [10**400], "std": [1]}), "'normalization.mean'"),
        *((without(key), f"no usable '{key}") for key in ("task", "signature")),
        *((without(key), f"no usable '{key}") for key in ("labels", "hashes")),
    ],
)
def test_bad_files_are_one_clear_line(tmp_path, content, message):
    path = tmp_path / "model.tflite"
    path.write_bytes(content)
    with pytest.raises(kcv.edge.EdgeError, match=message) as caught:
        kcv.edge.load(path)
    text = str(caught.value)
    assert text.startswith(str(path))
    assert "\n" not in text
    assert len(text) < 400


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nothing.tflite", "no such file"),
        (".", "is a folder"),
        ("/dev/null", "is not a regular file"),
        ("a\0b", "cannot be read"),
    ],
)
def test_bad_paths_are_one_clear_line(tmp_path, name, message):
    with pytest.raises(kcv.edge.EdgeError, match=message):
        kcv.edge.load(os.path.join(tmp_path, name))


@pytest.mark.parametrize(
    ("kind", "name", "changes", "message"),
    [
        ("inputs", "images", {"shape": [1, 9, 8, 3]}, r"'images' is \(\[1, 8, 8, 3\]"),
        ("inputs", "images", {"dtype": "uint8"}, "kcv.json says"),
        ("outputs", "probabilities", {"shape": [1, 5]}, r"'probabilities' is \(\[1, 4"),
    ],
)
def test_the_description_must_fit_the_model(tmp_path, kind, name, changes, message):
    manifest = tiny_tflite.description(FLAT)
    manifest["signature"][kind][name].update(changes)
    path = tmp_path / "model.tflite"
    path.write_bytes(tiny_tflite.pack(FLAT, manifest))
    with pytest.raises(kcv.edge.EdgeError, match=message):
        kcv.edge.load(path)


def test_another_name_for_the_output_is_refused(tmp_path):
    manifest = tiny_tflite.description(FLAT)
    outputs = manifest["signature"]["outputs"]
    outputs["scores"] = outputs.pop("probabilities")
    path = tmp_path / "model.tflite"
    path.write_bytes(tiny_tflite.pack(FLAT, manifest))
    with pytest.raises(kcv.edge.EdgeError, match="the one tensor 'probabilities'"):
        kcv.edge.load(path)


@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_mutated_bytes_never_reach_the_interpreter(tmp_path, data):
    """What `read` lets through is the very flatbuffer that was written."""
    content = bytearray(WHOLE)
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(content)))
        stop = data.draw(st.integers(start, min(start + 64, len(content))))
        content[start:stop] = data.draw(st.binary(max_size=64))
    path = tmp_path / "mutated.tflite"
    path.write_bytes(content)
    try:
        model = model_file.read(path)
    except kcv.edge.EdgeError:
        return
    assert model.flatbuffer == FLAT


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)
PLACES = [
    ("format",),
    ("task",),
    ("labels",),
    ("normalization",),
    ("normalization", "mean"),
    ("normalization", "std"),
    ("signature",),
    ("signature", "inputs"),
    ("signature", "inputs", "images"),
    ("signature", "inputs", "images", "shape"),
    ("signature", "outputs", "probabilities", "dtype"),
    ("hashes",),
    ("hashes", "flatbuffer"),
]


@settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(place=st.sampled_from(PLACES), value=JSON)
def test_any_kcv_json_is_refused_or_works(tmp_path, place, value):
    manifest = tiny_tflite.description(FLAT)
    node = manifest
    for key in place[:-1]:
        node = node[key]
    node[place[-1]] = value
    path = tmp_path / "odd.tflite"
    path.write_bytes(tiny_tflite.pack(FLAT, json.dumps(manifest)))
    try:
        classifier = kcv.edge.load(path)
    except kcv.edge.EdgeError:
        return
    assert len(classifier.labels) == classifier.classes == 4


def test_errors_have_one_line():
    assert str(kcv.edge.EdgeError("a\nb  c")) == "a b  c"
