"""The three ways a detector can be in a file."""

from kcv.edge import stages
from kcv.edge.detect import Detector
from kcv.edge.detect_fused import FusedDetector, is_fused
from kcv.edge.detect_staged import StagedDetector


def detector(model, threads=1, xnnpack=True, delegates=()):
    """The object of a model of task "detection"; arguments are as for `Detector`.

    Returns:
        A `Detector`, a `StagedDetector` of a model in parts, or a `FusedDetector` of
        one that suppresses in its graph.
    """
    kind = Detector
    if is_fused(model):
        kind = FusedDetector
    elif stages.is_staged(model):
        kind = StagedDetector
    return kind(model, threads, xnnpack, delegates)
