import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kcv.data.readers import json_lists

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(-1e9, 1e9),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@settings(max_examples=40)
@given(st.lists(values), st.dictionaries(st.text(), values), st.sampled_from([None, 2]))
def test_agrees_with_json(tmp_path_factory, items, rest, indent):
    path = tmp_path_factory.getbasetemp() / "any.json"
    rest.pop("items", None)
    path.write_text(json.dumps({**rest, "items": items, "z": 1}, indent=indent))
    found = []
    assert json_lists.read_object(path, {"items": found.append}) == {**rest, "z": 1}
    assert found == items


TEXT = '{"info": {"year": 2017}, "images": [{"id": 1}, {"id": 2}]}'


def test_every_cut_is_an_error_that_names_the_file(tmp_path):
    for length in range(1, len(TEXT)):
        (tmp_path / "cut.json").write_text(TEXT[:length])
        with pytest.raises(ValueError, match=r"cut\.json: truncated.*copy or export"):
            json_lists.read_object(tmp_path / "cut.json", {"images": lambda item: None})


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "empty file"),
        (" \n", "empty file"),
        ("[1]", "JSON list where an object with images belongs"),
        ("7", "JSON value where"),
        ('{"images": {}}', "'images' is no list"),
        ('{"images": [1, 2,]}', "bad JSON in line 1, column 18 .*comma too many"),
        ('{"images": [1 2]}', "bad JSON in line 1, column 15"),
        ('{"images": [], }', "comma too many"),
        ('{"images": []} x', "something after the end"),
        ('{\n"images" []}', "bad JSON in line 2, column 10"),
        ("{1: 2}", "a name in quotes"),
        ("{[1]: 2}", "a name in quotes"),
        ("{'a': 2}", "bad JSON in line 1, column 2"),
    ],
)
def test_bad_json_is_named_with_its_place(tmp_path, text, match):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(ValueError, match=match) as error:
        json_lists.read_object(tmp_path / "a.json", {"images": lambda item: None})
    assert "\n" not in str(error.value)
    assert "a.json: " in str(error.value)


def test_byte_order_mark_and_other_encodings(tmp_path):
    (tmp_path / "bom.json").write_bytes(b"\xef\xbb\xbf" + b'{"a": 1}')
    assert json_lists.read_object(tmp_path / "bom.json", {}) == {"a": 1}
    assert json_lists.read_json(tmp_path / "bom.json") == {"a": 1}
    (tmp_path / "latin.json").write_bytes('{"a": "ä"}'.encode("latin-1"))
    with pytest.raises(ValueError, match="not UTF-8"):
        json_lists.read_json(tmp_path / "latin.json")


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no annotation file .*none\.json"):
        json_lists.read_json(tmp_path / "none.json")
