"""Lists the models of the zoo, or describes one; nothing is downloaded.

python -m kcv.tools.zoo                          all models, at once
python -m kcv.tools.zoo --model=mobilenet_v2     one: maps, layers, shapes (8 s)
python -m kcv.tools.zoo --task=classification --json
"""

import importlib
import json
import math
import sys

from absl import flags
from rich import box
from rich.console import Console
from rich.table import Table

from kcv import zoo
from kcv.tools import script

_MODEL = flags.DEFINE_enum("model", None, list(zoo.ZOO), "The model to describe.")
_TASK = flags.DEFINE_enum(
    "task", None, sorted({row.task for row in zoo.ZOO.values()}), "Only its models."
)
_JSON = flags.DEFINE_bool("json", False, "JSON in place of tables.")


def main(argv):
    """Prints the table or one model."""
    if len(argv) > 1:
        raise script.UsageError(f"no positional arguments, got {argv[1:]}")
    if _MODEL.value is not None:
        described = describe(_MODEL.value)
        print(json.dumps(described, indent=2)) if _JSON.value else _print(described)
        return
    rows = [summary(name) for name, row in zoo.ZOO.items() if _wanted(row)]
    print(json.dumps(rows, indent=2)) if _JSON.value else _print_all(rows)


def _wanted(row):
    return _TASK.value in (None, row.task)


def summary(name):
    """Returns what the zoo's row says, as JSON would have it."""
    row = zoo.entry(name)
    return {
        "model": name,
        "ids": list(row.ids),
        "task": row.task,
        "paper": row.paper,
        "input_shape": list(row.input_shape),
        "pixel_range": list(row.pixel_range),
        "parameters": row.parameters,
        "multiply_adds": row.multiply_adds,
        "recipe": row.recipe and f"tools/recipes/{row.recipe}.flags",
    }


def describe(name):
    """Returns `summary` with the feature maps and layers of the model, built."""
    model = zoo.build(name)
    path, builder = zoo.entry(name).build.args
    return {
        **summary(name),
        "file": f"kcv/models/{path.replace('.', '/')}.py",
        "builder": builder,
        "arguments": zoo.entry(name).build.keywords,
        "trainable_parameters": sum(
            math.prod(weight.shape) for weight in model.trainable_weights
        ),
        "feature_maps": _feature_maps(path, builder, name),
        "layers": [
            {
                "name": layer.name,
                "type": type(layer).__name__,
                "output_shape": list(layer.output.shape[1:]),
                "parameters": layer.count_params(),
            }
            for layer in model.layers
        ],
    }


def _feature_maps(path, builder, name):
    import keras  # here: the list must not wait for it

    row = zoo.entry(name)
    module = importlib.import_module(f"kcv.models.{path}")
    features = getattr(module, f"{builder}_features", None)
    if features is None:  # a network without convolutions has no maps
        return {}
    maps = features(keras.Input(row.input_shape), **row.build.keywords)
    return {level: list(x.shape[1:]) for level, x in maps.items()}


def _print_all(rows):
    console = Console(width=None if sys.stdout.isatty() else 120)
    for task in dict.fromkeys(row["task"] for row in rows):
        table = Table(title=task, box=box.SIMPLE_HEAD, padding=0, pad_edge=False)
        table.add_column("model", no_wrap=True)
        table.add_column("paper")
        for column in ("parameters", "multiply-adds"):
            table.add_column(column, justify="right", no_wrap=True)
        table.add_column("recipe", no_wrap=True)
        for row in rows:
            if row["task"] == task:
                table.add_row(*_cells(row))
        console.print(table)
    console.print("Recipes are files, tools/recipes/MODEL_RECIPE.flags.")
    console.print("--model=MODEL tells more of one.")


def _cells(row):
    authors = row["paper"].split(", https")[0]
    recipe = zoo.entry(row["model"]).recipe or ""
    millions = f"{row['multiply_adds'] / 1e6:,.2f} M"
    return (
        row["model"], authors, f"{row['parameters']:,}", millions,
        recipe.removeprefix(f"{row['model']}_"),
    )  # fmt: skip


def _print(described):
    console = Console(width=None if sys.stdout.isatty() else 120)
    layers, maps = described.pop("layers"), described.pop("feature_maps")
    for key, value in described.items():
        if isinstance(value, int):
            value = f"{value:,}"
        console.print(f"[bold]{key.replace('_', ' '):>20}[/]  {value}")
    for level, shape in maps.items():
        console.print(f"[bold]{level:>20}[/]  {_shape(shape)}")
    table = Table("layer", "type", "output (height, width, channels)")
    table.add_column("parameters", justify="right")
    for layer in layers:
        table.add_row(
            layer["name"], layer["type"], _shape(layer["output_shape"]),
            f"{layer['parameters']:,}",
        )  # fmt: skip
    console.print(table)


def _shape(shape):
    return " x ".join(map(str, shape))


if __name__ == "__main__":
    script.run(main)
