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
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import flatbuffers

from kcv.export.metadata_tables import FEATURE, Byte, image_input, table, tables

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
    inputs = tables(b, [image_input(b, channels, mean, std)])

    tensors = []
    for output in outputs:
        feature = table(b, 3, {0: Byte(FEATURE), 1: table(b, 0, {})})
        fields = {0: b.CreateString(output), 3: feature}
        if labels_file and output == (labelled or outputs[0]):
            file = {0: b.CreateString(labels_file), 2: Byte(_TENSOR_AXIS_LABELS)}
            fields[6] = tables(b, [table(b, 5, file)])
        tensors.append(table(b, 7, fields))
    subgraph = table(b, 10, {2: inputs, 3: tables(b, tensors)})
    fields = {0: b.CreateString(name), 3: tables(b, [subgraph])}
    fields[7] = b.CreateString("1.0.0")  # the oldest parser that reads these fields
    b.Finish(table(b, 8, fields), b"M001")
    return bytes(b.Output())


def append_files(
    flatbuffer: bytes,
    labels: Sequence[str],
    manifest: dict,
    parts: Mapping[str, bytes] = MappingProxyType({}),
) -> bytes:
    """Appends labels.txt, where there are labels, and kcv.json as a ZIP archive.

    Adds "hashes": {"flatbuffer": sha256 of `flatbuffer`} to the manifest. The same
    arguments give the same bytes: the archive's times are fixed.

    Args:
        flatbuffer: the whole file so far.
        labels: class names, without line breaks.
        manifest: what kcv.json says.
        parts: {name: bytes} of further files, before these.

    Returns:
        The whole file.
    """
    digest = hashlib.sha256(flatbuffer).hexdigest()
    manifest = manifest | {"hashes": {"flatbuffer": digest, **manifest["hashes"]}}
    files = dict(parts)
    if labels:
        files["labels.txt"] = "".join(f"{x}\n" for x in labels).encode()
    text = json.dumps(manifest, ensure_ascii=False, separators=(",", ":"))
    files["kcv.json"] = (text + "\n").encode()
    stream = io.BytesIO(flatbuffer)
    with zipfile.ZipFile(stream, "a", zipfile.ZIP_STORED) as archive:
        for name, data in files.items():
            info = zipfile.ZipInfo(name)  # dated 1980-01-01
            info.create_system = 3  # as on Unix, wherever this runs
            info.external_attr = 0o644 << 16
            archive.writestr(info, data)
    return stream.getvalue()


def read_files(content: bytes) -> dict[str, bytes]:
    """Reads the files appended to a .tflite; empty where there are none."""
    stream = io.BytesIO(content)
    if not zipfile.is_zipfile(stream):
        return {}
    with zipfile.ZipFile(stream) as archive:
        return {name: archive.read(name) for name in archive.namelist()}
