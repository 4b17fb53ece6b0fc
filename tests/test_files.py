import pytest

from kcv import files


def test_writes_bytes_and_text_into_new_folders(tmp_path):
    files.write_atomically(tmp_path / "a" / "b" / "c.txt", "ä\n")
    assert (tmp_path / "a" / "b" / "c.txt").read_bytes() == "ä\n".encode()
    files.write_atomically(tmp_path / "a" / "b" / "c.txt", b"\0")
    assert [p.read_bytes() for p in (tmp_path / "a" / "b").iterdir()] == [b"\0"]


def test_a_failure_leaves_nothing(tmp_path):
    (tmp_path / "folder" / "inner").mkdir(parents=True)
    with pytest.raises(OSError, match="folder"):
        files.write_atomically(tmp_path / "folder", b"content")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
