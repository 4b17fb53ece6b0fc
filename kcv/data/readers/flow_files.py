"""The float files of optical flow, disparity and depth, read and written exactly.

.flo: Baker et al., A Database and Evaluation Methodology for Optical Flow, 2011,
https://vision.middlebury.edu/flow/code/flow-code/README.txt; .dpt: the same header with
one value a pixel, http://sintel.is.tue.mpg.de/depth; .pfm:
https://www.pauldebevec.com/Research/HDR/PFM. A header never decides how much memory is
taken: its size is compared with that of the file first.
"""

import os
import struct

import numpy as np

from kcv import files
from kcv.data.readers.records import BadRecord

TAG = struct.pack("<f", 202021.25)  # the bytes b"PIEH"
UNKNOWN = 1e9  # a .flo value beyond this marks a pixel without truth
_PFM_CHANNELS = {b"Pf": 1, b"PF": 3}
_AGAIN = "copy the file again, or remove it"


def read_flo(path):
    """Reads a Middlebury .flo file.

    Args:
        path: The file.

    Returns:
        float32 (h, w, 2), pixels (dx, dy) to where the pixel is in the next image;
        `is_known` tells which of them are true.

    Raises:
        BadRecord: Wrong tag, or a header that does not agree with the file's size.
        FileNotFoundError: There is no such file.
    """
    return _read_tagged(path, 2)


def read_dpt(path):
    """Reads a Sintel .dpt file, float32 (h, w, 1), metres; errors as of `read_flo`."""
    return _read_tagged(path, 1)


def write_flo(path, flow):
    """Writes flow, (h, w, 2) pixels, as a Middlebury .flo file."""
    _write_tagged(path, flow, 2)


def write_dpt(path, depth):
    """Writes depth, (h, w, 1) metres, as a Sintel .dpt file."""
    _write_tagged(path, depth, 1)


def is_known(flow):
    """Returns uint8 (h, w, 1), 1 where a flow (h, w, 2) is finite and below 1e9."""
    # A NaN compares as false, which is what is wanted.
    return np.all(np.abs(flow) <= UNKNOWN, axis=-1, keepdims=True).astype(np.uint8)


def check_flo(path, channels=2):
    """Returns (h, w) of a .flo (or .dpt, channels=1) after looking at its header only.

    Raises:
        BadRecord: As `read_flo`.
        FileNotFoundError: There is no such file.
    """
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        header = file.read(12)
    if len(header) < 12:
        raise BadRecord(f"{path}: {size} bytes are no header: {_AGAIN}")
    if header[:4] != TAG:
        raise BadRecord(
            f"{path}: begins with {header[:4]!r}, not {TAG!r} (202021.25): it is no"
            f" little-endian {'.flo' if channels == 2 else '.dpt'} file; convert it"
        )
    width, height = struct.unpack("<ii", header[4:])
    _check_size(path, size, 12, (height, width, channels))
    return height, width


def _read_tagged(path, channels):
    height, width = check_flo(path, channels)
    values = np.fromfile(path, "<f4", offset=12)
    return values.reshape(height, width, channels).astype(np.float32)


def _write_tagged(path, values, channels):
    values = _checked(values, (channels,))
    height, width, _ = values.shape
    header = TAG + struct.pack("<ii", width, height)
    files.write_atomically(path, header + values.astype("<f4").tobytes())


def read_pfm(path):
    """Reads a .pfm file of either byte order; its rows are stored bottom up.

    Args:
        path: The file.

    Returns:
        float32 (h, w, 1) for the grey form (Pf), (h, w, 3) for the coloured one (PF);
        FlyingThings3D keeps flow in the first two of three. The scale, of which nobody
        agrees what it means, is not applied.

    Raises:
        BadRecord: No .pfm header, or one that does not agree with the file's size.
        FileNotFoundError: There is no such file.
    """
    shape, order, start = _pfm_header(path)
    values = np.fromfile(path, f"{order}f4", offset=start).reshape(shape)
    return np.ascontiguousarray(values[::-1], np.float32)


def check_pfm(path):
    """Returns the shape (h, w, channels) of a .pfm by its header; errors as above."""
    return _pfm_header(path)[0]


def write_pfm(path, image, byte_order="<"):
    """Writes a .pfm file.

    Args:
        path: The file.
        image: (h, w, 1) or (h, w, 3), written as float32.
        byte_order: "<" for little endian, the usual one, or ">".

    Raises:
        ValueError: Another byte order or shape.
    """
    if byte_order not in ("<", ">"):
        raise ValueError(f"byte_order {byte_order!r} is not '<' (little endian) or '>'")
    image = _checked(image, (1, 3))
    height, width, channels = image.shape
    name = "PF" if channels == 3 else "Pf"
    scale = "-1.0" if byte_order == "<" else "1.0"
    header = f"{name}\n{width} {height}\n{scale}\n".encode()
    content = header + image[::-1].astype(f"{byte_order}f4").tobytes()
    files.write_atomically(path, content)


def _pfm_header(path):
    """Returns (shape, byte order, where the values start)."""
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        lines = []
        while len(lines) < 3 and (line := file.readline(80)):
            if not line.startswith(b"#"):  # Netpbm allows comments
                lines.append(line)
        start = file.tell()
    words = b" ".join(lines).split()
    try:
        channels = _PFM_CHANNELS[words[0]]
        width, height, scale = int(words[1]), int(words[2]), float(words[3])
    except (KeyError, IndexError, ValueError):
        raise BadRecord(
            f"{path}: begins with {b''.join(lines)[:20]!r}, not with 'Pf' or 'PF',"
            f" width, height and scale: it is no .pfm file; {_AGAIN}"
        ) from None
    _check_size(path, size, start, (height, width, channels))
    return (height, width, channels), "<" if scale < 0 else ">", start


def _check_size(path, size, start, shape):
    height, width, channels = shape
    needed = start + 4 * height * width * channels
    if height <= 0 or width <= 0:
        raise BadRecord(f"{path}: size {width} x {height} in the header: {_AGAIN}")
    if size != needed:
        what = "is truncated" if size < needed else "has too many bytes"
        raise BadRecord(
            f"{path}: {what}: {size} bytes, where {width} x {height} pixels take"
            f" {needed}: {_AGAIN}"
        )


def _checked(values, channels):
    values = np.asarray(values)
    if values.ndim != 3 or values.shape[2] not in channels or not values.size:
        wanted = " or ".join(f"(h, w, {count})" for count in channels)
        raise ValueError(f"an array of shape {values.shape} is not {wanted}")
    return values
