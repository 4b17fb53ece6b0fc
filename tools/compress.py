r"""Prunes or clusters the weights of a trained run, exports, and compares the download.

  python -m kcv.tools.compress --run_dir=runs/digits --method=prune --sparsity=0.5
  python -m kcv.tools.compress --run_dir=runs/digits --method=cluster --clusters=16

A .tflite file stores a zero as dearly as any number: what these save is the compressed
download (APK, IPA and ZIP use DEFLATE), so that is what is compared with an int8 file
of the model as it was. Writes into --run_dir pruned.keras and pruned.tflite, or
clustered.keras and clustered.tflite, the latter only if it passed the gate.
"""

import pathlib

from absl import flags
from rich.console import Console
from rich.table import Table

from kcv import files, zoo
from kcv.export import compressed, convert
from kcv.export.cluster import cluster
from kcv.export.prune import prune
from kcv.tools import finished_run, results, script

_F = flags.FLAGS

flags.DEFINE_string("run_dir", None, "Folder that train_classifier has written.")
flags.DEFINE_enum("method", None, ["prune", "cluster"], "What to do to the weights.")
flags.DEFINE_float("sparsity", 0.5, "Share of the weights that becomes 0.", 0, 1)
flags.DEFINE_integer("clusters", 16, "Different weights a kernel may have.", 2)
flags.DEFINE_integer("epochs", 10, "Passes over the training images.", 1)
flags.DEFINE_float("learning_rate", 1e-3, "Of the first step; cosine to 0.", 0)
flags.DEFINE_float("budget", 0.01, "Accuracy that may be lost, all in all.", 0, 1)
flags.DEFINE_integer("calibration_images", 200, "Training images for the ranges.", 1)
flags.DEFINE_string("results_dir", None, "Folder for the result file; none: no file.")
flags.mark_flags_as_required(["run_dir", "method"])


def main(argv):
    if len(argv) > 1:
        raise script.UsageError(f"no positional arguments, got {' '.join(argv[1:])}")
    folder = pathlib.Path(_F.run_dir)
    run, model = finished_run.read(folder)
    entry = zoo.entry(run["model"])
    name = {"prune": "pruned", "cluster": "clustered"}[_F.method]

    # Training.
    def epoch(number):
        after = run["flags"]["epochs"] + number
        return finished_run.batches(run, "train", epoch=after)

    training = {"epochs": _F.epochs, "learning_rate": _F.learning_rate}
    print(f"training {_F.epochs} epochs", flush=True)
    if _F.method == "prune":
        changed = prune(model, epoch, sparsity=_F.sparsity, **training)
    else:
        changed = cluster(model, epoch, clusters=_F.clusters, **training)
    with files.replacing(folder / f"{name}.keras") as path:
        changed.save(path)

    # Export of both.
    calibration = finished_run.calibration(run, _F.calibration_images)
    evaluate = finished_run.accuracy(*finished_run.whole_split(run, "test"))

    def export(model, name, **options):
        return convert(
            model,
            folder / f"{name}.tflite",
            quantize="int8",
            calibration=calibration,
            probes=calibration[:32],
            evaluate=evaluate,
            budget=_F.budget,
            **finished_run.export_options(run, entry),
            **options,
        )

    before = export(model, "int8")
    after = export(changed, name, minimum=before.metric_keras - _F.budget)

    # Comparison.
    packed = [compressed.compressed_bytes(report.path) for report in (before, after)]
    Console().print(summary(name, before, after, packed))
    if _F.results_dir:
        path = results.write_benchmark(
            benchmark(name, run, before, after, packed), _F.results_dir
        )
        print(f"wrote {path}")


def summary(name, before, after, packed):
    """The table that a person reads."""
    table = Table()
    for head in ("file", "size", "compressed", "accuracy"):
        table.add_column(head, justify="left" if head == "file" else "right")
    for file, report, size in zip(("int8", name), (before, after), packed):
        table.add_row(
            f"{file}.tflite",
            f"{report.bytes / 1000:.0f} kB",
            f"{size / 1000:.0f} kB",
            f"{report.metric_file:.2%}",
        )
    return table


def benchmark(name, run, before, after, packed):
    """The result file: compressed bytes after against before."""
    how = f"{_F.sparsity:.0%} of the weights are 0"
    if _F.method == "cluster":
        how = f"{_F.clusters} different weights a kernel"
    return results.benchmark(
        f"{name}_{run['model']}",
        ours=packed[1] / 1000,
        peer=packed[0] / 1000,
        unit="kB",
        runs=1,
        peer_version="our int8 file of the model as it was trained",
        note=f"int8 file after DEFLATE; {how}; test accuracy {after.metric_file:.2%} "
        f"after {_F.epochs} further epochs, {before.metric_file:.2%} before; lower is "
        "better",
        details={
            "data": run["data"],
            "accuracy": [after.metric_file, before.metric_file],
            "bytes": [after.bytes, before.bytes],
        },
    )


if __name__ == "__main__":
    script.run(main)
