import logging

import pytest

from kcv.data.readers import records as reading
from kcv.data.readers.records import BadRecord, Records

BAD = tuple(f"{n}.jpg: box has no area" for n in range(20))


def make_records(broken=(), bad=(), count=100, share=0.05):
    def read(index):
        if index in broken:
            raise BadRecord(f"{index}.jpg: truncated: copy it again")
        return {"labels": index}

    return Records("birds", count, read, {}, (), "", tuple(bad), share)


def test_bad_records_are_named_once_the_first_ten(caplog):
    with caplog.at_level(logging.WARNING):
        reading.check_bad("birds", BAD, 2000, 0.01)
    assert len(caplog.records) == 1
    line = caplog.records[0].getMessage()
    assert "skipped 20 of 2000" in line
    assert "9.jpg: box" in line
    assert "10.jpg" not in line
    assert "and 10 more" in line


def test_more_than_the_share_stops():
    match = r"20 of 1999 .*: 0.jpg: box .* 2.jpg: box has no area; and 17 more; repair"
    with pytest.raises(ValueError, match=match):
        reading.check_bad("birds", BAD, 1999, 0.01)


def test_nothing_wrong_says_nothing(caplog):
    reading.check_bad("birds", (), 5, 0.0)
    assert not caplog.records


def test_no_records_stop():
    with pytest.raises(ValueError, match="no records: check the path"):
        reading.check_bad("birds", (), 0, 1.0)
    with pytest.raises(ValueError, match="no records: check the path"):
        reading.check_bad("birds", BAD, 20, 1.0)


def test_skipping_counts_each_record_once_in_many_epochs(caplog):
    read = reading.skipping(make_records(broken={3, 7}))
    for _ in range(10):
        found = [read(index) for index in range(100)]
    assert found[3] is None
    assert found[7] is None
    assert found[8] == {"labels": 8}
    assert sum("skipped a malformed" in line for line in caplog.messages) == 2


def test_skipping_stops_over_the_share_together_with_those_of_opening():
    read = reading.skipping(make_records(broken={3, 7}, bad=BAD[:4], count=96))
    assert read(3) is None
    with pytest.raises(ValueError, match=r"birds: 6 of 100 .*; this one: 7.jpg: trunc"):
        read(7)


def test_skipping_takes_a_file_that_went_meanwhile_as_malformed(tmp_path):
    records = make_records()._replace(read=lambda index: (tmp_path / "a").stat())
    assert reading.skipping(records)(0) is None


def test_skipping_passes_other_errors_on():
    records = make_records()._replace(read=lambda index: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        reading.skipping(records)(0)


def test_fingerprint_changes_with_name_size_and_text(tmp_path):
    file = tmp_path / "a.jpg"
    file.write_bytes(b"123")
    first = reading.fingerprint([file], "detection")
    assert first == reading.fingerprint([file], "detection")
    assert first != reading.fingerprint([file], "instances")
    assert first != reading.fingerprint([file.rename(tmp_path / "b.jpg")], "detection")
    (tmp_path / "b.jpg").rename(file).write_bytes(b"1234")
    assert first != reading.fingerprint([file], "detection")
