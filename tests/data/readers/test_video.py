import struct
import wave

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from media_files import noise_video, put, write_video

from kcv.data.readers import video
from kcv.data.readers.records import BadRecord

NOISE = noise_video()
STEPS = np.zeros((25, 32, 32, 3), np.uint8) + np.arange(0, 250, 10)[:, None, None, None]
STEPS = STEPS.astype(np.uint8)  # frame i is grey 10 i
PNG = {"codec": "png", "pixels": "rgb24"}


@pytest.mark.parametrize("name", ["a.mkv", "a.avi", "a.mov"])
def test_every_frame_exactly(tmp_path, name):
    options = PNG if name == "a.mov" else {}
    path = write_video(tmp_path / name, NOISE, **options)
    looked = video.look(path)
    assert looked.count == video.count_frames(path) == 12
    np.testing.assert_allclose(looked.times, np.arange(12) / 10)
    np.testing.assert_array_equal(video.read_frames(looked, range(12)), NOISE)
    order = [7, 3, 3, 11]
    np.testing.assert_array_equal(video.read_frames(path, order), NOISE[order])


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("b.mp4", "libx264", {"g": 8, "bf": 2}),
        ("b.mkv", "libx264", {"g": 8, "bf": 2}),
        ("b.avi", "mpeg4", {"g": 8, "bf": 2, "qmin": 1, "qmax": 1}),
        ("b.webm", "libvpx", {"g": 8}),
        ("b.h264", "libx264", {"g": 8, "bf": 2}),
    ],
)
def test_frames_between_key_frames(tmp_path, name, codec, options):
    """Key frames are 8 apart, B-frames are stored out of order; raw has no times."""
    path = write_video(tmp_path / name, STEPS, codec, "yuv420p", **options)
    looked = video.look(path)
    assert looked.count == video.count_frames(path) == 25
    assert looked.has_times == (name != "b.h264")
    for indices in ([20], [24, 3, 4, 17], [0], [23, 24], range(25)):
        read = video.read_frames(looked, indices)
        assert np.abs(read.astype(int) - STEPS[list(indices)]).max() < 6


def test_indices_outside(tmp_path):
    path = write_video(tmp_path / "a.mkv", NOISE)
    for indices in ([12], [-1, 3], []):
        with pytest.raises(IndexError, match=r"a\.mkv: frames .* of 12: ask for"):
            video.read_frames(path, indices)


