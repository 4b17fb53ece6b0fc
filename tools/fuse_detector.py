r"""Puts decoding and suppression into the file of a detector, for MediaPipe.

  python -m kcv.tools.fuse_detector --model=int8.tflite --output=mediapipe.tflite

reads a file of the SSD family or of RetinaNet and writes another, which MediaPipe's
ObjectDetector and Android's Task Library load as it is. kcv.edge reads both; the plain
one has builtin operators alone and leaves the thresholds to the app. Takes 15 seconds,
nearly all of them to start.
"""

import pathlib

from absl import flags
from rich.console import Console
from rich.table import Table

from kcv.edge import model_file
from kcv.export import flatbuffer, post_process
from kcv.export.files import check_writable, write_atomically
from kcv.tools import script

_F = flags.FLAGS

flags.DEFINE_string("model", None, "The .tflite file of a detector.")
flags.DEFINE_string("output", None, "The .tflite file to write.")
flags.DEFINE_integer("max_detections", 100, "Things found at most in an image.", 1)
flags.DEFINE_float(
    "score_threshold", 0.05, "Scores that do not count, 0..1; apps may ask for more."
)
flags.DEFINE_float(
    "iou_threshold", 0.5, "Overlap above which of two boxes of a class one goes, 0..1."
)
flags.mark_flags_as_required(["model", "output"])


def main(argv):
    if len(argv) > 1:
        raise script.UsageError(f"no positional arguments, got {' '.join(argv[1:])}")
    path, output = pathlib.Path(_F.model), pathlib.Path(_F.output)
    if output.resolve() == path.resolve():
        raise script.UsageError(
            f"--output={_F.output} is --model itself; choose another path"
        )
    check_writable(output)

    # Model.
    model = model_file.read(path)
    content = post_process.fuse_post_process(
        model, _F.max_detections, _F.score_threshold, _F.iou_threshold
    )

    # Results.
    write_atomically(output, content)
    Console().print(summary(output, content, model))
    print(f"wrote {output}")


def summary(path, content, model):
    """The table that a person reads."""
    counts = flatbuffer.read(content).counts()
    table = Table(title=str(path), show_header=False)
    table.add_row("kind", str(model.manifest.get("quantization", "unknown")))
    table.add_row("size", f"{len(content) / 1000:.1f} kB")
    table.add_row("at most", f"{_F.max_detections} things an image")
    table.add_row("scores above", f"{_F.score_threshold:g}")
    table.add_row("overlaps up to", f"{_F.iou_threshold:g}")
    table.add_row("operators", ", ".join(f"{n} {name}" for name, n in counts.items()))
    return table


if __name__ == "__main__":
    script.run(main)
