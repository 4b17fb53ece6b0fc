"""Writes what a .tflite file says of itself: TFLite Metadata, labels.txt, kcv.json.

The first is a flatbuffer inside the file and tells MediaPipe how to feed the model. The
others are a ZIP archive appended to the file, which `unzip` and MediaPipe can read.
Written with flatbuffers alone, after the schema at
https://github.com/google-ai-edge/mediapipe/blob/master/mediapipe/tasks/metadata/metadata_schema.fbs
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Sequence

import flatbuffers

# Enumerations of metadata_schema.fbs.
_FEATURE, _IMAGE = 1, 2  # ContentProperties
_RGB, _GRAYSCALE = 1, 3  # ColorSpaceType
_NORMALIZATION = 1  # ProcessUnitOptions
_TENSOR_AXIS_LABELS = 2  # AssociatedFileType


def tflite_metadata(
    name: str,
    outputs: Sequence[str],
    channels: int,
    mean: Sequence[float],
    std: Sequence[float],
    labels_file: str | None,
    labelled: str | None = None,
) -> bytes:
    """Builds the "TFLITE_METADATA" flatbuffer of a model of one image.

    Args:
        name: name of the model.
        outputs: names of the outputs, in the order of the file's tensors.
        channels: 3 for RGB, 1 for grey.
        mean: subtracted from pixels in 0..255; one value, or one for each channel.
        std: divides what is left; likewise.
        labels_file: associated file with a class per line.
        labelled: output that it is for; None for the first.

    Returns:
        The finished flatbuffer.
    """
    b = flatbuffers.Builder(1024)
    options = _table(b, 2, {0: _floats(b, mean), 1: _floats(b, std)})
    units = [_table(b, 2, {0: _byte(_NORMALIZATION), 1: options})]
    color = _byte(_RGB if channels == 3 else _GRAYSCALE)
    content = _table(b, 3, {0: _byte(_IMAGE), 1: _table(b, 2, {0: color})})
    fields = {0: b.CreateString("images"), 3: content, 4: _tables(b, units)}
    inputs = _tables(b, [_table(b, 7, fields)])

    tensors = []
    for output in outputs:
        feature = _table(b, 3, {0: _byte(_FEATURE), 1: _table(b, 0, {})})
        fields = {0: b.CreateString(output), 3: feature}
        if labels_file and output == (labelled or outputs[0]):
            file = {0: b.CreateString(labels_file), 2: _byte(_TENSOR_AXIS_LABELS)}
            fields[6] = _tables(b, [_table(b, 5, file)])
        tensors.append(_table(b, 7, fields))
    subgraph = _table(b, 10, {2: inputs, 3: _tables(b, tensors)})
    fields = {0: b.CreateString(name), 3: _tables(b, [subgraph])}
    fields[7] = b.CreateString("1.0.0")  # the oldest parser that reads these fields
    b.Finish(_table(b, 8, fields), b"M001")
    return bytes(b.Output())


class _byte(int):  # noqa: N801
    """A value stored in the table itself; all others are offsets."""


def _table(builder, num_slots, fields):
    builder.StartObject(num_slots)
    for slot, value in fields.items():
        if isinstance(value, _byte):
            builder.PrependInt8Slot(slot, int(value), 0)
        else:
            builder.PrependUOffsetTRelativeSlot(slot, value, 0)
    return builder.EndObject()


def _tables(builder, offsets):
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return builder.EndVector()


def _floats(builder, values):
    builder.StartVector(4, len(values), 4)
    for value in reversed(values):
        builder.PrependFloat32(float(value))
    return builder.EndVector()


def append_files(flatbuffer: bytes, labels: Sequence[str], manifest: dict) -> bytes:
    """Appends labels.txt, where there are labels, and kcv.json as a ZIP archive.

    Adds "hashes": {"flatbuffer": sha256 of `flatbuffer`} to the manifest. The same
    arguments give the same bytes: the archive's times are fixed.

    Args:
        flatbuffer: the whole file so far.
        labels: class names, without line breaks.
        manifest: what kcv.json says.

    Returns:
        The whole file.
    """
    digest = hashlib.sha256(flatbuffer).hexdigest()
    manifest = manifest | {"hashes": {"flatbuffer": digest, **manifest["hashes"]}}
    files = {"labels.txt": "".join(f"{x}\n" for x in labels)} if labels else {}
    text = json.dumps(manifest, ensure_ascii=False, separators=(",", ":"))
    files["kcv.json"] = text + "\n"
    stream = io.BytesIO(flatbuffer)
    with zipfile.ZipFile(stream, "a", zipfile.ZIP_STORED) as archive:
        for name, text in files.items():
            info = zipfile.ZipInfo(name)  # dated 1980-01-01
            info.create_system = 3  # as on Unix, wherever this runs
            info.external_attr = 0o644 << 16
            archive.writestr(info, text.encode())
    return stream.getvalue()


def read_files(content: bytes) -> dict[str, bytes]:
    """Reads the files appended to a .tflite; empty where there are none."""
    stream = io.BytesIO(content)
    if not zipfile.is_zipfile(stream):
        return {}
    with zipfile.ZipFile(stream) as archive:
        return {name: archive.read(name) for name in archive.namelist()}
