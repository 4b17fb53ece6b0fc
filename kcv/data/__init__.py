"""Data sets: sources of labelled images, augmentation and reproducible batches."""

from kcv.data.augment import Augment
from kcv.data.fit import Slots
from kcv.data.loading import load
from kcv.data.pipeline import batches, num_steps
from kcv.data.sources import Source, labels, source
from kcv.data.stages import slowest_stage, stage_seconds
from kcv.data.structured import examples, structured_batches

__all__ = [
    "Augment",
    "Slots",
    "Source",
    "batches",
    "examples",
    "labels",
    "load",
    "num_steps",
    "slowest_stage",
    "source",
    "stage_seconds",
    "structured_batches",
]
