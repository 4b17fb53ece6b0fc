"""Data sets, augmentation and reproducible batches.

Everything here is imported when it is first asked for: TensorFlow takes seconds, and
the drawn scenes do without it.
"""

import importlib

_HOMES = {
    "Augment": "augment",
    "Slots": "fit",
    "Source": "sources",
    "batches": "pipeline",
    "examples": "structured",
    "labels": "sources",
    "load": "loading",
    "num_steps": "pipeline",
    "slowest_stage": "stages",
    "source": "sources",
    "stage_seconds": "stages",
    "structured_batches": "structured",
}
__all__ = list(_HOMES)


def __getattr__(name):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__():
    return sorted([*globals(), *_HOMES])
