r"""Draws records of a data set with every label that they have, and says what is in it.

  python -m kcv.tools.show_data --data=scenes/detection
  python -m kcv.tools.show_data --data=coco:/data/coco --options=task=keypoints \
      --split=validation --count=6 --output=runs/coco.png

Ten seconds. Takes 'digits', 'scenes/VIEW', 'tfds:NAME', 'coco:PATH' and the other
formats, or the path of a folder of class folders: look at a data set before you train
on it. Other pictures than these come with another --seed.
"""

import pathlib

import numpy as np
import tensorflow as tf
from absl import flags

from kcv.data import sources, structured
from kcv.data.scenes import attributes, relations
from kcv.tools import data_options, script
from kcv.viz.label_text import texts
from kcv.viz.records import draw_gallery

_DATA = flags.DEFINE_string("data", None, "Name, FORMAT:PATH or path of the data.")
_SPLIT = flags.DEFINE_enum("split", "train", sources.SPLITS, "Which part of it.")
_COUNT = flags.DEFINE_integer("count", 12, "Records to draw.", lower_bound=1)
_SEED = flags.DEFINE_integer("seed", 0, "Which records are drawn.", lower_bound=0)
_OUTPUT = flags.DEFINE_string("output", "gallery.png", "The picture.")
flags.mark_flag_as_required("data")
flags.adopt_module_key_flags(data_options)

SHOWN = 10  # malformed records that are printed
_CLASSES = 12  # likewise class names


def main(argv):
    """Draws and tells."""
    if len(argv) > 1:
        raise script.UsageError(f"no positional arguments, got {argv[1:]}")
    output = pathlib.Path(_OUTPUT.value)
    if output.suffix.lower() != ".png":
        raise script.UsageError(f"--output={output}: the name must end in .png")
    options = data_options.parse(data_options.OPTIONS.value)
    if _DATA.value.startswith("scenes/"):
        options.setdefault("draw", True)  # a few are drawn sooner than all files

    # Data.
    records, source = read(_DATA.value, _SPLIT.value, _COUNT.value, options)

    # Results.
    print(describe(source, records, f"{_DATA.value}, {_SPLIT.value}"), flush=True)
    names = names_of(_DATA.value, source.class_names)
    print(draw_gallery(records, output, names))


def read(name, split, count, options):
    """Returns the records and the `Source`; an unknown option is wrong usage."""
    try:
        return structured.examples(name, split, count, _SEED.value, **options)
    except TypeError as error:
        if "unexpected keyword" not in str(error):
            raise
        raise script.UsageError(f"--options: {error}") from error
    except tf.errors.OpError as error:  # TensorFlow wraps what a reader raises
        raise ValueError(error.message.strip().splitlines()[0]) from error


def describe(source, records, name):
    """Returns lines about a data set.

    Args:
        source: `kcv.data.Source`.
        records: Some of its records.
        name: What to call it.
    """
    lines = [("data", name), ("records", f"{source.num_examples:,}")]
    classes = [str(each) for each in source.class_names]
    if classes:
        more = f", and {len(classes) - _CLASSES} more"
        told = ", ".join(classes[:_CLASSES]) + (more if len(classes) > _CLASSES else "")
        lines.append(("classes", f"{len(classes)}: {told}"))
    lines.append(("malformed", f"{len(source.bad)}"))
    lines += [("", line) for line in source.bad[:SHOWN]]
    if len(source.bad) > SHOWN:
        lines.append(("", f"and {len(source.bad) - SHOWN} more"))
    lines.append(("fingerprint", source.fingerprint[:16]))
    found = [f"{name:<12} {text}" for name, text in lines]
    rows = [("key", "shape", "dtype", "values")]
    keys = dict.fromkeys(key for record in records for key in record)
    for key in keys:
        values = [np.asarray(record[key]) for record in records if key in record]
        rows.append((key, shape_of(values), *range_of(values)))
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    found += [""] + [
        "  ".join([*(f"{cell:<{w}}" for cell, w in zip(row, widths)), row[3]])
        for row in rows
    ]
    return "\n".join(found)


def names_of(name, class_names):
    """Returns {key: names}; scenes have names for more than classes."""
    keys = ("labels", "classes", "semantic", "answer_class")
    names = dict.fromkeys(keys, class_names)
    if name.startswith("scenes/"):
        names["attributes"] = [value for _, value in attributes.VALUES]
        names["relations"] = relations.RELATIONS
    return names


def shape_of(arrays):
    """Returns such as "128 x 128 x 3", "1..7 x 4" where it varies; "one" for ()."""
    if len({array.ndim for array in arrays}) > 1:
        return "varies"
    dims = [
        f"{min(sizes)}..{max(sizes)}" if min(sizes) < max(sizes) else f"{sizes[0]}"
        for sizes in zip(*(array.shape for array in arrays))
    ]
    return " x ".join(dims) or "one"


def range_of(arrays):
    """Returns the dtype and the least and largest value, or one text."""
    if arrays[0].dtype.kind in "OSU":
        found = [text for array in arrays for text in texts(array)]
        first = " ".join(found[0].split()) if found else ""
        return "text", f"{first[:48]}..." if len(first) > 48 else first
    found = np.concatenate([array.ravel() for array in arrays])
    found = found[np.isfinite(found)]
    dtype = str(arrays[0].dtype)
    return dtype, f"{found.min():.4g} to {found.max():.4g}" if len(found) else "none"


if __name__ == "__main__":
    script.run(main)
