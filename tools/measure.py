r"""Exports a trained run through the gate, measures every file, writes the result.

  python -m kcv.tools.measure --run_dir=runs/digits

Writes into --run_dir float32.tflite, int8.tflite (quantised after training) and
int8_qat.tflite (after --qat_epochs of quantisation-aware training), each only if it
passed the gate (with such training to come, one that did not is measured, too, but not
kept), answers.png with what the int8 file says of test images, and with
--results_dir the row of the model table. Quantisation-aware training is compared with
as many further float epochs, for those alone help, too. What is judged depends on the
task: the accuracy of a classifier, the share of things that a localiser names and finds
(IoU of 0.5), the average precision of a detector at that IoU, 1 - the equal error rate
of a verifier, whose embeddings are exported.

A detector of two stages is one graph in float32.tflite, and in int8.tflite networks
with NumPy between them (kcv.export.convert_stages); the latency of the latter is that
of whole answers to a test image.
"""

import math
import pathlib

import keras
from absl import flags
from rich.console import Console
from rich.table import Table

from kcv import zoo
from kcv.edge import benchmark
from kcv.export import ExportError, bridge, convert, qat
from kcv.export.fine_tune import fine_tune
from kcv.models.multiply_adds import multiply_adds
from kcv.tools import finished_run, results, script, tasks
from kcv.tools.tasks import TASKS

_F = flags.FLAGS

flags.DEFINE_string("run_dir", None, "Folder that a training script wrote.")
flags.DEFINE_string("results_dir", None, "Folder for the result file; none: no file.")
flags.DEFINE_integer("qat_epochs", 3, "Quantisation-aware epochs; 0: none.", 0)
flags.DEFINE_float("qat_rate", 3e-4, "Learning rate of these epochs; cosine to 0.", 0)
flags.DEFINE_float("budget", 0.01, "What a file may lose against Keras.", 0, 1)
flags.DEFINE_float("bound", None, "Largest deviation; the gate's own by default.", 0)
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
    task, plan = TASKS[entry.task], tasks.plan(run)
    whole, model = model, task.network(model)
    qat_epochs = 0 if plan.no_qat else _F.qat_epochs

    # Data.
    calibration = finished_run.calibration(run, _F.calibration_images, task.batches)
    test = task.split(run, "test")
    evaluate = task.evaluate(run, test)

    def epoch(number):
        after = run["flags"]["epochs"] + number
        return map(task.examples, task.batches(run, "train", epoch=after))

    def export(
        model, name, quantize, budget=_F.budget, bound=_F.bound, how=convert, **options
    ):
        print(f"exporting {name}.tflite", flush=True)
        return how(
            model,
            folder / f"{name}.tflite",
            quantize=quantize,
            probes=calibration[:32],
            evaluate=evaluate,
            metric=plan.metric,
            budget=budget,
            bound=bound if quantize else None,
            **task.export_options(run),
            **options,
        )

    # Export.
    # Of interest for a comparison only, whatever it loses.
    any_loss = {"calibration": calibration, "budget": 1.0, "bound": math.inf}
    reports, refused = {"float32": export(model, "float32", None)}, ""
    try:
        reports["int8"] = export(
            whole if plan.in_parts else model,
            "int8",
            "int8",
            how=plan.to_int8,
            calibration=calibration,
        )
    except ExportError as error:
        if not qat_epochs:
            raise
        refused = f"The gate refused the file quantised after training: {error}"
        print(refused, flush=True)
        reports["int8"] = export(model, "int8", "int8", **any_loss)
    equal_training = None
    if qat_epochs:
        training = {"epochs": qat_epochs, "learning_rate": _F.qat_rate}
        training["loss"] = task.loss(run)

        print(f"training {qat_epochs} epochs with quantisation", flush=True)
        trained = qat.train_quantization_aware(
            model, epoch, input_range=run["pixel_range"], **training
        )
        reports["int8_qat"] = export(trained, "int8_qat", "int8")
        print(f"training {qat_epochs} epochs without, to compare", flush=True)
        twin = bridge.to_tf_keras(model)
        fine_tune(twin, epoch, **training)
        longer = keras.models.clone_model(model)
        bridge.weights_back(twin, longer)
        report = export(longer, "int8_longer", "int8", **any_loss)
        report.path.unlink()
        equal_training = {
            "epochs": qat_epochs,
            "keras": report.metric_keras,
            "int8": report.metric_file,
        }

    best = reports["int8_qat" if refused else "int8"]
    task.draw_answers(best.path, test, run, folder / "answers.png")

    # Latency and results.
    note = refused if qat_epochs else plan.no_qat or "No quantisation-aware training."
    latency = {}
    for name, report in reports.items():
        threads = tuple(int(number) for number in _F.threads)
        # What networks in parts have to do depends on what they find.
        image = test["images"][:1] if plan.in_parts else None
        timed = benchmark.measure(report.path, threads, _F.runs, image=image)
        latency |= {f"{MODES[name]}_{x.threads}": x.p50 for x in timed.latency}
    if refused:
        reports["int8"].path.unlink()
    result = {
        "model": run["model"],
        "ids": list(entry.ids),
        "task": entry.task,
        "data": run["data"],
        "recipe": finished_run.recipe_of(run),
        "metric": {
            "name": plan.metric,
            "higher_is_better": True,
            "baseline": task.baseline(run),
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
        "operators": best.operators,
        "train_seconds": run["train_seconds"],
        "seed": run["flags"]["seed"],
        "versions": results.versions(),
        "machine": results.machine(),
        "date": results.today(),
        "note": _F.note or note,
    }
    console = Console()
    console.width = max(console.width, 100)  # a pipe has no width
    console.print(summary(run, plan.metric, reports, latency, equal_training))
    if _F.results_dir:
        print(f"wrote {results.write(result, _F.results_dir)}")


def summary(run, metric, reports, latency, equal_training):
    """The table that a person reads."""
    table = Table(title=f"{run['model']} on {run['data']}")
    metric = metric.replace("_", " ").replace("eer", "EER")
    for head in ("file", "size", "of float", metric, "drop", "deviation"):
        table.add_column(head, justify="left" if head == "file" else "right")
    for threads in _F.threads:
        table.add_column(
            f"p50, {threads} thread{'s' * (threads != '1')}", justify="right"
        )
    of_keras = reports["float32"].metric_keras
    blank = [""] * (3 + len(_F.threads))
    table.add_row("Keras model", "", "", f"{of_keras:.2%}", *blank[1:])
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
