"""Opens a model by what a person calls it, with what its images have to be like."""

import json
import pathlib
import zipfile
from typing import NamedTuple

import keras

from kcv import data, zoo
from kcv.models import saved
from kcv.tools import script

RANDOM = "random weights"


class Opened(NamedTuple):
    """A model and what is known of it.

    Parameters:
        model: `keras.Model` with one input, images.
        path: The file, or what the user typed where it is a name of the zoo.
        weights: Where its weights come from, in words.
        image_shape: (height, width, channels) of an image.
        pixel_range: Black and white as the model wants them.
        run: metrics.json of its training, {} where there is none.
    """

    model: keras.Model
    path: pathlib.Path
    weights: str
    image_shape: tuple[int, int, int]
    pixel_range: tuple[float, float]
    run: dict


def open_model(name, weights=None, image_size=None, values=None, zoo_name=None, seed=0):
    """Opens a finished run, a .keras file or a model of the zoo.

    Args:
        name: Folder of train_classifier, path of a .keras file, or name in the zoo.
        weights: "imagenet" or a path, for a model of the zoo; None: random ones.
        image_size: Pixels a side, where the model does not fix it.
        values: Black and white as the model wants them; None for what is known.
        zoo_name: Whose pixel range a .keras file has, where nothing says so.
        seed: Of random weights.

    Returns:
        `Opened`.

    Raises:
        ValueError: It is none of these, or no model of images.
        FileNotFoundError: A folder without a model.
    """
    path, run, source = pathlib.Path(name), {}, RANDOM
    if name in zoo.ZOO:
        options = {"weights": weights}
        if image_size:
            channels = zoo.entry(name).input_shape[2]
            options["input_shape"] = (image_size, image_size, channels)
        keras.utils.set_random_seed(seed)
        model = zoo.build(name, **options)
        zoo_name = name
        source = weights or source
    else:
        if weights:
            raise script.UsageError(
                f"--weights={weights} are for a name in the zoo; {name} has its own"
            )
        path = _file(path)
        model, run, source = load(path), read_run(path.parent), "its own weights"
    shape = _image_shape(model, name, image_size)
    levels = pixel_range(run, path, values, zoo_name)
    return Opened(model, path, source, shape, levels, run)


def _file(path):
    if path.is_dir():
        path = path / "model.keras"
        if not path.is_file():
            raise FileNotFoundError(
                f"{path.parent} has no model.keras: it is not a finished run of "
                "train_classifier"
            )
    elif not path.exists() and path.suffix != ".keras":
        raise ValueError(
            f"--model={path} is neither the folder of a run, nor a .keras file, nor a "
            "name that python -m kcv.tools.zoo lists"
        )
    return path


def load(path):
    """The model; ValueError with one line if there is none."""
    if not path.is_file():
        raise FileNotFoundError(f"--model={path} does not exist")
    if not zipfile.is_zipfile(path):
        raise ValueError(f"--model={path} is not a .keras file")
    try:
        return saved.load_model(path)
    except (ValueError, TypeError, KeyError, ImportError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"--model={path} does not load: {reason[:200]}") from error


def read_run(folder):
    """What training has written into metrics.json; {} where there is no such file."""
    path = folder / "metrics.json"
    if not path.is_file():
        return {}
    try:
        run = json.loads(path.read_text())
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is not JSON: {error}") from error
    if not isinstance(run, dict):
        raise ValueError(f"{path} must hold an object")
    return run


def pixel_range(run, path, values=None, zoo_name=None):
    """(low, high) from what is given, the zoo's row or the run, in this order."""
    if values is None and zoo_name:
        values = zoo.entry(zoo_name).pixel_range
    if values is None:
        values = run.get("pixel_range")
    if values is None and "model" in run:
        values = zoo.entry(run["model"]).pixel_range
    if values is None:
        raise ValueError(
            f"no metrics.json beside {path} states the pixel range: give --zoo_name "
            "or --pixel_range"
        )
    try:
        low, high = (float(value) for value in values)
    except ValueError as error:
        raise ValueError(f"pixel range {values} is not two numbers") from error
    if not low < high:
        raise ValueError(f"pixel range {values}: black must be below white")
    return low, high


def open_split(run, path, split, name=None, data_dir=None, max_bad_share=None):
    """One split of a data set, or of the data that a model was trained on.

    Args:
        run: metrics.json of the model, or {}.
        path: The model, for messages.
        split: "train", "validation" or "test".
        name: As for `kcv.data.source`; None for the run's.
        data_dir: Where TFDS keeps its sets; None for the run's.
        max_bad_share: Share of unreadable files at which to stop; None for the run's.

    Raises:
        ValueError: No data are named, or the run's have changed since.
    """
    name = name or run.get("data")
    if name is None:
        raise ValueError(f"no metrics.json beside {path} names the data: give --data")
    settings = run.get("flags", {}) if name == run.get("data") else {}
    options = {}
    if name.startswith("tfds:"):
        options = {"data_dir": data_dir or settings.get("data_dir")}
    elif name != "digits" and not name.startswith("scenes/"):
        share = (
            settings.get("max_bad_share") if max_bad_share is None else max_bad_share
        )
        options = {} if share is None else {"max_bad_share": share}
    source = data.source(name, split, seed=settings.get("seed", 0), **options)
    known = run.get("data_fingerprint")
    known = known.get(split) if isinstance(known, dict) else None
    if settings and known not in (None, source.fingerprint):
        raise ValueError(
            f"the {split} images of {name} have changed since the training"
        )
    return source


def _image_shape(model, name, image_size):
    shape = tuple(model.inputs[0].shape[1:])
    if len(model.inputs) != 1 or len(shape) != 3 or shape[2] not in (1, 3):
        shapes = [tuple(tensor.shape[1:]) for tensor in model.inputs]
        raise ValueError(
            f"--model={name} takes {shapes}: one input (height, width, 1 or 3) is "
            "needed"
        )
    if image_size is None and None in shape[:2]:
        raise ValueError(f"--model={name} takes images of any size: give --image_size")
    height, width = (side or image_size for side in shape[:2])
    if image_size and (height, width) != (image_size, image_size):
        raise script.UsageError(
            f"--image_size={image_size}, but {name} takes {height} x {width} pixels"
        )
    return height, width, shape[2]
