r"""Exports a trained classifier through the gate.

  python -m kcv.tools.export --model=runs/digits/model.keras --quantize=int8 \
      --output=digits.tflite

reads metrics.json beside the model (data, labels, pixel range), calibrates on training
images, and writes the file only if it uses builtin operators, answers as Keras does and
loses no more than --budget of the test accuracy. Takes 15 seconds on two cores. A model
from elsewhere also needs --data and --zoo_name, or --pixel_range.
"""

import json
import pathlib

import numpy as np
from absl import flags
from rich.console import Console
from rich.progress import track
from rich.table import Table

from kcv import data
from kcv.export import convert
from kcv.export.deviation import BOUNDS
from kcv.tools import open_model, script

_F = flags.FLAGS

flags.DEFINE_string("model", None, "The .keras file.")
flags.DEFINE_string("output", None, "The .tflite file to write.")
flags.DEFINE_enum("quantize", "float32", list(BOUNDS), "Kind of file.")
flags.DEFINE_enum(
    "io",
    None,
    ["uint8", "int8", "float32"],
    "Input and outputs of an int8 file; MediaPipe takes uint8 and float32. Default: "
    "uint8.",
)
flags.DEFINE_string(
    "data", None, "'digits', 'tfds:NAME' or a folder; default: what it was trained on."
)
flags.DEFINE_string("data_dir", None, "Where TFDS keeps its sets; its own default.")
flags.DEFINE_integer("calibration_images", 200, "Training images for the ranges.", 2)
flags.DEFINE_float("budget", 0.01, "Accuracy that the file may lose.", 0, 1)
flags.DEFINE_float("min_accuracy", 0, "Refuse a file of less test accuracy.", 0, 1)
flags.DEFINE_string("zoo_name", None, "Name in the zoo, if there is no metrics.json.")
flags.DEFINE_list("pixel_range", None, "Black and white as the model wants them: -1,1.")
flags.DEFINE_string(
    "report", None, "Also write what was measured: a .json or .md file."
)
flags.mark_flags_as_required(["model", "output"])


def main(argv):
    if len(argv) > 1:
        raise script.UsageError(f"no positional arguments, got {' '.join(argv[1:])}")
    if _F.report and pathlib.Path(_F.report).suffix not in (".json", ".md"):
        raise script.UsageError(f"--report={_F.report} must end in .json or .md")

    # Model.
    path = pathlib.Path(_F.model)
    model, run = open_model.load(path), open_model.read_run(path.parent)
    image_shape = tuple(model.inputs[0].shape[1:])
    low, high = open_model.pixel_range(run, path, _F.pixel_range, _F.zoo_name)
    normalization = (-low * 255 / (high - low), 255 / (high - low))

    # Data.
    train, test = (
        open_model.open_split(run, path, split, _F.data, _F.data_dir)
        for split in ("train", "test")
    )
    labels = list(run.get("labels", train.class_names))
    if len(labels) != model.outputs[0].shape[-1]:
        raise ValueError(
            f"{path} has {model.outputs[0].shape[-1]} outputs, but there are "
            f"{len(labels)} labels: {', '.join(labels)[:60]}"
        )
    count = min(_F.calibration_images, train.num_examples)
    shuffled = data.batches(train, count, image_shape, (low, high), epoch=0)
    calibration = next(iter(shuffled))["images"].numpy()

    def accuracy(predict):
        batches = data.batches(test, 64, image_shape, (low, high))
        right = 0
        for batch in track(batches, "measuring", transient=True):
            answers = predict(batch["images"].numpy())["probabilities"].argmax(axis=-1)
            right += np.sum(answers == batch["labels"].numpy())
        return right / test.num_examples

    # Export.
    report = convert(
        model,
        _F.output,
        quantize=_F.quantize,
        io=_F.io,
        calibration=calibration,
        probes=calibration[:64],
        evaluate=accuracy,
        budget=_F.budget,
        minimum=_F.min_accuracy,
        labels=labels,
        normalization=normalization,
        model_name=run.get("model", _F.zoo_name or model.name),
        hashes={"data": train.fingerprint},
    )
    Console().print(summary(report))
    if _F.report:
        text = json.dumps(report.as_dict(), indent=1) + "\n"
        if _F.report.endswith(".md"):
            text = report.markdown()
        pathlib.Path(_F.report).write_text(text)
    print(f"wrote {report.path}")


def summary(report):
    """The table that a person reads."""
    table = Table(title=str(report.path), show_header=False)
    table.add_row("kind", report.quantization)
    table.add_row("size", f"{report.bytes / 1000:.1f} kB")
    table.add_row("test accuracy, Keras", f"{report.metric_keras:.2%}")
    table.add_row("test accuracy, file", f"{report.metric_file:.2%}")
    for name, value in report.parity.items():
        table.add_row(f"deviation, {name}", f"{value:.1e} (at most {report.bound:g})")
    counts = [f"{n} {name}" for name, n in report.operators.items()]
    table.add_row("operators", ", ".join(counts))
    return table


if __name__ == "__main__":
    script.run(main)
