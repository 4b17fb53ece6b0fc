import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from media_files import picture, put
from PIL import Image

from kcv.data.readers import flow_png
from kcv.data.readers.records import BadRecord


def encoded(values):
    """libpng, through TensorFlow, writes with row filters, as KITTI's files have."""
    return tf.io.encode_png(values.astype(np.uint16)).numpy()


def test_kitti_flow_pencil(tmp_path):
    """u = (R - 2^15) / 64: 32768 + 96 is 1.5 pixels, 32768 - 1 is -1/64."""
    stored = np.array([[[32864, 32767, 1], [32768, 65535, 1], [0, 0, 0]]])
    path = put(tmp_path / "a.png", encoded(stored))
    flow, valid = flow_png.read_kitti_flow(path)
    expected = [[[1.5, -1 / 64], [0, 511.984375], [0, 0]]]
    np.testing.assert_array_equal(flow, expected)
    np.testing.assert_array_equal(valid, [[[1], [1], [0]]])
    assert flow.dtype == np.float32


@settings(max_examples=25, deadline=None)
@given(
    stored=st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3)).flatmap(
        lambda shape: hnp.arrays(np.uint16, shape)
    )
)
def test_both_bytes_of_16_bit_colour(tmp_path_factory, stored):
    """Pillow alone keeps the upper byte only; libpng is the judge."""
    path = put(tmp_path_factory.mktemp("png") / "a.png", encoded(stored))
    read = flow_png._read_png16(path, 3)
    np.testing.assert_array_equal(read, stored)
    flow_png._write_png16(path, stored)
    decoded = tf.io.decode_png(path.read_bytes(), dtype=tf.uint16)
    np.testing.assert_array_equal(decoded, stored)


def test_a_smooth_map_of_true_size(tmp_path):
    """Large enough for every row filter of libpng."""
    y, x = np.mgrid[:120, :400]
    stored = np.stack([x * 150 + y, y * 511, x % 2], axis=-1)
    path = put(tmp_path / "a.png", encoded(stored))
    np.testing.assert_array_equal(flow_png._read_png16(path, 3), stored)


@settings(max_examples=25, deadline=None)
@given(
    flow=hnp.arrays(np.float32, (3, 4, 2), elements=st.floats(-512, 511.5, width=32)),
    valid=hnp.arrays(np.uint8, (3, 4, 1), elements=st.integers(0, 1)),
)
def test_kitti_flow_round_trip(tmp_path_factory, flow, valid):
    path = tmp_path_factory.mktemp("kitti") / "a.png"
    flow_png.write_kitti_flow(path, flow, valid)
    read, read_valid = flow_png.read_kitti_flow(path)
    np.testing.assert_array_equal(read_valid, valid)
    assert np.abs(read - flow * valid).max() <= 1 / 128
    flow_png.write_kitti_flow(path, read, valid)
    np.testing.assert_array_equal(flow_png.read_kitti_flow(path)[0], read)


@settings(max_examples=25, deadline=None)
@given(
    values=hnp.arrays(np.float32, (3, 4, 1), elements=st.floats(0, 255.5, width=32)),
    valid=hnp.arrays(np.uint8, (3, 4, 1), elements=st.integers(0, 1)),
)
def test_kitti_disparity_round_trip(tmp_path_factory, values, valid):
    path = tmp_path_factory.mktemp("kitti") / "a.png"
    flow_png.write_kitti_disparity(path, values, valid)
    read, read_valid = flow_png.read_kitti_disparity(path)
    np.testing.assert_array_equal(read_valid, valid)  # a known 0 stays known
    assert np.abs(read - values * valid).max() <= 1 / 256


def test_kitti_disparity_pencil(tmp_path):
    """Stored 640 is 2.5 pixels; stored 0 is not known."""
    path = put(tmp_path / "a.png", encoded(np.array([[[640], [0], [1]]])))
    values, valid = flow_png.read_kitti_disparity(path)
    np.testing.assert_array_equal(values, [[[2.5], [0], [1 / 256]]])
    np.testing.assert_array_equal(valid, [[[1], [0], [1]]])


@pytest.mark.parametrize("bad", [512, -513, np.nan, np.inf])
def test_flow_that_does_not_fit(tmp_path, bad):
    flow = np.zeros((2, 2, 2), np.float32)
    flow[1, 1, 0] = bad
    with pytest.raises(ValueError, match=r"a\.png: flow is not within \[-512, 512\)"):
        flow_png.write_kitti_flow(tmp_path / "a.png", flow)
    valid = np.ones((2, 2, 1))
    valid[1, 1] = 0
    flow_png.write_kitti_flow(tmp_path / "a.png", flow, valid)
    assert not flow_png.read_kitti_flow(tmp_path / "a.png")[0].any()


def test_disparity_that_does_not_fit(tmp_path):
    with pytest.raises(ValueError, match=r"a value is not within \[0, 256\)"):
        flow_png.write_kitti_disparity(tmp_path / "a.png", np.full((2, 2, 1), 256))


def test_8_bits_where_16_are_needed(tmp_path):
    path = put(tmp_path / "a.png", picture())
    with pytest.raises(BadRecord, match=r"a\.png: a PNG of kind RGB, not of 3 x 16 bi"):
        flow_png.read_kitti_flow(path)
    grey = put(tmp_path / "b.png", picture()[..., 0])
    with pytest.raises(BadRecord, match="of kind L, not of 1 x 16 bits: take the file"):
        flow_png.read_kitti_disparity(grey)
    with pytest.raises(BadRecord, match="of kind I;16B, not of 3 x 16 bits"):
        flow_png.read_kitti_flow(put(tmp_path / "c.png", encoded(np.ones((2, 2, 1)))))


def test_truncated_png(tmp_path):
    values = np.random.default_rng(0).integers(0, 2**16, (30, 40, 3))
    path = put(tmp_path / "a.png", encoded(values)[:-3000])
    with pytest.raises(BadRecord, match=r"a\.png: .*truncated.*copy the file again"):
        flow_png.read_kitti_flow(path)
    with pytest.raises(BadRecord, match="not a picture"):
        flow_png.read_kitti_flow(put(tmp_path / "a.png", b"nothing"))
    with pytest.raises(FileNotFoundError, match=r"none\.png"):
        flow_png.read_kitti_flow(tmp_path / "none.png")


def test_ppm_and_masks(tmp_path):
    """A binary PPM by hand: P6, width, height, largest value, then the bytes."""
    content = b"P6\n2 1\n255\n" + bytes([1, 2, 3, 4, 5, 6])
    image = flow_png.read_image(put(tmp_path / "a.ppm", content))
    np.testing.assert_array_equal(image, [[[1, 2, 3], [4, 5, 6]]])
    with pytest.raises(BadRecord, match=r"a\.ppm: "):
        flow_png.read_image(put(tmp_path / "a.ppm", content[:-2]))
    Image.fromarray(np.array([[0, 255, 1]], np.uint8)).save(tmp_path / "m.png")
    mask = flow_png.read_mask(tmp_path / "m.png")
    np.testing.assert_array_equal(mask, [[[0], [1], [1]]])
