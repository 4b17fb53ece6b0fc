r"""Says what images show, with a .tflite file of kcv.export.

  python -m kcv.tools.predict --model=digits.tflite photo.jpg scans/ 'more/*.png'
  python -m kcv.tools.predict --model=ssd.tflite --output_dir=found clip.mp4

Half a second for the first image. Takes files, folders (with all folders in them) and
patterns. --json prints one JSON object a line; --output_dir draws each answer below
its image. An image that cannot be read is one line on stderr, the others are answered,
and the exit code is 1. A classifier names classes, a localiser one class and its box, a
detector everything with its boxes (x1, y1, x2, y2 in pixels) and, where the model makes
them, its mask or keypoints, which pictures show; a verifier compares the first image
with each of the others.

A video is answered frame by frame, or each --every-th, and drawn as H.264 of the same
size, rate and length, without its sound: found/clip_answer.mp4.
"""

import contextlib
import glob
import io
import json
import os
import pathlib
import sys

from absl import flags

import kcv.edge
from kcv import files
from kcv.edge import preprocess
from kcv.tools import predict_json, script

_MODEL = flags.DEFINE_string("model", None, "The .tflite file.")
_TOP_K = flags.DEFINE_integer("top_k", 5, "Classes an image.", lower_bound=1)
_LEAST = flags.DEFINE_float("least_score", 0.5, "Of a detection.", 0, 1)
_THREADS = flags.DEFINE_integer("threads", 1, "CPU threads.", lower_bound=1)
_XNNPACK = flags.DEFINE_bool("xnnpack", True, "False uses LiteRT's own kernels.")
_DELEGATES = flags.DEFINE_list("delegates", [], "Libraries, as libedgetpu.so.1.")
_JSON = flags.DEFINE_bool("json", False, "Print one JSON object a line.")
_OUTPUT_DIR = flags.DEFINE_string("output_dir", None, "Folder for pictures; created.")
_EVERY = flags.DEFINE_integer("every", 1, "Answer each N-th frame.", lower_bound=1)
flags.mark_flag_as_required("model")

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff"}


def main(argv):
    """Answers every image; exits with 1 if one failed."""
    if len(argv) < 2:
        raise script.UsageError("no images; name files, folders or patterns")
    # A label or file name that the terminal cannot show is escaped, not an error.
    sys.stdout.reconfigure(errors="backslashreplace")

    # Model.
    with _without_chatter():
        model = kcv.edge.load(
            _MODEL.value, _THREADS.value, _XNNPACK.value, _DELEGATES.value
        )

    # Data.
    failed, paths = False, []
    for argument in argv[1:]:
        found = images_of(argument)
        if not found:
            kinds = " ".join(sorted(SUFFIXES))
            failed = _complain(f"{argument}: has no images ({kinds}) and no videos")
        paths += found

    if model.model.task == "verification":
        if failed | compare(model, paths):
            sys.exit(1)
        return

    # Results.
    pictures = picture_paths(paths)
    for path, picture in zip(paths, pictures):
        try:
            target = _OUTPUT_DIR.value and os.path.join(_OUTPUT_DIR.value, picture)
            if is_video(path):
                answer_video(model, path, target)
                continue
            image = preprocess.open_image(path)
            predictions = answer(model, image)
            if target:
                _write_picture(target, model.model.task, image, predictions)
        except BrokenPipeError:  # of stdout, see kcv.tools.script
            raise
        except (ValueError, OSError) as error:
            failed = _complain(error)
            continue
        _print(path, predictions)
    if failed:
        sys.exit(1)


def answer(model, image):
    """What a model says of an image, as a list of predictions."""
    if model.model.task == "detection":
        return model.predict(image, _LEAST.value)
    if model.model.task == "localisation":
        return [model.predict(image)]
    return model.predict(image, _TOP_K.value)


def answer_video(model, path, target):
    """Prints what a model says of the frames of a video, and draws it if told where."""
    from kcv.tools import predict_video  # with FFmpeg, too

    predict_video.answer(
        path,
        target,
        _EVERY.value,
        ask=lambda image: answer(model, image),
        draw=lambda image, found: _picture(model.model.task, image, found),
        show=lambda frame, seconds, found: _print(path, found, (frame, seconds)),
    )


