import json
import os
import pathlib
import pty
import signal
import subprocess
import sys
import time

import av
import numpy as np
import pytest

EDGE = pathlib.Path(__file__).parents[1] / "edge"
sys.path.insert(0, str(EDGE))  # for the tiny models that both folders use
import tiny_tasks  # noqa: E402
import tiny_tflite  # noqa: E402

import kcv.edge  # noqa: E402
from kcv.edge import detect  # noqa: E402
from kcv.tools import predict_video  # noqa: E402

FRAMES, SIDE, RATE = 12, 96, 25


def square(size=(SIDE, SIDE), count=FRAMES):
    """A bright square that moves to the right over a dark ground, uint8 frames."""
    width, height = size
    frames = np.full((count, height, width, 3), 40, "uint8")
    for k in range(count):
        frames[k, 30:50, 10 + 4 * k : 30 + 4 * k] = (250, 200, 150)
    return frames


def write(path, frames, codec="libx264", turn=0, times=None, **flags):
    """Writes frames, by default at 25 a second, with a sound that nobody hears."""
    with av.open(str(path), "w", options=flags) as container:
        stream = container.add_stream(codec, rate=RATE)
        stream.height, stream.width = frames.shape[1:3]
        odd = stream.height % 2 or stream.width % 2
        stream.pix_fmt = "yuv444p" if odd else "yuv420p"
        if turn:
            stream.set_display_rotation(turn)
        sound = container.add_stream("aac", rate=16000) if codec == "libx264" else None
        for k, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels, "rgb24")
            frame.pts = times[k] if times else k
            container.mux(stream.encode(frame))
        if sound:
            quiet = np.zeros((1, 1024), "float32")
            quiet = av.AudioFrame.from_ndarray(quiet, "fltp", "mono")
            quiet.rate = 16000
            container.mux(sound.encode(quiet))
            container.mux(sound.encode(None))
        container.mux(stream.encode(None))
    return path


