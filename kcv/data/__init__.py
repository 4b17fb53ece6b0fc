"""Data sets: sources of labelled images, augmentation and reproducible batches."""

from kcv.data.augment import Augment
from kcv.data.pipeline import batches, load, num_steps
from kcv.data.sources import Source, labels, source

__all__ = ["Augment", "Source", "batches", "labels", "load", "num_steps", "source"]
