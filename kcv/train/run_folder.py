"""The folder of a training run: one recipe, whole files."""

import csv
import io
import json
import pathlib
import platform
from importlib import metadata

from kcv import files
from kcv.viz.curves import save_curves


def claim(folder: pathlib.Path, recipe: dict):
    """Makes `folder` the folder of `recipe`, or checks that it already is.

    Args:
        folder: created where it is missing.
        recipe: everything that determines the result, as JSON values; kept in
            recipe.json.

    Raises:
        ValueError: if the folder belongs to another recipe.
        OSError: if it cannot be written to.
    """
    recipe = json.loads(json.dumps(recipe))
    path = folder / "recipe.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            files.write_atomically(path, json.dumps(recipe, indent=2))
    except OSError as error:
        raise OSError(
            f"cannot write into {folder}: {error.strerror or error}; "
            "give another --output_dir"
        ) from error
    before = json.loads(path.read_text())
    if before != recipe:
        names = sorted(
            name
            for name in before.keys() | recipe.keys()
            if before.get(name) != recipe.get(name)
        )
        changes = (f"{n}={before.get(n)} there, {recipe.get(n)} here" for n in names)
        raise ValueError(
            f"{folder} holds a run of another recipe ({'; '.join(changes)}); give "
            "another --output_dir or remove that folder"
        )


def write(folder: pathlib.Path, model, history: list[dict], facts: dict, test: dict):
    """Writes what every task leaves behind.

    These are model.keras, metrics.json, history.csv and curves.png.

    Args:
        folder: where to write.
        model: the trained model.
        history: of `loop.train`.
        facts: joins metrics.json; "train_seconds" are those of this process alone, and
            the epochs' own where a run was interrupted.
        test: what was measured on the test split.
    """
    epochs = sum(row.get("seconds", 0.0) for row in history)
    results = facts | {
        "train_seconds": max(facts.get("train_seconds", 0.0), epochs),
        "parameters": model.count_params(),
        "validation": {
            name.removeprefix("validation_"): value
            for name, value in history[-1].items()
            if name.startswith("validation_")
        },
        "test": test,
        "versions": versions(),
    }
    save_model(model, folder / "model.keras")
    files.write_atomically(folder / "metrics.json", json.dumps(results, indent=2))
    write_history(folder / "history.csv", history)
    save_curves(history, folder / "curves.png")


def write_history(path: pathlib.Path, history: list[dict]):
    """Writes the history of a run as CSV, one row an epoch."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(history[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    files.write_atomically(path, text.getvalue())


def save_model(model, path: pathlib.Path):
    """Saves a Keras model whole or not at all."""
    with files.replacing(path) as hidden:
        model.save(hidden)


def versions() -> dict:
    """Versions of what a result depends on."""
    packages = ("kcv", "keras", "tensorflow", "numpy")
    return {"python": platform.python_version()} | {
        name: metadata.version(name) for name in packages
    }
