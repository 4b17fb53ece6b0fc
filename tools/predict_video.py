"""What kcv.tools.predict does with a video: frames in, and a video of answers out.

Frames come one after the other, so that memory does not grow with the video. The one
written has the size, the times and the number of frames of the one read, as H.264; a
frame that is not answered shows the answer before it.
"""

import contextlib
import fractions
import sys

import av
import numpy as np
from PIL import Image, ImageOps
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress

from kcv import files
from kcv.data.readers import video

_REMEDY = "copy it again or remove it"
_BT601 = 5  # the matrix that RGB is turned with, by its number in the standard H.273


def answer(path, target, every, ask, draw, show):
    """Answers a video, and draws the answers if it is told where.

    Args:
        path: the video.
        target: an .mp4 file to write, whole or not at all; None draws nothing.
        every: answer each `every`th frame, the first one first.
        ask: function (image) -> predictions.
        draw: function (image, predictions) -> PIL image, of any size.
        show: function (frame number, seconds, predictions), called for each answer.

    Raises:
        ValueError: the file is no video, is damaged or ends early.
        OSError: a file cannot be read or written.
    """
    found = video.look(path, min_share=0)
    whole = max(found.count, found.stated)
    try:
        with contextlib.ExitStack() as opened:
            count = opened.enter_context(_bar(path, whole))
            stream, frames = opened.enter_context(_reading(path))
            write, done = None, 0
            for done, (pts, image) in enumerate(frames, start=1):
                if (done - 1) % every == 0:
                    predictions = ask(image)
                    show(done - 1, float(pts * stream.time_base), predictions)
                if target:
                    write = write or opened.enter_context(
                        _writing(target, stream, image.size)
                    )
                    write(pts, draw(image, predictions))
                count()
            # The header of an .avi counts some frames that never come.
            if done < video.MIN_SHARE * whole:
                raise ValueError(
                    f"{path}: ends after {done} of {whole} frames: {_REMEDY}"
                )
    except av.error.FFmpegError as error:
        message = f"{path}: after {done} frames: {error.strerror} (FFmpeg)"
        raise ValueError(f"{message}: {_REMEDY}") from error


@contextlib.contextmanager
def _reading(path):
    """Gives the stream of a video and its frames, see `_frames`."""
    # "file" alone: a playlist in disguise must not reach the network.
    options = {"protocol_whitelist": "file"}
    with av.open(f"file:{path}", options=options, metadata_errors="replace") as opened:
        stream = opened.streams.video[0]
        stream.thread_type = "AUTO"
        yield stream, _frames(opened, stream)


def _frames(opened, stream):
    """Yields (time, upright image); times are in the stream's unit, the first is 0."""
    first, pts = None, -1
    for number, frame in enumerate(opened.decode(stream)):
        time = frame.pts
        if time is None:  # some of AVI: all at one distance
            time = round(number / (_rate(stream) * stream.time_base))
        first = time if first is None else first
        pts = max(time - first, pts + 1)  # no time twice
        pixels = frame.to_ndarray(format="rgb24")
        upright = np.rot90(pixels, round(frame.rotation / 90))
        yield pts, Image.fromarray(np.ascontiguousarray(upright))


def _rate(stream):
    return stream.average_rate or fractions.Fraction(25)


@contextlib.contextmanager
def _writing(target, like, size):
    """Gives a function (time, picture) that adds a frame to a video.

    Args:
        target: an .mp4 file; it appears when all is well in the end.
        like: the stream whose rate and unit of time the video has.
        size: (width, height); pictures are fitted into it.
    """
    with files.replacing(target) as hidden:
        # The index in front lets a browser begin before it has the whole file.
        options = {"movflags": "faststart"}
        with av.open(f"file:{hidden}", "w", options=options) as container:
            stream = container.add_stream("libx264", rate=_rate(like))
            stream.width, stream.height = size
            # Half the resolution in colour, as all players take it, needs even sides.
            stream.pix_fmt = "yuv444p" if size[0] % 2 or size[1] % 2 else "yuv420p"
            stream.codec_context.time_base = like.time_base
            stream.codec_context.colorspace = _BT601

            def write(pts, picture):
                frame = av.VideoFrame.from_image(ImageOps.pad(picture, size))
                frame.pts, frame.time_base = pts, like.time_base
                container.mux(stream.encode(frame))

            yield write
            container.mux(stream.encode(None))


@contextlib.contextmanager
def _bar(path, total):
    """Shows progress on a terminal; gives a function that counts a frame."""
    with Progress(
        *Progress.get_default_columns(),
        MofNCompleteColumn(),
        console=Console(stderr=True),
        transient=True,
        # What is printed passes above the bar, but must not leave stdout for it.
        redirect_stdout=sys.stdout.isatty(),
        disable=not sys.stderr.isatty(),
    ) as progress:
        task = progress.add_task("", total=total)
        yield lambda: progress.advance(task)
