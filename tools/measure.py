r"""Exports a trained run through the gate, measures every file, writes the result.

  python -m kcv.tools.measure --run_dir=runs/digits

Writes into --run_dir float32.tflite, int8.tflite (quantised after training) and
int8_qat.tflite (after --qat_epochs of quantisation-aware training), each only if it
passed the gate, answers.png with what the int8 file says of test images, and with
--results_dir the row of the model table. Quantisation-aware training is compared with
as many further float epochs, for those alone help, too.
"""

import pathlib

import keras
import numpy as np
from absl import flags
from rich.console import Console
from rich.table import Table

from kcv import edge, zoo
from kcv.edge import benchmark
from kcv.export import bridge, convert, qat
from kcv.export.fine_tune import fine_tune
from kcv.models.multiply_adds import multiply_adds
from kcv.tools import finished_run, results, script
from kcv.viz.gallery import save_gallery

_F = flags.FLAGS

flags.DEFINE_string("run_dir", None, "Folder that train_classifier has written.")
flags.DEFINE_string("results_dir", None, "Folder for the result file; none: no file.")
flags.DEFINE_integer("qat_epochs", 3, "Quantisation-aware epochs; 0: none.", 0)
flags.DEFINE_float("qat_rate", 3e-4, "Learning rate of these epochs; cosine to 0.", 0)
flags.DEFINE_float("budget", 0.01, "Accuracy that a file may lose against Keras.", 0, 1)
flags.DEFINE_integer("calibration_images", 200, "Training images for the ranges.", 1)
flags.DEFINE_list("threads", ["1", "2"], "Numbers of threads to measure with.")
flags.DEFINE_integer("runs", 100, "Timed inferences.", 1)
flags.DEFINE_string("note", "", "Goes into the result file.")
flags.mark_flag_as_required("run_dir")

MODES = {"float32": "float32", "int8": "int8", "int8_qat": "qat"}  # file: in results


def main(argv):
    if len(argv) > 1:
        raise script.UsageError(f"no positional arguments, got {' '.join(argv[1:])}")
    folder = pathlib.Path(_F.run_dir)
    run, model = finished_run.read(folder)
    entry = zoo.entry(run["model"])

    # Data.
    calibration = finished_run.calibration(run, _F.calibration_images)
    images, labels = finished_run.whole_split(run, "test")
    accuracy = finished_run.accuracy(images, labels)

    def epoch(number):
        after = run["flags"]["epochs"] + number
        return finished_run.batches(run, "train", epoch=after)

    def export(model, name, quantize, budget=_F.budget, **options):
        print(f"exporting {name}.tflite", flush=True)
        return convert(
            model,
            folder / f"{name}.tflite",
            quantize=quantize,
            probes=calibration[:32],
            evaluate=accuracy,
            budget=budget,
            **finished_run.export_options(run, entry),
            **options,
        )

    # Export.
    reports = {
        "float32": export(model, "float32", None),
        "int8": export(model, "int8", "int8", calibration=calibration),
    }
    equal_training = None
    if _F.qat_epochs:
        training = {"epochs": _F.qat_epochs, "learning_rate": _F.qat_rate}

        print(f"training {_F.qat_epochs} epochs with quantisation", flush=True)
        trained = qat.train_quantization_aware(
            model, epoch, input_range=run["pixel_range"], **training
        )
        reports["int8_qat"] = export(trained, "int8_qat", "int8")
        print(f"training {_F.qat_epochs} epochs without, to compare", flush=True)
        twin = bridge.to_tf_keras(model)
        fine_tune(twin, epoch, **training)
        longer = keras.models.clone_model(model)
        bridge.weights_back(twin, longer)
        # Of interest for the comparison only, whatever it loses.
        options = {"calibration": calibration, "budget": 1.0}
        report = export(longer, "int8_longer", "int8", **options)
        report.path.unlink()
        equal_training = {
            "epochs": _F.qat_epochs,
            "keras": report.metric_keras,
            "int8": report.metric_file,
        }

    draw_answers(reports["int8"].path, images, labels, run, folder / "answers.png")

    # Latency and results.
    latency = {}
    for name, report in reports.items():
        threads = tuple(int(number) for number in _F.threads)
        timed = benchmark.measure(report.path, threads=threads, runs=_F.runs)
        latency |= {f"{MODES[name]}_{x.threads}": x.p50 for x in timed.latency}
    result = {
        "model": run["model"],
        "ids": list(entry.ids),
        "task": entry.task,
        "data": run["data"],
        "recipe": entry.recipe if run["data"] == "digits" else None,
        "metric": {
            "name": "accuracy",
            "higher_is_better": True,
            "baseline": run["test"]["majority_accuracy"],
            "keras": reports["float32"].metric_keras,
            "qat": None,
            **{MODES[name]: report.metric_file for name, report in reports.items()},
            "splits": run["examples"],
        },
        "equal_training": equal_training,
        "parameters": model.count_params(),
        "multiply_adds": multiply_adds(model),
        "bytes": {MODES[name]: report.bytes for name, report in reports.items()},
        "latency_ms": latency,
        "parity": {
            MODES[name]: max(report.parity.values()) for name, report in reports.items()
        },
        "operators": reports["int8"].operators,
        "train_seconds": run["train_seconds"],
        "seed": run["flags"]["seed"],
        "versions": results.versions(),
        "machine": results.machine(),
        "date": results.today(),
        "note": _F.note or ("" if _F.qat_epochs else "No quantisation-aware training."),
    }
    console = Console()
    console.width = max(console.width, 100)  # a pipe has no width
    console.print(summary(run, reports, latency, equal_training))
    if _F.results_dir:
        print(f"wrote {results.write(result, _F.results_dir)}")


