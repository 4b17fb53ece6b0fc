"""Frames of video files, decoded with PyAV: which ones, exactly how many, upright.

The header's number of frames is a statement, not a fact (AVI counts too many, WebM says
nothing), so times are read from the packets, without decoding, and a file whose frames
end much earlier than stated is named instead of silently giving another clip.
"""

import contextlib
from typing import NamedTuple

import av
import numpy as np

from kcv.data.readers.records import BadRecord

SUFFIXES = (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm")
MIN_SHARE = 0.9  # of the stated frames; AVI headers count some that never come
_AGAIN = "copy it again or remove it"
_DAMAGE = (av.error.InvalidDataError, av.error.EOFError, av.error.ExternalError)


class Video(NamedTuple):
    """What the packets of a video file tell.

    Parameters:
        path: The file.
        times: float64 (n,), seconds when each frame is shown, ascending, the first 0.
        pts: int64 (n,), the same in the file's own unit; counts where it has no times.
        stated: Number of frames by the header, 0 where it does not say.
        has_times: Whether the file tells when its frames are shown.
    """

    path: str
    times: np.ndarray
    pts: np.ndarray
    stated: int
    has_times: bool

    @property
    def count(self):
        """Number of frames in the file."""
        return len(self.pts)


def look(path, min_share=MIN_SHARE):
    """Reads the times of all frames without decoding them.

    Args:
        path: The file.
        min_share: Smallest share of the frames stated by the header that must be there.

    Returns:
        `Video`.

    Raises:
        BadRecord: The file is no video, has no frames or ends early.
        FileNotFoundError: There is no such file.
    """
    with _opened(path) as container:
        stream = container.streams.video[0]
        pts = [packet.pts for packet in _packets(container) if packet.size]
        rate = float(stream.average_rate or 25)
        seconds = float(stream.time_base)
        stated = stream.frames
        if not stated and container.duration:
            stated = int(container.duration / av.time_base * rate)
    has_times = None not in pts
    if not has_times:  # AVI with B-frames, raw streams: all at one distance
        pts, seconds = range(len(pts)), 1 / rate
    pts = np.unique(np.array(pts, np.int64))
    if not len(pts):
        raise BadRecord(f"{path}: no frames: {_AGAIN}")
    if len(pts) < min_share * stated:
        raise BadRecord(
            f"{path}: ends after {len(pts)} of {stated} frames: {_AGAIN}, or allow less"
            " by min_share"
        )
    return Video(str(path), (pts - pts[0]) * seconds, pts, stated, has_times)


def read_frames(video, indices, min_share=MIN_SHARE):
    """Decodes some frames of a video.

    A frame that cannot be decoded is filled by the one shown before it.

    Args:
        video: `Video`, or a path to `look` at.
        indices: int (t,), in any order, within 0..count - 1; repeats are fine.
        min_share: Where decoding may end at the earliest, a share of the frames.

    Returns:
        uint8 (t, h, w, 3), turned upright as the file's rotation says.

    Raises:
        BadRecord: The frames cannot be decoded or differ in size.
        IndexError: An index outside the video.
    """
    video = video if isinstance(video, Video) else look(video, min_share)
    wanted = np.unique(np.asarray(indices, np.int64)).tolist()
    if not wanted or wanted[0] < 0 or wanted[-1] >= video.count:
        raise IndexError(
            f"{video.path}: frames {wanted[:1]}..{wanted[-1:]} of {video.count}: ask"
            " for frames that are there"
        )
    frames, last = _decode(video, wanted, seek=video.has_times)
    if missing := [index for index in wanted if index not in frames]:
        if last < min_share * video.count - 1:
            raise BadRecord(
                f"{video.path}: cannot be decoded beyond {last + 1} of {video.count}"
                f" frames: {_AGAIN}, or allow less by min_share"
            )
        frames |= dict.fromkeys(missing, frames[-1])
    if len(shapes := {frame.shape for frame in frames.values()}) > 1:
        raise BadRecord(
            f"{video.path}: frames of several sizes, {sorted(shapes)}: encode it again"
        )
    return np.stack([frames[index] for index in np.ravel(indices).tolist()])


def _decode(video, wanted, seek):
    """Decodes frames until all of those wanted are known.

    Returns:
        {index: uint8 (h, w, 3)} and the index of the last frame that decoded; if
        that was too early for some, key -1 has it.
    """
    frames, left = {}, list(wanted)
    shown, shown_index = None, -1
    with _opened(video.path) as container:
        if seek := seek and wanted[0] > 0:
            stream = container.streams.video[0]
            container.seek(int(video.pts[wanted[0]]), stream=stream, backward=True)
        for number, frame in enumerate(_frames(container)):
            index = _index_of(video, frame, number)
            if seek and shown is None and index > wanted[0]:
                return _decode(video, wanted, seek=False)  # the file's index is wrong
            while left and left[0] < index:
                frames[left.pop(0)] = _upright(shown or frame)
            shown, shown_index = frame, index
            if left == [index]:
                frames[left.pop()] = _upright(frame)
            if not left:
                break
        if left and shown:
            frames[-1] = _upright(shown)
    if left and left[0] == shown_index:
        frames[left.pop(0)] = frames[-1]
    return frames, shown_index


def _packets(container):
    """Yields the video packets; a cut file may break off in the middle of one."""
    with contextlib.suppress(*_DAMAGE):
        yield from container.demux(video=0)


def _frames(container):
    """Yields the frames that can be decoded."""
    for packet in _packets(container):
        # Its place is held by the frame before, and a file of nothing else is told of.
        with contextlib.suppress(*_DAMAGE):
            yield from packet.decode()


def _index_of(video, frame, number):
    if not video.has_times or frame.pts is None:
        return number
    return max(int(np.searchsorted(video.pts, frame.pts, side="right")) - 1, 0)


def _upright(frame):
    image = frame.to_ndarray(format="rgb24")
    return np.ascontiguousarray(np.rot90(image, round(frame.rotation / 90)))


@contextlib.contextmanager
def _opened(path):
    """Opens a video file; what FFmpeg has against it becomes a `BadRecord`."""
    # "file" alone: a playlist in disguise must not reach the network.
    options = {"protocol_whitelist": "file"}
    try:
        with av.open(
            f"file:{path}", options=options, metadata_errors="replace"
        ) as container:
            if not container.streams.video:
                raise BadRecord(f"{path}: no picture, only sound: remove it")
            container.streams.video[0].thread_count = 1  # the pipeline has many files
            yield container
    except FileNotFoundError:
        raise FileNotFoundError(f"no video {path}: check the path") from None
    except av.error.FFmpegError as error:
        raise BadRecord(f"{path}: {error.strerror} (FFmpeg): {_AGAIN}") from None


def count_frames(path):
    """Returns the number of frames by decoding every one: slow, and exact.

    Raises:
        BadRecord: The file is no video.
        FileNotFoundError: There is no such file.
    """
    with _opened(path) as container:
        return sum(1 for _ in _frames(container))


def uniform_indices(count, frames):
    """Returns int64 (frames,): the middles of as many equal parts of a video.

    Wang, Temporal Segment Networks, 2016, as it tests. A shorter video repeats frames.
    """
    return ((np.arange(frames) + 0.5) * count / frames).astype(np.int64)


def clip_indices(count, frames, start=0, stride=1):
    """Returns int64 (frames,): start, start + stride, ...; the last frame is held."""
    return np.minimum(start + stride * np.arange(frames), count - 1)


def random_indices(count, frames, rng, stride=1):
    """Returns int64 (frames,) of a clip that begins anywhere it fits.

    Args:
        count: Frames of the video.
        frames: Frames of the clip.
        rng: `numpy.random.Generator`.
        stride: Distance of the clip's frames in the video.
    """
    last_start = max(count - (frames - 1) * stride - 1, 0)
    return clip_indices(count, frames, int(rng.integers(last_start + 1)), stride)


def fps_indices(times, fps, frames=None, start=0.0):
    """Returns the frames shown at start, start + 1/fps, ... seconds.

    Args:
        times: float (n,), seconds, of `Video`.
        fps: Frames a second that are wanted, whatever those of the file are.
        frames: How many; all up to the end by default. The last frame is held.
        start: Seconds.

    Returns:
        int64 (frames,).
    """
    if frames is None:
        frames = int(np.floor(max(times[-1] - start, 0) * fps + 1e-6)) + 1
    at = start + np.arange(frames) / fps
    # Half a millisecond: times in milliseconds (WebM) are rounded.
    shown = np.searchsorted(times, at + 5e-4, side="right") - 1
    return np.clip(shown, 0, len(times) - 1).astype(np.int64)