@pytest.mark.parametrize("name", ["a.mov", "a.mkv", "a.avi"])
def test_a_video_that_ends_early(tmp_path, name):
    """The header says 12 frames and the file breaks off in the middle."""
    options = {**PNG, "movflags": "faststart"} if name == "a.mov" else {}
    path = write_video(tmp_path / name, NOISE, **options)
    content = path.read_bytes()
    put(path, content[: len(content) * 6 // 10])
    with pytest.raises(BadRecord, match=rf"{name}: ends after [67] of 12 frames: copy"):
        video.look(path)
    looked = video.look(path, min_share=0.3)
    assert looked.count in (6, 7)
    read = video.read_frames(looked, range(6), min_share=0.3)
    np.testing.assert_array_equal(read[:5], NOISE[:5])


def damage(path, *frames):
    """Overwrites the beginning of these PNG frames of a .mov."""
    content = bytearray(path.read_bytes())
    starts, at = [], -1
    while (at := content.find(b"\x89PNG", at + 1)) >= 0:
        starts.append(at)
    assert len(starts) == len(NOISE)
    for frame in frames:
        content[starts[frame] : starts[frame] + 64] = bytes(64)
    path.write_bytes(content)


def test_a_frame_that_cannot_be_decoded_shows_the_one_before(tmp_path):
    path = write_video(tmp_path / "a.mov", NOISE, **PNG)
    damage(path, 5, 11)
    read = video.read_frames(path, [4, 5, 6, 11])
    np.testing.assert_array_equal(read, NOISE[[4, 4, 6, 10]])


def test_decoding_that_ends_early(tmp_path):
    path = write_video(tmp_path / "a.mov", NOISE, **PNG)
    damage(path, *range(8, 12))
    np.testing.assert_array_equal(video.read_frames(path, [7]), NOISE[[7]])
    with pytest.raises(
        BadRecord, match=r"cannot be decoded beyond 8 of 12 frames: cop"
    ):
        video.read_frames(path, [2, 9])
    damage_all = write_video(tmp_path / "b.mov", NOISE, **PNG)
    damage(damage_all, *range(12))
    with pytest.raises(BadRecord, match="cannot be decoded beyond 0 of 12 frames"):
        video.read_frames(damage_all, [0])


@pytest.mark.parametrize(
    "content",
    [b"", b"no video" * 99, b"#EXTM3U\n#EXTINF:1\nhttp://127.0.0.1:9/a.ts\n"],
    ids=["empty", "text", "playlist"],
)
def test_undecodable(tmp_path, content):
    path = put(tmp_path / "a.mp4", content)
    for read in (video.look, video.count_frames):
        with pytest.raises(BadRecord, match=r"a\.mp4: .* \(FFmpeg\): copy it again or"):
            read(path)


def test_no_video(tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"no video .*none\.mp4: check the path"
    ):
        video.look(tmp_path / "none.mp4")
    with wave.open(str(tmp_path / "a.wav"), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(1600))
    with pytest.raises(BadRecord, match=r"a\.wav: no picture, only sound: remove it"):
        video.look(tmp_path / "a.wav")


def test_no_frames(tmp_path):
    path = write_video(tmp_path / "a.avi", NOISE)
    content = path.read_bytes()
    put(path, content[: content.index(b"movi") + 4])
    with pytest.raises(BadRecord, match=r"a\.avi: no frames: copy it again"):
        video.look(path)


def test_a_name_that_looks_like_a_protocol(tmp_path, monkeypatch):
    write_video(tmp_path / "a.mkv", NOISE).rename(tmp_path / "pipe:1.mkv")
    monkeypatch.chdir(tmp_path)
    assert video.look("pipe:1.mkv").count == 12


@pytest.mark.parametrize("turns", range(4))
def test_rotation(tmp_path, turns):
    """The matrix of the track header turns by 90 degrees clockwise `turns` times."""
    path = write_video(tmp_path / "a.mov", NOISE, **PNG)
    content = bytearray(path.read_bytes())
    matrix = content.index(b"tkhd") + 44  # after version, times, layer, volume
    cos, sin = [(1, 0), (0, 1), (-1, 0), (0, -1)][turns]
    one = 1 << 16
    values = (cos * one, sin * one, 0, -sin * one, cos * one, 0, 0, 0, 1 << 30)
    content[matrix : matrix + 36] = struct.pack(">9i", *values)
    put(path, bytes(content))
    upright = np.rot90(NOISE, -turns, axes=(1, 2))
    np.testing.assert_array_equal(video.read_frames(path, [0, 8]), upright[[0, 8]])


def test_frames_of_several_sizes(tmp_path):
    """Raw H.264 may change its size in the middle."""
    parts = [
        write_video(tmp_path / f"{side}.h264", STEPS[:4, :side], "libx264", "yuv420p")
        for side in (16, 32)
    ]
    path = put(tmp_path / "a.h264", b"".join(part.read_bytes() for part in parts))
    with pytest.raises(BadRecord, match="frames of several sizes, .*: encode it again"):
        video.read_frames(path, range(8))


def test_sampling_pencil():
    """10 frames, 3 parts: their middles are 1.67, 5, 8.33."""
    assert video.uniform_indices(10, 3).tolist() == [1, 5, 8]
    assert video.uniform_indices(2, 4).tolist() == [0, 0, 1, 1]
    assert video.clip_indices(10, 4, 2, 3).tolist() == [2, 5, 8, 9]
    times = np.arange(10) / 10
    assert video.fps_indices(times, 5).tolist() == [0, 2, 4, 6, 8]
    assert video.fps_indices(times, 5, 7, 0.3).tolist() == [3, 5, 7, 9, 9, 9, 9]
    assert video.fps_indices(times, 20, 4).tolist() == [0, 0, 1, 1]


@settings(deadline=None)
@given(count=st.integers(1, 500), frames=st.integers(1, 64), stride=st.integers(1, 9))
def test_sampling_stays_inside(count, frames, stride):
    rng = np.random.default_rng(count)
    for indices in (
        video.uniform_indices(count, frames),
        video.clip_indices(count, frames, 0, stride),
        video.random_indices(count, frames, rng, stride),
    ):
        assert indices.shape == (frames,)
        assert 0 <= indices.min() <= indices.max() < count
        assert (np.diff(indices) >= 0).all()
    spread = video.uniform_indices(count, frames)
    assert abs(spread[0] + spread[-1] - (count - 1)) <= 1
    if (frames - 1) * stride < count:
        clip = video.random_indices(count, frames, rng, stride)
        assert (np.diff(clip) == stride).all()


def test_random_clips_begin_everywhere_they_fit():
    rng = np.random.default_rng(0)
    starts = {int(video.random_indices(10, 4, rng, 2)[0]) for _ in range(200)}
    assert starts == {0, 1, 2, 3}


@settings(deadline=None)
@given(
    gaps=st.lists(st.integers(1, 20), min_size=1, max_size=30),
    fps=st.sampled_from([1, 4, 7.5, 30]),
)
def test_fps_is_what_a_player_shows(gaps, fps):
    """At each moment the last frame whose time has come, one by one."""
    times = np.cumsum([0, *gaps]) / 100
    indices = video.fps_indices(times, fps)
    for number, index in enumerate(indices):
        shown = [i for i, time in enumerate(times) if time <= number / fps + 5e-4]
        assert index == shown[-1]
    assert (len(indices) - 1) / fps <= times[-1] + 1e-6 < len(indices) / fps + 1e-5
