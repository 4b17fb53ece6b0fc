"""Reads a .tflite file of kcv.export and verifies it before any interpreter does.

The file is a flatbuffer with a ZIP behind it. The ZIP's kcv.json says what the model
is and holds the flatbuffer's SHA-256. LiteRT may abort the process on damaged bytes;
bytes that fail the checksum never reach it. A model cut into several networks has those
behind the first one in the ZIP, and their checksums in kcv.json, too.
"""

import hashlib
import io
import json
import lzma
import os
import stat
import struct
import zipfile
import zlib
from types import MappingProxyType
from typing import NamedTuple

from kcv.edge.errors import EdgeError

FORMAT = 1  # the newest kcv.json this code understands
MAX_BYTES = 2**31 - 1  # flatbuffers address with 31 bits
MAX_JSON_BYTES = 2**24
EXPORT = "export it again with python -m kcv.tools.export"

# What zipfile raises on archives that are damaged, encrypted or of unknown kinds.
_ZIP_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    OSError,
    RuntimeError,
    OverflowError,
    ValueError,
)


class ModelFile(NamedTuple):
    """A verified file.

    Args:
        path: where it was read.
        flatbuffer: the bytes for the interpreter, without the ZIP.
        task: such as "classification".
        inputs: name -> {"shape": [...], "dtype": "uint8"}.
        outputs: likewise.
        mean: one value, or one a channel, in pixel levels 0..255.
        std: likewise; the model's input is (pixel - mean) / std.
        labels: class names; empty if the file names none.
        manifest: the whole kcv.json.
        parts: name -> bytes of each further .tflite file in the ZIP.
    """

    path: str
    flatbuffer: bytes
    task: str
    inputs: dict
    outputs: dict
    mean: tuple[float, ...]
    std: tuple[float, ...]
    labels: tuple[str, ...]
    manifest: dict
    parts: dict = MappingProxyType({})


def read(path: str | os.PathLike) -> ModelFile:
    """Reads and verifies a file.

    Args:
        path: a .tflite file written by kcv.export.

    Returns:
        ModelFile.

    Raises:
        EdgeError: naming the file, what is wrong with it and the remedy.
    """
    return parse(path, read_bytes(path))


def has_parts(path: str | os.PathLike) -> bool:
    """Whether a file is one of kcv.export, of several networks; others are not read."""
    # A file with a checksum must pass it; a foreign one has none.
    ours = b"kcv.json" in read_bytes(path)[-MAX_JSON_BYTES:]
    return ours and bool(read(path).parts)


def parse(path: str | os.PathLike, data: bytes) -> ModelFile:
    """Verifies the bytes of a file, as `read` does; the path is for errors."""
    flat, text = _split(path, data)
    manifest = _parse(path, text)
    digest = hashlib.sha256(flat).hexdigest()
    if digest != manifest["hashes"]["flatbuffer"]:
        raise EdgeError(
            f"{path}: the model's bytes do not match their checksum: the file is"
            f" damaged; copy it again or {EXPORT}"
        )
    return ModelFile(
        path=os.fspath(path),
        flatbuffer=flat,
        task=manifest["task"],
        inputs=manifest["signature"]["inputs"],
        outputs=manifest["signature"]["outputs"],
        mean=tuple(manifest["normalization"]["mean"]),
        std=tuple(manifest["normalization"]["std"]),
        labels=tuple(manifest["labels"]),
        manifest=manifest,
        parts=_parts(path, data, manifest),
    )


def read_bytes(path: str | os.PathLike) -> bytes:
    """The bytes of a regular file that begins as a .tflite does, or an EdgeError."""
    path = os.fspath(path)
    data = b""
    try:
        status = os.stat(path)
        if stat.S_ISREG(status.st_mode) and status.st_size <= MAX_BYTES:
            with open(path, "rb") as file:
                data = file.read()
    except FileNotFoundError as error:
        raise EdgeError(f"{path}: no such file; check the model's path") from error
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the path
        raise EdgeError(f"{path!r}: cannot be read: {error}") from error
    if stat.S_ISDIR(status.st_mode):
        raise EdgeError(f"{path}: is a folder; name the .tflite file in it")
    if not stat.S_ISREG(status.st_mode):
        raise EdgeError(f"{path}: is not a regular file; name a .tflite file")
    if status.st_size > MAX_BYTES:
        raise EdgeError(
            f"{path}: {status.st_size} bytes are more than a .tflite file can have;"
            " name another file"
        )
    if not data:
        raise EdgeError(f"{path}: is empty; copy it again or {EXPORT}")
    if data[4:8] != b"TFL3":
        kind = "a ZIP or .keras file" if data[:2] == b"PK" else "not a .tflite file"
        raise EdgeError(
            f'{path}: is {kind}: bytes 4 to 8 are {data[4:8]!r}, not b"TFL3";'
            f" copy it again or {EXPORT}"
        )
    return data


