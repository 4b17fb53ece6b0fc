"""A .tflite file that answers on a device: NumPy, Pillow and ai-edge-litert only.

    classifier = kcv.edge.load("digits.tflite")
    for label, index, score in classifier.predict("photo.jpg"):
        print(label, score)
    kcv.edge.load("localiser.tflite").predict("photo.jpg").box
    for label, index, score, box in kcv.edge.load("ssd.tflite").predict("photo.jpg"):
        print(label, score, box)
    kcv.edge.load("verifier.tflite").same("first.jpg", "second.jpg").similarity

Nothing heavier than the standard library is imported until `load` is called.
"""

import os
from collections.abc import Sequence

from kcv.edge.errors import EdgeError

__all__ = ["EdgeError", "load"]


def load(
    path: str | os.PathLike,
    threads: int = 1,
    xnnpack: bool = True,
    delegates: Sequence[str] = (),
):
    """Verifies a file written by kcv.export and returns the object of its task.

    Args:
        path: the .tflite file.
        threads: CPU threads of one inference.
        xnnpack: False uses LiteRT's own kernels instead of XNNPACK's.
        delegates: paths of delegate libraries, such as ("libedgetpu.so.1",).

    Returns:
        By task: "classification" a `classify.Classifier`, "detection" a
        `detect.Detector`, of a file in parts a `detect_staged.StagedDetector` and of
        one that suppresses in its graph a `detect_fused.FusedDetector`, "localisation"
        a `localise.Localiser`, "verification" a `verify.Verifier`.

    Raises:
        EdgeError: the file, its task, `threads` or a delegate cannot be used.
    """
    from kcv.edge import classify, detectors, localise, model_file, verify

    tasks = {
        "classification": classify.Classifier,
        "detection": detectors.detector,
        "localisation": localise.Localiser,
        "verification": verify.Verifier,
    }
    model = model_file.read(path)
    if model.task not in tasks:
        raise EdgeError(
            f"{path}: task {model.task!r} is not one of {sorted(tasks)};"
            " update kcv on this device"
        )
    return tasks[model.task](model, threads, xnnpack, delegates)
