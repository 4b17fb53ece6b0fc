import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from media_files import flo_bytes, put

from kcv.data.readers import flow_files
from kcv.data.readers.records import BadRecord

FLOW = np.array([[[1.5, -2.25], [0.0, 1e10]]], np.float32)  # 1 row, 2 columns


def maps(*channels):
    side = st.integers(1, 5)
    shape = st.tuples(side, side, st.sampled_from(channels))
    return shape.flatmap(lambda shape: hnp.arrays(np.float32, shape))


def test_flo_byte_for_byte(tmp_path):
    """The README's table: "PIEH", width 2, height 1, then u v u v."""
    content = b"PIEH" + struct.pack("<iiffff", 2, 1, 1.5, -2.25, 0.0, 1e10)
    assert flo_bytes(FLOW) == content
    read = flow_files.read_flo(put(tmp_path / "a.flo", content))
    np.testing.assert_array_equal(read, FLOW)
    flow_files.write_flo(tmp_path / "b.flo", FLOW)
    assert (tmp_path / "b.flo").read_bytes() == content
    np.testing.assert_array_equal(flow_files.is_known(read), [[[1], [0]]])


def test_unknown_flow_is_beyond_1e9_or_no_number():
    flow = np.array([[[1e9, 0], [0, -2e9], [np.nan, 0], [0, np.inf]]], np.float32)
    np.testing.assert_array_equal(flow_files.is_known(flow)[0, :, 0], [1, 0, 0, 0])


@settings(max_examples=30, deadline=None)
@given(flow=maps(2))
def test_flo_round_trip(tmp_path_factory, flow):
    path = tmp_path_factory.mktemp("flo") / "a.flo"
    flow_files.write_flo(path, flow)
    assert flow_files.check_flo(path) == flow.shape[:2]
    np.testing.assert_array_equal(flow_files.read_flo(path), flow)
    assert path.read_bytes() == flo_bytes(flow)


@settings(max_examples=20, deadline=None)
@given(depth=maps(1))
def test_dpt_round_trip(tmp_path_factory, depth):
    path = tmp_path_factory.mktemp("dpt") / "a.dpt"
    flow_files.write_dpt(path, depth)
    np.testing.assert_array_equal(flow_files.read_dpt(path), depth)


@settings(max_examples=30, deadline=None)
@given(image=maps(1, 3), order=st.sampled_from("<>"))
def test_pfm_round_trip(tmp_path_factory, image, order):
    path = tmp_path_factory.mktemp("pfm") / "a.pfm"
    flow_files.write_pfm(path, image, order)
    assert flow_files.check_pfm(path) == image.shape
    np.testing.assert_array_equal(flow_files.read_pfm(path), image)


@pytest.mark.parametrize(("order", "scale"), [("<", "-1.0"), (">", "1.0")])
def test_pfm_rows_are_bottom_up(tmp_path, order, scale):
    """Rows [1, 2] over [3, 4] are stored as 3 4 1 2."""
    values = struct.pack(f"{order}ffff", 3, 4, 1, 2)
    content = f"Pf\n2 2\n{scale}\n".encode() + values
    read = flow_files.read_pfm(put(tmp_path / "a.pfm", content))
    np.testing.assert_array_equal(read[..., 0], [[1, 2], [3, 4]])
    assert read.dtype == np.float32
    assert read.dtype.isnative
    flow_files.write_pfm(tmp_path / "b.pfm", read, order)
    assert (tmp_path / "b.pfm").read_bytes() == content


def test_pfm_header_on_one_line_with_comment(tmp_path):
    content = b"PF\n# by hand\n1 1\n-0.5\n" + struct.pack("<fff", 7, 8, 9)
    read = flow_files.read_pfm(put(tmp_path / "a.pfm", content))
    np.testing.assert_array_equal(read, [[[7, 8, 9]]])


def test_a_header_does_not_decide_on_memory(tmp_path):
    """4 GB times 4 GB by the header, 28 bytes by the file."""
    content = b"PIEH" + struct.pack("<ii", 2**31 - 1, 2**31 - 1) + bytes(16)
    with pytest.raises(BadRecord, match=r"a\.flo: is truncated: 28 bytes"):
        flow_files.read_flo(put(tmp_path / "a.flo", content))
    content = b"PF\n999999999 999999999\n-1.0\n" + bytes(12)
    with pytest.raises(BadRecord, match=r"a\.pfm: is truncated"):
        flow_files.read_pfm(put(tmp_path / "a.pfm", content))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (flo_bytes(FLOW)[:-1], "is truncated: 27 bytes, where 2 x 1 pixels take 28"),
        (flo_bytes(FLOW) + b"x", "has too many bytes"),
        (flo_bytes(FLOW, width=3), "is truncated"),
        (flo_bytes(FLOW)[:11], "11 bytes are no header: copy the file again"),
        (flo_bytes(FLOW, tag=1.0), r"begins with b'\\x00\\x00\\x80\?', not b'PIEH'"),
        (struct.pack(">fii", 202021.25, 2, 1) + bytes(16), "no little-endian .flo"),
        (struct.pack("<fii", 202021.25, -2, -1) + bytes(16), "size -2 x -1 in the"),
        (struct.pack("<fii", 202021.25, 0, 0), "size 0 x 0 in the header"),
        (b"", "0 bytes are no header"),
    ],
)
def test_malformed_flo(tmp_path, content, message):
    path = put(tmp_path / "a.flo", content)
    with pytest.raises(BadRecord, match=message):
        flow_files.read_flo(path)
    with pytest.raises(BadRecord, match=r"a\.flo: "):
        flow_files.check_flo(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"Pf\n2 2\n-1.0\n" + bytes(15), "is truncated: 27 bytes"),
        (b"Pf\n2 2\n-1.0\n" + bytes(17), "has too many bytes"),
        (b"PF\n2 2\n-1.0\n" + bytes(16), "is truncated"),
        (b"P6\n2 2\n255\n" + bytes(12), r"begins with b'P6\\n2 2.*it is no .pfm file"),
        (b"Pf\ntwo 2\n-1.0\n" + bytes(16), "no .pfm file"),
        (b"Pf\n0 2\n-1.0\n", "size 0 x 2 in the header"),
        (b"Pf\n", "no .pfm file; copy the file again"),
        (b"", "no .pfm file"),
    ],
)
def test_malformed_pfm(tmp_path, content, message):
    with pytest.raises(BadRecord, match=message):
        flow_files.read_pfm(put(tmp_path / "a.pfm", content))


def test_what_cannot_be_written(tmp_path):
    with pytest.raises(ValueError, match=r"shape \(3, 4\) is not \(h, w, 2\)"):
        flow_files.write_flo(tmp_path / "a.flo", np.zeros((3, 4)))
    with pytest.raises(ValueError, match=r"is not \(h, w, 1\) or \(h, w, 3\)"):
        flow_files.write_pfm(tmp_path / "a.pfm", np.zeros((3, 4, 2)))
    with pytest.raises(ValueError, match="byte_order '=' is not"):
        flow_files.write_pfm(tmp_path / "a.pfm", np.zeros((3, 4, 1)), "=")
    assert not list(tmp_path.iterdir())


def test_missing_files(tmp_path):
    for read in (flow_files.read_flo, flow_files.read_pfm, flow_files.read_dpt):
        with pytest.raises(FileNotFoundError, match=r"none\.flo"):
            read(tmp_path / "none.flo")
