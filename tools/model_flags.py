"""Flags of the scripts that look into a model: which one, and which images."""

from absl import flags

from kcv.tools import open_model, open_pictures

_F = flags.FLAGS

flags.DEFINE_string("model", None, "Folder of a run, .keras file, or name in the zoo.")
flags.DEFINE_string("weights", None, "Of a name in the zoo: 'imagenet' or a file.")
flags.DEFINE_integer("image_size", None, "Pixels a side; the model's own size.", 1)
flags.DEFINE_string("zoo_name", None, "Name in the zoo, if there is no metrics.json.")
flags.DEFINE_list("pixel_range", None, "Black and white as the model wants them: -1,1.")
flags.DEFINE_string("layer", None, "Name of the layer to look at.")
flags.DEFINE_string(
    "data",
    None,
    "'digits', 'tfds:NAME', a folder of class folders, or one of pictures alone; "
    "default: what the model was trained on.",
)
flags.DEFINE_string("data_dir", None, "Where TFDS keeps its sets; its own default.")
flags.DEFINE_float(
    "max_bad_share",
    None,
    "Share of unreadable files at which to stop; default: the run's, or 0.05.",
    0,
    1,
)
flags.DEFINE_integer("seed", 0, "Of random weights.", 0)
flags.mark_flag_as_required("model")


def opened():
    """Returns the `open_model.Opened` that the flags name."""
    found = open_model.open_model(
        _F.model, _F.weights, _F.image_size, _F.pixel_range, _F.zoo_name, _F.seed
    )
    if found.weights == open_model.RANDOM:
        print(f"{_F.model} has random weights: --weights gives others", flush=True)
    return found


def splits(opened, names):
    """Returns {split: `kcv.data.Source`}; {"all": ...} of pictures without classes."""
    if _F.data and open_pictures.is_flat(_F.data):
        return {"all": open_pictures.open_folder(_F.data, bad_share())}
    options = (_F.data, _F.data_dir, _F.max_bad_share)
    return {
        name: open_model.open_split(opened.run, opened.path, name, *options)
        for name in names
    }


def bad_share():
    """Share of unreadable files at which to stop, where no run says one."""
    return 0.05 if _F.max_bad_share is None else _F.max_bad_share
