"""What a training script has left in a folder, for the scripts that go on from there.

What differs from task to task is in `task_*.py`; here, `batches` and `accuracy` are of
classification.
"""

import json
import pathlib

import numpy as np

from kcv import data, zoo
from kcv.models import saved

RECIPES = pathlib.Path(__file__).with_name("recipes")


def checked(source, run, split):
    """Returns a `Source`, if it holds what the run was trained on.

    Raises:
        ValueError: if it does not.
    """
    if source.fingerprint != run["data_fingerprint"][split]:
        raise ValueError(
            f"the {split} images of {run['data']} have changed since the training"
        )
    return source


def read(folder):
    """Returns (metrics.json as a dict, model.keras) of a finished run.

    Raises:
        FileNotFoundError: if one of them is missing.
    """
    folder = pathlib.Path(folder)
    for name in ("metrics.json", "model.keras"):
        if not (folder / name).is_file():
            raise FileNotFoundError(
                f"{folder} has no {name}: it is not a finished run of a training script"
            )
    run = json.loads((folder / "metrics.json").read_text())
    return run, saved.load_model(folder / "model.keras")


def recipe_of(run):
    """The name of the flagfile with a run's model and data, or None: "mlp_digits"."""
    wanted = {f"--model={run['model']}", f"--data={run['data']}"}
    for path in sorted(RECIPES.glob(f"{run['model']}_*.flags")):
        if wanted <= set(path.read_text().splitlines()):
            return path.stem
    return None


def batches(run, split, **options):
    """The batches of a split as the run saw them.

    Args:
        run: metrics.json.
        split: "train", "validation" or "test".
        **options: keyword arguments of `kcv.data.batches`.

    Raises:
        ValueError: if the data are no longer those of the training, or the model is of
            another task.
    """
    task = zoo.entry(run["model"]).task
    if task != "classification":
        raise ValueError(
            f"{run['model']} is a model of {task}: this needs a run of train_classifier"
        )
    flags = run["flags"]
    known = {}
    if run["data"].startswith("tfds:"):
        known = {"data_dir": flags.get("data_dir")}
    elif run["data"] != "digits" and "max_bad_share" in flags:
        known = {"max_bad_share": flags["max_bad_share"]}
    source = data.source(run["data"], split, seed=flags["seed"], **known)
    checked(source, run, split)
    size = (flags["batch_size"], run["image_shape"], run["pixel_range"])
    return data.batches(source, *size, seed=flags["seed"], **options)


def calibration(run, count, batches=batches):
    """The first `count` images of the shuffled training split, float32 (n, h, w, c)."""
    parts, found = [], 0
    for batch in batches(run, "train", epoch=0):
        parts.append(batch["images"].numpy())
        found += len(parts[-1])
        if found >= count:
            break
    return np.concatenate(parts)[:count]


def whole_split(run, split, batches=batches, keys=("images", "labels")):
    """All images, float32 (n, h, w, c), and labels, int32 (n,), of a split."""
    found = list(batches(run, split))
    return tuple(np.concatenate([batch[key] for batch in found]) for key in keys)


def accuracy(images, labels):
    """Returns the function (predict) -> share of right answers that the gate calls."""

    def evaluate(predict):
        answers = predict(images)["probabilities"].argmax(axis=-1)
        return float(np.mean(answers == labels))

    return evaluate


def export_options(run, entry):
    """What the gate writes into the file's metadata, as arguments of `convert`.

    Args:
        run: metrics.json.
        entry: row of the zoo.
    """
    return {
        "labels": run["labels"],
        "normalization": (entry.mean, entry.std),
        "model_name": run["model"],
        "hashes": {"data": run["data_fingerprint"]["train"]},
    }
