"""Checkpoints: one file, written whole or not at all.

A checkpoint is a NumPy .npz with every variable of the model (weights, batch
statistics, seeds) and of the optimiser, and `meta`: the position in training, as JSON.
The file before the newest stays until the next one is written, so that a damaged disk
block or a full disk never takes the only copy.
"""

import json
import pathlib
import re
import zipfile

import numpy as np
from absl import logging

from kcv import files

KEEP = 2


class CheckpointError(ValueError):
    """A checkpoint cannot be written, or does not fit the model."""


def save(folder: pathlib.Path, step: int, variables, meta: dict) -> pathlib.Path:
    """Writes `folder`/step_00000123.npz and removes all but the newest two.

    Args:
        folder: created where it is missing.
        step: optimiser steps taken; the newest is the one with the largest step.
        variables: Keras variables, in the order in which `restore` will get them.
        meta: what else is needed to go on, as JSON values.

    Raises:
        CheckpointError: if a value is not finite or the disk refuses; the checkpoints
            that were there are untouched.
    """
    values = {f"v{i:05d}": local_value(v) for i, v in enumerate(variables)}
    for value, variable in zip(values.values(), variables):
        if not np.all(np.isfinite(value)):
            raise CheckpointError(
                f"{variable.path} is not finite at step {step}; {describe(folder)}. "
                "Start again with a lower learning rate"
            )
    path = folder / f"step_{step:08d}.npz"
    try:
        with files.replacing(path) as hidden, open(hidden, "wb") as file:
            names = np.array([_name(v.path) for v in variables])
            np.savez(file, meta=json.dumps(meta), names=names, **values)
    except OSError as error:
        raise CheckpointError(
            f"cannot write {path}: {error.strerror or error}; {describe(folder)}"
        ) from error
    for old in _files(folder)[:-KEEP]:
        old.unlink()
    return path


def restore(folder: pathlib.Path, variables) -> dict | None:
    """Sets `variables` from the newest readable checkpoint and returns its meta.

    Returns:
        The meta of `save`, or None where `folder` has no checkpoint.

    Raises:
        CheckpointError: if the checkpoint is of another model or optimiser, or none of
            those that are there can be read.
    """
    damaged = None
    for path in reversed(_files(folder)):
        try:
            with np.load(path, allow_pickle=False) as file:
                content = {name: file[name] for name in file.files}
        except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
            logging.warning("%s is damaged (%s); trying the one before", path, error)
            damaged = path
            continue
        _assign(path, content, variables)
        return json.loads(str(content["meta"]))
    if damaged:
        raise CheckpointError(f"{damaged} is damaged and {folder} has no other one")
    return None


def describe(folder: pathlib.Path) -> str:
    """One clause for messages: which checkpoint is the last good one."""
    files = _files(folder)
    if not files:
        return "no checkpoint was written yet"
    return f"the last good checkpoint is {files[-1]}"


def local_value(variable) -> np.ndarray:
    """The value of a Keras variable on this process.

    Reading a variable of several workers through their strategy would wait for all.
    """
    value = variable.value
    local = getattr(value, "values", None)
    return np.asarray(local[0] if local else value)


def _name(path):
    """A variable's path without the numbers that Keras counts up in a process."""
    return re.sub(r"_\d+(?=[/_]|$)", "", path)


def _assign(path, content, variables):
    names, there = [_name(v.path) for v in variables], list(content["names"])
    if there != names:
        pairs = zip(there, names)
        detail = next(
            (f"{a} there, {b} here" for a, b in pairs if a != b),
            f"{len(there)} variables there, {len(names)} here",
        )
        raise CheckpointError(f"{path} is of another model or optimizer: {detail}")
    for i, variable in enumerate(variables):
        value = content[f"v{i:05d}"]
        if tuple(value.shape) != tuple(variable.shape):
            raise CheckpointError(
                f"{path} is of another model: {variable.path} is {value.shape} there, "
                f"{tuple(variable.shape)} here"
            )
        variable.assign(value)


def _files(folder):
    return sorted(folder.glob("step_*.npz"))
