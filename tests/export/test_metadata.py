"""The flatbuffer is edited without harm, and says what MediaPipe reads."""

import io
import zipfile

import flatbuffers
import numpy as np
import pytest
from flatbuffers import number_types
from hypothesis import given
from hypothesis import strategies as st

from kcv.export import flatbuffer, metadata
from kcv.export.interpreter import predictor


class Table:
    """Reads any flatbuffer by slot numbers, without the schema's generated code."""

    def __init__(self, data, position):
        self.table = flatbuffers.table.Table(data, position)

    def offset(self, slot):
        return self.table.Offset(4 + 2 * slot)

    def byte(self, slot):
        position = self.table.Pos + self.offset(slot)
        return self.table.Get(number_types.Int8Flags, position)

    def text(self, slot):
        return self.table.String(self.table.Pos + self.offset(slot)).decode()

    def child(self, slot):
        position = self.table.Indirect(self.table.Pos + self.offset(slot))
        return Table(self.table.Bytes, position)

    def children(self, slot):
        start = self.table.Vector(self.offset(slot))
        count = self.table.VectorLen(self.offset(slot))
        places = [self.table.Indirect(start + 4 * i) for i in range(count)]
        return [Table(self.table.Bytes, place) for place in places]

    def floats(self, slot):
        return self.table.GetVectorAsNumpy(
            number_types.Float32Flags, self.offset(slot)
        ).tolist()


def root(data):
    assert data[4:8] == b"M001"
    position = flatbuffers.encode.Get(flatbuffers.packer.uoffset, data, 0)
    return Table(data, position)


def test_tflite_metadata_field_by_field():
    data = metadata.tflite_metadata(
        "net", ["scores", "boxes"], 3, [1.0, 2, 3], [4], "labels.txt"
    )
    model = root(data)
    assert (model.text(0), model.text(7)) == ("net", "1.0.0")
    (subgraph,) = model.children(3)
    (images,) = subgraph.children(2)
    assert images.text(0) == "images"
    assert images.child(3).byte(0) == 2  # an image
    assert images.child(3).child(1).byte(0) == 1  # RGB
    (unit,) = images.children(4)
    assert unit.byte(0) == 1  # normalization
    assert unit.child(1).floats(0) == [1, 2, 3]
    assert unit.child(1).floats(1) == [4]
    scores, boxes = subgraph.children(3)
    assert (scores.text(0), boxes.text(0)) == ("scores", "boxes")
    (file,) = scores.children(6)
    assert (file.text(0), file.byte(2)) == ("labels.txt", 2)  # of the tensor's axis
    assert boxes.offset(6) == 0


def test_file_carries_it(tiny_files):
    """Labels, manifest and normalization, found by the tools of others."""
    content = tiny_files["int8"].path.read_bytes()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["labels.txt", "kcv.json"]
        labels = archive.read("labels.txt").decode().splitlines()
        assert {x.date_time for x in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert labels == [f"digit {i}" for i in range(10)]
    file = flatbuffer.parse(content)
    (entry,) = [x for x in file.metadata if x.name == b"TFLITE_METADATA"]
    images = root(bytes(file.buffers[entry.buffer].data)).children(3)[0].children(2)[0]
    assert images.child(3).child(1).byte(0) == 3  # grey
    assert images.children(4)[0].child(1).floats(0) == [127.5]


def test_names_are_short_and_weights_aligned(tiny_files):
    content = tiny_files["int8"].path.read_bytes()
    file = flatbuffer.parse(content)
    tensors = flatbuffer.read(file).tensors
    names = [x.name for x in tensors if not x.constant]
    assert {"images", "stem_relu6", "pool", "probabilities"} <= {*names}
    assert len({*names}) == len(names)
    assert max(map(len, names)) < 40
    assert {x.name for x in tensors if x.constant} == {""}
    checked = 0
    for buffer in file.buffers:
        if buffer.data is not None and len(buffer.data) > 32:
            assert content.index(bytes(buffer.data)) % 16 == 0
            checked += 1
    assert checked > 5


def test_equal_parts_are_stored_once(tiny_classifier, tiny_files):
    """Weights of one byte, 28 bytes a channel of scales and biases, and little else.

    Without sharing the zero points, as the converter writes it, it is 2 kB more.
    """
    channels = [16, 16, 32, 32, 64, 10]
    folded = tiny_classifier.model.count_params() - 3 * sum(channels[:5])
    scales = (4 + 4 + 4) * sum(channels)  # bias, its scale, the weights' scale
    zero_points = 8 * sum({*channels})
    content = tiny_files["int8"].path.read_bytes()
    flat = content.index(b"PK\x03\x04")
    assert flat < folded + scales + zero_points + 4000


def test_packing_again_changes_nothing(tiny_classifier, tiny_files):
    content = tiny_files["int8"].path.read_bytes()
    packed = flatbuffer.pack(flatbuffer.parse(content))
    assert packed == content[: len(packed)]
    images = tiny_classifier.images[:5]
    for name, value in predictor(content)(images).items():
        np.testing.assert_array_equal(predictor(packed)(images)[name], value)


def test_foreign_file():
    with pytest.raises(ValueError, match="TFL3 is missing"):
        flatbuffer.parse(b"\0" * 64)


LINES = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=20
)


@given(st.binary(max_size=99), st.lists(LINES, max_size=9), LINES)
def test_appended_files_round_trip(flatbuffer_bytes, labels, value):
    manifest = {"hashes": {"data": value}}
    content = metadata.append_files(flatbuffer_bytes, labels, manifest)
    assert content == metadata.append_files(flatbuffer_bytes, labels, manifest)
    assert content.startswith(flatbuffer_bytes)
    found = metadata.read_files(content)
    if labels:
        assert found["labels.txt"].decode().split("\n") == [*labels, ""]
    assert value in found["kcv.json"].decode().replace('\\"', '"').replace("\\\\", "\\")


def test_no_files():
    assert metadata.read_files(b"TFL3" * 10) == {}


@pytest.mark.parametrize(
    "name, expected",
    [
        ("net_1/stem_relu_1/Relu;net_1/stem_1/convolution", ["stem_relu", "stem"]),
        ("net/conv_1/Conv2D", ["conv_1"]),  # traced once: no suffix to drop
        ("net_1/conv_1_1/Conv2D", ["conv_1"]),
        ("net_1/conv_1/Conv2D", ["conv"]),
        ("net_1/body_1/conv_1_1/add", ["body/conv_1"]),
        ("tfl.quantize", []),
        ("StatefulPartitionedCall:0", []),
    ],
)
def test_layers_in_the_name_of_a_tensor(name, expected):
    known = {"stem", "stem_relu", "conv", "conv_1", "body"}
    assert flatbuffer.layer_path(name, "net", known) == expected