def draw_answers(path, images, labels, run, picture, count=24):
    """Draws test images, spread over the split, with the answers of a file."""
    chosen = np.linspace(0, len(images) - 1, min(count, len(images))).astype(int)
    probabilities = edge.load(path).probabilities(images[chosen])
    answers, names = probabilities.argmax(axis=-1), run["labels"]
    right = answers == labels[chosen]
    titles = [
        f"{names[answer]} {scores[answer]:.0%}" + ("" if ok else f"\nis {names[label]}")
        for answer, scores, ok, label in zip(
            answers, probabilities, right, labels[chosen]
        )
    ]
    save_gallery(images[chosen], titles, picture, right, run["pixel_range"])


def summary(run, reports, latency, equal_training):
    """The table that a person reads."""
    table = Table(title=f"{run['model']} on {run['data']}")
    for head in ("file", "size", "of float", "accuracy", "drop", "deviation"):
        table.add_column(head, justify="left" if head == "file" else "right")
    for threads in _F.threads:
        table.add_column(
            f"p50, {threads} thread{'s' * (threads != '1')}", justify="right"
        )
    keras_accuracy = reports["float32"].metric_keras
    blank = [""] * (3 + len(_F.threads))
    table.add_row("Keras model", "", "", f"{keras_accuracy:.2%}", *blank[1:])
    for name, report in reports.items():
        table.add_row(
            f"{name}.tflite",
            f"{report.bytes / 1000:.0f} kB",
            f"{report.bytes / reports['float32'].bytes:.2f}",
            f"{report.metric_file:.2%}",
            f"{100 * report.drop:+.2f}",
            f"{max(report.parity.values()):.1e}",
            *(f"{latency[f'{MODES[name]}_{n}']:.2f} ms" for n in _F.threads),
        )
    if equal_training:
        table.caption = (
            f"int8_qat.tflite had {equal_training['epochs']} further epochs; after as "
            f"many without quantisation Keras has {equal_training['keras']:.2%}, its "
            f"int8 file {equal_training['int8']:.2%}"
        )
    return table


if __name__ == "__main__":
    script.run(main)
