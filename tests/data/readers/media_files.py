"""Small files in the official formats, for the tests of the readers."""

import json
import struct

import av
import numpy as np
from PIL import Image


def put(path, content):
    """Writes bytes, text, JSON or a picture, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, np.ndarray):
        Image.fromarray(content).save(path)
    elif isinstance(content, bytes):
        path.write_bytes(content)
    elif isinstance(content, str):
        path.write_text(content)
    else:
        path.write_text(json.dumps(content))
    return path


def picture(height=4, width=6, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def flo_bytes(flow, tag=202021.25, width=None):
    """A .flo as its README describes it, value by value."""
    height, real_width, _ = flow.shape
    content = struct.pack("<fii", tag, width or real_width, height)
    for row in flow:
        for u, v in row:
            content += struct.pack("<ff", u, v)
    return content


def write_video(path, frames, codec="ffv1", pixels="bgr0", movflags="", **options):
    """Writes uint8 (t, h, w, 3) at 10 frames a second; FFV1 keeps every value."""
    path.parent.mkdir(parents=True, exist_ok=True)
    flags = {"movflags": movflags} if movflags else {}
    with av.open(str(path), "w", options=flags) as container:
        options = {key: str(value) for key, value in options.items()}
        stream = container.add_stream(codec, rate=10, options=options)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = pixels
        for frame in frames:
            frame = av.VideoFrame.from_ndarray(frame, format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def noise_video(count=12, height=16, width=24, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, height, width, 3), np.uint8)


def cut(path, share):
    """Keeps a share of what follows the header of an .avi."""
    content = path.read_bytes()
    start = content.index(b"movi")
    path.write_bytes(content[: start + int(share * (len(content) - start))])