def read(path):
    """Frames uint8 (t, h, w, 3), their times in seconds, and the video's length."""
    with av.open(str(path)) as container:
        assert [stream.type for stream in container.streams] == ["video"]
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        frames = list(container.decode(stream))
        length = float(stream.duration * stream.time_base)
        pixels = np.stack([frame.to_ndarray(format="rgb24") for frame in frames])
        return pixels, [frame.time for frame in frames], length


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with three models, a video of a square, and what is none."""
    folder = tmp_path_factory.mktemp("video")
    tiny_tflite.write(folder / "names.tflite", "uint8", labels=["a", "b", "c", "d"])
    tiny_tasks.localiser(folder / "place.tflite", "uint8")
    anchors = np.float32([[1, 2, 3, 4], [4, 4, 8, 8]])
    scores = np.float32([[0, 4, 0], [0, 0, 0]])
    tiny_tasks.detector(
        folder / "boxes.tflite",
        {"scores": scores, "offsets": np.zeros((2, 4), "float32")},
        detect.to_json(detect.Decoding("softmax", "log", anchors, (8, 8))),
        ["square", "other"],
    )
    write(folder / "clip.mp4", square())
    (folder / "notes.mp4").write_text("no video\n" * 100)
    (folder / "empty.webm").touch()
    whole = write(folder / "front.mp4", square(count=40), movflags="faststart")
    content = whole.read_bytes()
    (folder / "cut.mp4").write_bytes(content[: len(content) * 9 // 10])
    whole.unlink()
    return folder


def predict(place, *arguments, model="boxes.tflite"):
    run = [sys.executable, "-m", "kcv.tools.predict", f"--model={model}", *arguments]
    return subprocess.run(run, cwd=place, capture_output=True, text=True)


def test_a_detector_answers_every_frame_and_draws_it(place, tmp_path):
    """Pencil: the box (1, 2, 3, 4) of 8 x 8 is (12, 24, 36, 48) of 96 x 96."""
    done = predict(place, "clip.mp4", "--json", f"--output_dir={tmp_path}")
    assert (done.returncode, done.stderr) == (0, "")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["frame"] for line in lines] == list(range(FRAMES))
    times = np.arange(FRAMES) / RATE
    np.testing.assert_allclose([line["seconds"] for line in lines], times, atol=1e-6)
    assert all(line["video"] == "clip.mp4" for line in lines)
    (thing,) = lines[5]["predictions"]
    assert thing["label"] == "square"
    np.testing.assert_allclose(thing["box"], (12, 24, 36, 48), atol=1e-4)

    assert os.listdir(tmp_path) == ["clip_answer.mp4"]
    pixels, shown, length = read(tmp_path / "clip_answer.mp4")
    assert pixels.shape == (FRAMES, SIDE, SIDE, 3)
    np.testing.assert_allclose(shown, times, atol=1e-6)
    assert length == pytest.approx(FRAMES / RATE)
    for k in range(FRAMES):  # the frame's own square, away from what is drawn
        found = pixels[k, 40, 40:].astype(int)
        wanted = square()[k, 40, 40:].astype(int)
        inner = np.abs(np.diff(wanted.sum(-1), prepend=0, append=0))[:-1] == 0
        assert np.abs(found - wanted)[inner].mean() < 12
    # The outline (253, 174, 107) of the box, at its lower side.
    side = pixels[0, 46:49, 16:32].reshape(-1, 3).astype(int)
    assert np.abs(side - (253, 174, 107)).sum(-1).min() < 120


def test_each_nth_frame_is_answered_and_all_are_written(place, tmp_path):
    done = predict(
        *(place, "clip.mp4", "--every=5", f"--output_dir={tmp_path}"),
        model="names.tflite",
    )
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    heads = ["clip.mp4  frame 0  0.000 s", "clip.mp4  frame 5  0.200 s"]
    heads += ["clip.mp4  frame 10  0.400 s"]
    assert [line for line in lines if line[0] != " "] == heads
    with av.open(str(place / "clip.mp4")) as container:
        frames = [frame.to_image() for frame in container.decode(video=0)]
    classifier = kcv.edge.load(place / "names.tflite")
    expected = [f"  {p.score:.4f}  {p.label}" for p in classifier.predict(frames[5])]
    assert lines[lines.index(heads[1]) + 1 :][:4] == expected
    pixels, shown, _ = read(tmp_path / "clip_answer.mp4")
    assert len(pixels) == len(shown) == FRAMES
    # The bars of the four names are below the frame, which is fitted in above them.
    assert pixels[0, -8:].mean() > 140 and pixels[0, :30].mean() < 80


def test_bad_videos_are_a_line_each_and_the_others_are_answered(place, tmp_path):
    bad = ["notes.mp4", "empty.webm", "cut.mp4", "gone.mov"]
    (tmp_path / "out").mkdir()
    done = predict(
        *(place, *bad, "clip.mp4", f"--output_dir={tmp_path / 'out'}", "--json"),
        model="place.tflite",
    )
    assert done.returncode == 1
    errors = done.stderr.splitlines()
    assert [name for line in errors for name in bad if name in line] == bad
    assert len(errors) == 4 and all(line.startswith("error: ") for line in errors)
    answered = [json.loads(line)["video"] for line in done.stdout.splitlines()]
    assert answered.count("clip.mp4") == FRAMES
    assert os.listdir(tmp_path / "out") == ["clip_answer.mp4"]


def test_a_folder_gives_its_videos_too(place, tmp_path):
    write(tmp_path / "b.avi", square(count=2), "mpeg4")
    done = predict(place, tmp_path, "--json")
    assert [json.loads(line)["frame"] for line in done.stdout.splitlines()] == [0, 1]


def answered(path, target, every=1):
    """Sizes of the images asked about and the seconds shown."""
    sizes, seconds = [], []
    predict_video.answer(
        *(path, target, every),
        ask=lambda image: sizes.append(image.size),
        draw=lambda image, predictions: image,
        show=lambda frame, time, predictions: seconds.append(time),
    )
    return sizes, seconds


def test_a_video_of_a_phone_on_its_side_is_upright(tmp_path):
    """Trap: a stored frame lies on its side, and the file says by how much."""
    frames = square((64, 80), 3)
    path = write(tmp_path / "a.mp4", frames, turn=90)
    sizes, _ = answered(path, tmp_path / "b.mp4")
    assert sizes == [(80, 64)] * 3
    pixels, _, _ = read(tmp_path / "b.mp4")
    turned = np.stack([np.rot90(frame) for frame in frames])
    assert np.abs(pixels.astype(int) - turned).mean() < 5


def test_odd_sides_and_uneven_times_stay(tmp_path):
    times = [0, 1, 2, 7, 8, 20]
    path = write(tmp_path / "a.mp4", square((71, 93), 6), times=times)
    _, seconds = answered(path, tmp_path / "b.mp4")
    pixels, shown, _ = read(tmp_path / "b.mp4")
    assert pixels.shape == (6, 93, 71, 3)
    np.testing.assert_allclose(seconds, np.array(times) / RATE, atol=1e-6)
    np.testing.assert_allclose(shown, seconds, atol=1e-6)


def test_a_video_that_cannot_be_decoded_to_its_end(tmp_path):
    """A file whose header is in front and whose last frames are noise."""
    frames = np.random.default_rng(0).integers(0, 256, (20, 64, 64, 3)).astype("uint8")
    path = write(tmp_path / "a.mp4", frames, "mpeg4", movflags="faststart")
    content = bytearray(path.read_bytes())
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=r"a.mp4: .*(ends after|FFmpeg)") as caught:
        answered(path, tmp_path / "b.mp4")
    assert "\n" not in str(caught.value)
    assert os.listdir(tmp_path) == ["a.mp4"]


def test_an_interrupted_run_leaves_no_half_video(place, tmp_path):
    long = write(tmp_path / "long.mp4", square(count=20).repeat(150, axis=0))
    out = tmp_path / "out"
    run = subprocess.Popen(
        [*(sys.executable, "-m", "kcv.tools.predict", "--model=boxes.tflite"),
         *(str(long), f"--output_dir={out}")],
        cwd=place, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        # A shell that runs the tests in its background ignores Ctrl-C for them, too.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not (out.exists() and os.listdir(out)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert os.listdir(out), "nothing was begun"
    run.send_signal(signal.SIGINT)
    _, errors = run.communicate(timeout=60)
    assert (run.returncode, errors) == (130, "error: interrupted\n")
    assert os.listdir(out) == []


def test_a_reader_that_has_read_enough_is_no_broken_video(place):
    command = f"{sys.executable} -m kcv.tools.predict --model=boxes.tflite clip.mp4"
    done = subprocess.run(
        ["bash", "-c", f"{command} | head -1; exit ${{PIPESTATUS[0]}}"],
        cwd=place,
        capture_output=True,
        text=True,
    )
    assert done.stdout == "clip.mp4  frame 0  0.000 s\n"
    assert (done.returncode, done.stderr) == (141, "")


def test_the_bar_shows_on_a_terminal_and_answers_stay_on_stdout(place):
    """Trap: rich prints to its own stream what a program prints beside a bar."""
    ours, theirs = pty.openpty()
    run = subprocess.Popen(
        [*(sys.executable, "-m", "kcv.tools.predict", "--model=boxes.tflite"),
         *("clip.mp4", "--json")],
        cwd=place, stdout=subprocess.PIPE, stderr=theirs, text=True,
    )  # fmt: skip
    os.close(theirs)
    printed, _ = run.communicate(timeout=60)
    shown = os.read(ours, 100_000).decode()
    os.close(ours)
    assert run.returncode == 0
    frames = [json.loads(line)["frame"] for line in printed.splitlines()]
    assert frames == list(range(FRAMES))
    assert f"/{FRAMES}" in shown and "predictions" not in shown
