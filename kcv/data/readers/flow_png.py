"""Pictures, masks and KITTI's 16-bit maps: what PNG and PPM files hold of these sets.

KITTI: the development kits of http://www.cvlibs.net/datasets/kitti.
"""

import struct
import zlib

import numpy as np
from PIL import Image

from kcv import files
from kcv.data.readers.records import BadRecord

IMAGE_FORMATS = ("BMP", "JPEG", "PNG", "PPM")
_AGAIN = "copy the file again, or remove it"


def read_image(path):
    """Reads any picture of these sets, PPM included, as uint8 (h, w, 3).

    Raises:
        BadRecord: The file is no picture or is truncated.
        FileNotFoundError: There is no such file.
    """
    return _with_pillow(path, IMAGE_FORMATS, lambda image: image.convert("RGB"))


def read_mask(path):
    """Reads a PNG of 0 and not 0 as uint8 (h, w, 1) of 0 and 1; errors as of images."""
    grey = _with_pillow(path, ("PNG",), lambda image: image.convert("L"))
    return (grey[..., None] > 0).astype(np.uint8)


def read_kitti_flow(path):
    """Reads a KITTI flow map, a 16-bit colour .png.

    Args:
        path: The file; u = (red - 2^15) / 64, v = (green - 2^15) / 64, valid = blue.

    Returns:
        flow, float32 (h, w, 2) pixels, 0 where there is none; valid, uint8 (h, w, 1).

    Raises:
        BadRecord: Not a .png of three channels of 16 bits, or a truncated one.
        FileNotFoundError: There is no such file.
    """
    stored = _read_png16(path, 3)
    valid = (stored[..., 2:] > 0).astype(np.uint8)
    flow = (stored[..., :2].astype(np.float32) - 2**15) / 64
    return np.where(valid, flow, np.float32(0)), valid


def write_kitti_flow(path, flow, valid=None):
    """Writes flow, (h, w, 2) pixels within [-512, 512), to 1/64 pixel as KITTI does.

    Args:
        path: The file.
        flow: (h, w, 2).
        valid: (h, w, 1), 0 where the flow is not known; everywhere by default.

    Raises:
        ValueError: A known flow that 16 bits cannot hold.
    """
    flow = np.asarray(flow)
    valid = np.ones_like(flow[..., :1]) if valid is None else valid
    stored = np.rint(np.where(valid, flow, 0) * 64.0) + 2**15
    _check_16_bits(path, np.where(valid, stored, 1), "flow is not within [-512, 512)")
    stored = np.concatenate([stored * (valid > 0), valid > 0], axis=-1)
    _write_png16(path, stored)


def read_kitti_disparity(path):
    """Reads a KITTI disparity (or depth) map, a 16-bit grey .png.

    Args:
        path: The file; value = stored / 256, where a stored 0 is not known.

    Returns:
        values, float32 (h, w, 1), pixels (of depth: metres), 0 where not known;
        valid, uint8 (h, w, 1).

    Raises:
        BadRecord: Not a .png of one channel of 16 bits, or a truncated one.
        FileNotFoundError: There is no such file.
    """
    stored = _read_png16(path, 1)
    return stored.astype(np.float32) / 256, (stored > 0).astype(np.uint8)


def write_kitti_disparity(path, values, valid=None):
    """Writes disparity or depth, (h, w, 1) below 256, to 1/256 as KITTI does.

    A known value that would be stored as 0, not known, is stored as 1/256.

    Raises:
        ValueError: A known value that 16 bits cannot hold.
    """
    values = np.asarray(values)
    valid = np.ones_like(values) if valid is None else valid
    stored = np.rint(np.where(valid, values, 0) * 256.0)
    _check_16_bits(path, stored, "a value is not within [0, 256)")
    _write_png16(path, np.where(valid, np.maximum(stored, 1), 0))


def _check_16_bits(path, stored, problem):
    if not np.all((stored >= 0) & (stored < 2**16)):  # false for NaN too
        raise ValueError(f"{path}: {problem}: mark it as not valid, or write .flo")


def _read_png16(path, channels):
    """Returns uint16 (h, w, channels) of a 16-bit .png."""

    def both_bytes(image):
        mode = image.tile[0].args if image.tile else image.mode
        if mode != ("I;16B" if channels == 1 else "RGB;16B"):
            raise BadRecord(
                f"{path}: a PNG of kind {mode}, not of {channels} x 16 bits: take the"
                " file as it was, not one that a picture program has saved"
            )
        if channels == 1:
            return image
        # Pillow keeps only the upper byte of 16-bit colour. Told that the bytes are in
        # the other order, it keeps the lower one.
        with Image.open(path, formats=("PNG",)) as other:
            other.tile = [tile._replace(args="RGB;16L") for tile in other.tile]
            low = np.asarray(other, np.uint16)
        return np.asarray(image, np.uint16) * 256 + low

    stored = _with_pillow(path, ("PNG",), both_bytes)
    return stored.astype(np.uint16).reshape(*stored.shape[:2], channels)


def _write_png16(path, stored):
    """Writes (h, w, 1 or 3) of 0..65535 as a 16-bit .png without row filters."""

    def chunk(name, content):
        checked = name + content
        crc = struct.pack(">I", zlib.crc32(checked))
        return struct.pack(">I", len(content)) + checked + crc

    height, width, channels = stored.shape
    colour_type = 2 if channels == 3 else 0
    header = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    rows = stored.astype(">u2").reshape(height, -1).view(np.uint8)
    rows = np.pad(rows, ((0, 0), (1, 0)))  # each row begins with filter 0, none
    content = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    content += chunk(b"IDAT", zlib.compress(rows.tobytes())) + chunk(b"IEND", b"")
    files.write_atomically(path, content)


def _with_pillow(path, formats, convert):
    """Returns the array of convert(open image), or says what is wrong with the file."""
    try:
        with Image.open(path, formats=formats) as image:
            return np.asarray(convert(image))
    except (BadRecord, MemoryError, FileNotFoundError):
        raise
    # Pillow raises OSError, SyntaxError, ValueError, ... on damaged files.
    except Exception as error:
        reason = str(error).replace(str(path), "").split("\n")[0].strip(" '\"")
        reason = "not a picture" if "cannot identify" in reason else reason
        raise BadRecord(f"{path}: {reason or type(error).__name__}: {_AGAIN}") from None