def compare(model, paths):
    """Prints how alike the first image and each other are; True if one failed."""
    if len(paths) < 2 or _OUTPUT_DIR.value:
        raise script.UsageError(
            f"{_MODEL.value} compares images: name two or more, without --output_dir"
        )
    first, failed = model.embed(paths[0]), False
    for path in paths[1:]:
        try:
            found = model.same(first, path)
        except (ValueError, OSError) as error:
            failed = _complain(error)
            continue
        if _JSON.value:
            line = {"image": paths[0], "other": path, **found._asdict()}
            print(json.dumps(line, ensure_ascii=False), flush=True)
            continue
        said = "same" if found.same else "different"
        print(f"{found.similarity:.4f}  {said}  {paths[0]}  {path}", flush=True)
    return failed


def images_of(argument):
    """Paths that a file, folder or pattern stands for; a missing file stands as is."""
    if os.path.isdir(argument):
        return sorted(
            os.path.join(folder, name)
            for folder, _, names in os.walk(argument)
            for name in names
            if pathlib.Path(name).suffix.lower() in SUFFIXES or is_video(name)
        )
    if os.path.exists(argument) or not glob.has_magic(argument):
        return [argument]
    return sorted(p for p in glob.glob(argument, recursive=True) if os.path.isfile(p))


def is_video(path):
    """Whether a file is a video by its name."""
    suffix = pathlib.Path(path).suffix.lower()
    if suffix in SUFFIXES:
        return False
    from kcv.data.readers import video  # with FFmpeg, which images do without

    return suffix in video.SUFFIXES


def picture_paths(paths):
    """A name for the answer to each path: its stem, numbered where stems repeat."""
    names, counts = [], {}
    for path in paths:
        stem = pathlib.Path(path).stem
        counts[stem] = counts.get(stem, 0) + 1
        number = f"_{counts[stem]}" if counts[stem] > 1 else ""
        # "_answer" keeps an image safe whose own folder is --output_dir.
        kind = "mp4" if is_video(path) else "png"
        names.append(f"{stem}{number}_answer.{kind}")
    return names


def _picture(task, image, predictions):
    from kcv.edge import draw  # Pillow's drawing and fonts take a while to import

    if task == "detection":
        return draw.detection(image, predictions)
    if task == "localisation":
        return draw.localisation(image, *predictions)
    return draw.classification(image, predictions)


def _write_picture(path, task, image, predictions):
    stream = io.BytesIO()
    _picture(task, image, predictions).save(stream, "PNG")
    files.write_atomically(path, stream.getvalue())


def _print(path, predictions, moment=None):
    """Prints the answer to an image, or to a video's frame with number and seconds."""
    if _JSON.value:
        line = {"image": path}
        if moment:
            line = {"video": path, "frame": moment[0], "seconds": round(moment[1], 6)}
        line["predictions"] = [predict_json.plain(each) for each in predictions]
        print(json.dumps(line, ensure_ascii=False), flush=True)
        return
    print(path if moment is None else f"{path}  frame {moment[0]}  {moment[1]:.3f} s")
    for prediction in predictions:
        box = "".join(f"  {side:.0f}" for side in getattr(prediction, "box", ()))
        print(f"  {prediction.score:.4f}  {prediction.label}{box}", flush=True)


def _complain(error):
    """Prints the one line of a failure and returns True."""
    sys.stdout.flush()
    print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
    return True


@contextlib.contextmanager
def _without_chatter():
    """Keeps LiteRT's "INFO: Created ... delegate" lines, and only those, off stderr."""
    sys.stderr.flush()
    stderr, (reader, writer) = os.dup(2), os.pipe()
    os.set_blocking(writer, False)  # a full pipe loses text rather than waits
    os.dup2(writer, 2)
    try:
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(writer)
        os.close(stderr)
        with os.fdopen(reader, "rb") as lines:
            kept = [line for line in lines if not line.startswith(b"INFO:")]
        sys.stderr.write(b"".join(kept).decode(errors="replace"))


if __name__ == "__main__":
    script.run(main)
