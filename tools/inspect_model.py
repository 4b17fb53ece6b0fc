r"""Draws what a classifier has learned, and where it looks, as a sheet a question.

  python -m kcv.tools.inspect_model --model=runs/digits --output_dir=runs/digits/looks
  python -m kcv.tools.inspect_model --model=runs/mine --images=cat.jpg,dog.jpg \
      --what=grad_cam,occlusion --class=cat

Half a minute for a small network. --what names filters (kernels of a layer), maps (what
layers give for an image), occlusion (the answer while a part is covered), deconvnet
(what made a channel speak), grad_cam (where a class was seen) and attention (of vision
transformers); by default all that the model has. Without --images, some of the data.
"""

import pathlib

import keras
import numpy as np
from absl import flags
from rich.console import Console
from rich.progress import track

from kcv.data import preprocess
from kcv.data.sources import SPLITS
from kcv.tools import inspect_sheets, model_flags, open_pictures, script
from kcv.viz.rows import save_rows

_F = flags.FLAGS

flags.DEFINE_list(
    "what", None, f"Of {', '.join(inspect_sheets.SHEETS)}; default: what there is."
)
flags.DEFINE_list("images", None, "Files, or folders of pictures; comma between them.")
flags.DEFINE_enum("split", "test", SPLITS, "Where images come from without --images.")
flags.DEFINE_integer("count", 6, "How many of the data, or of each folder.", 1)
flags.DEFINE_list("channel", None, "Numbers of maps, for maps and deconvnet.")
_CLASS = flags.DEFINE_string(
    "class", None, "Name or number of what to look for; default: the answer."
)
flags.DEFINE_integer(
    "square", None, "Covers so many pixels a side; default: a quarter of the image.", 1
)
flags.DEFINE_string("output_dir", None, "Folder for the pictures; created.")
flags.mark_flag_as_required("output_dir")
flags.adopt_module_key_flags(model_flags)


def main(argv):
    if len(argv) > 1:
        raise script.UsageError(f"no positional arguments, got {' '.join(argv[1:])}")
    for kind in _F.what or []:
        if kind not in inspect_sheets.SHEETS:
            raise script.UsageError(
                f"--what={kind}: known are {', '.join(inspect_sheets.SHEETS)}"
            )
    if any(not channel.isdecimal() for channel in _F.channel or []):
        raise script.UsageError(f"--channel={','.join(_F.channel)}: give numbers")

    # Model.
    opened = model_flags.opened()
    model = classifier(opened.model)
    kinds = _F.what or inspect_sheets.kinds_of(model, _F.layer)

    # Data.
    pictures, truths, labels = [], [], list(opened.run.get("labels", []))
    if kinds != ["filters"]:
        pictures, truths, names = read_images(opened)
        labels = labels or names
    pixels = [
        preprocess.pillow_preprocess(image, opened.image_shape) for image in pictures
    ]
    images = np.asarray(preprocess.normalize(np.array(pixels), opened.pixel_range))
    if labels and len(labels) != model.output.shape[-1]:
        labels = []  # of other data than the model's
    wanted = number_of(_CLASS.value, labels, model.output.shape[-1])

    # Results.
    look = inspect_sheets.Look(
        model,
        images,
        [np.asarray(image) for image in pictures],
        truths,
        labels,
        model.predict_on_batch(images) if len(images) else None,
        wanted,
        _F.layer,
        [int(channel) for channel in _F.channel or []],
        _F.square,
    )
    folder, console = pathlib.Path(_F.output_dir), Console(stderr=True)
    bar = {"console": console, "disable": not console.is_terminal, "transient": True}
    for kind in track(kinds, "drawing", **bar):
        path = save_rows(inspect_sheets.SHEETS[kind](look), folder / f"{kind}.png")
        print(f"wrote {path}", flush=True)


def classifier(model):
    """Returns the model from images to (n, classes), of several outputs the classes.

    Raises:
        ValueError: if no output is of this shape.
    """
    output = model.outputs[0]
    if len(model.outputs) > 1 and "predictions" in [la.name for la in model.layers]:
        output = model.get_layer("predictions").output
    if len(output.shape) != 2:
        shapes = [tuple(tensor.shape) for tensor in model.outputs]
        raise ValueError(f"{model.name} gives {shapes}: it is no classifier of images")
    return keras.Model(model.inputs[0], output, name=model.name)


def read_images(opened):
    """Returns [Pillow image, ...], [name of the right class or None, ...], classes."""
    if _F.images:
        share = model_flags.bad_share()
        found = [open_pictures.files_at(given, share) for given in _F.images]
        paths = [files[at] for files in found for at in spread(len(files))]
        images = [open_pictures.read(path) for path in paths]
        return images, [None] * len(images), []
    source = next(iter(model_flags.splits(opened, [_F.split]).values()))
    return open_pictures.with_labels(source, spread(source.num_examples))


def spread(count):
    """Numbers below `count`, as many as --count, from the first to the last."""
    return np.linspace(0, count - 1, min(_F.count, count)).astype(int)


def number_of(name, labels, count):
    """Returns the number of a class given by name or number; None for None."""
    if name is None:
        return None
    if name in labels:
        return labels.index(name)
    if name.isdecimal() and int(name) < count:
        return int(name)
    known = f", or one of {', '.join(labels)}" if labels else ""
    raise ValueError(f"--class={name}: give a number up to {count - 1}{known}")


if __name__ == "__main__":
    script.run(main)