def _split(path, data):
    """The flatbuffer (all bytes before the ZIP) and the text of kcv.json."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            start = min((info.header_offset for info in archive.infolist()), default=0)
            names = archive.namelist()
            if "kcv.json" not in names:
                raise EdgeError(
                    f"{path}: its metadata has no kcv.json: it was not written by"
                    f" kcv.export; {EXPORT}"
                )
            if archive.getinfo("kcv.json").file_size > MAX_JSON_BYTES:
                raise EdgeError(f"{path}: kcv.json is too large; {EXPORT}")
            return data[:start], archive.read("kcv.json").decode()
    except EdgeError:
        raise
    except _ZIP_ERRORS as error:
        if b"PK\x03\x04" in data:
            raise EdgeError(
                f"{path}: the metadata behind the model is damaged or cut off"
                f" ({error}); copy it again or {EXPORT}"
            ) from error
        raise EdgeError(
            f"{path}: has no metadata (kcv.json): it was not written by kcv.export,"
            f" or its end is missing; copy it again or {EXPORT}"
        ) from error


def _parts(path, data, manifest):
    """The networks behind the first one, each checked against its checksum."""
    described, parts = manifest.get("parts", {}), {}
    if not _is_parts(described):
        raise EdgeError(
            f"{path}: kcv.json has no usable 'parts': {str(described)[:60]}; {EXPORT}"
        )
    for name, part in described.items():
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                parts[name] = archive.read(name)
        except (KeyError, *_ZIP_ERRORS) as error:
            raise EdgeError(
                f"{path}: its part {name} is missing or damaged ({error}); copy it"
                f" again or {EXPORT}"
            ) from error
        if hashlib.sha256(parts[name]).hexdigest() != part["sha256"]:
            raise EdgeError(
                f"{path}: the bytes of its part {name} do not match their checksum: the"
                f" file is damaged; copy it again or {EXPORT}"
            )
    return parts


def _parse(path, text):
    """kcv.json as a dict in which everything that edge reads is known to be there."""
    try:
        manifest = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise EdgeError(f"{path}: kcv.json is not JSON ({error}); {EXPORT}") from error
    if not isinstance(manifest, dict):
        raise EdgeError(f"{path}: kcv.json is not an object; {EXPORT}")
    version = manifest.get("format")
    if type(version) is not int or not 1 <= version <= FORMAT:
        raise EdgeError(
            f"{path}: kcv.json has format {version!r}, this kcv knows up to {FORMAT};"
            f" update kcv on this device or {EXPORT}"
        )
    for key, valid in _FIELDS.items():
        value = manifest
        for part in key.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        if not valid(value):
            raise EdgeError(
                f"{path}: kcv.json has no usable {key!r}: {str(value)[:60]}; {EXPORT}"
            )
    return manifest


def _is_tensors(value):
    """True for {name: {"shape": [ints], "dtype": name}, ...}."""
    return (
        isinstance(value, dict)
        and len(value) > 0
        and all(
            isinstance(tensor, dict)
            and isinstance(tensor.get("dtype"), str)
            and isinstance(tensor.get("shape"), list)
            and all(type(side) is int for side in tensor["shape"])
            for tensor in value.values()
        )
    )


def _is_parts(value):
    """True for {name: {"sha256": text, "signature": {"inputs", "outputs"}}}."""
    return isinstance(value, dict) and all(
        isinstance(part, dict)
        and isinstance(part.get("sha256"), str)
        and isinstance(part.get("signature"), dict)
        and all(_is_tensors(part["signature"].get(x)) for x in ("inputs", "outputs"))
        for part in value.values()
    )


def _is_numbers(value, smallest=0.0):
    """True for a list of numbers that float32 can hold; NaN fails the comparison."""
    return (
        isinstance(value, list)
        and len(value) > 0
        and all(
            type(item) in (int, float) and smallest <= abs(item) < 1e30
            for item in value
        )
    )


_FIELDS = {
    "task": lambda value: isinstance(value, str),
    "signature.inputs": _is_tensors,
    "signature.outputs": _is_tensors,
    "normalization.mean": _is_numbers,
    "normalization.std": lambda value: _is_numbers(value, 1e-30),
    "labels": lambda value: (
        isinstance(value, list) and all(isinstance(label, str) for label in value)
    ),
    "hashes.flatbuffer": lambda value: isinstance(value, str),
}
