"""All models by name. One row here gives a model its name, test and table entry.

Reading the table costs no import of Keras (seconds): a row's builder imports the file
of its model when it is called. The rows of a task are a file of this folder.
"""

from typing import TYPE_CHECKING

from kcv.zoo import classification, detection, foundations, mobile
from kcv.zoo.entry import Entry

if TYPE_CHECKING:
    import keras

__all__ = ["ZOO", "Entry", "build", "entry", "names"]

ZOO = foundations.ROWS | classification.ROWS | mobile.ROWS | detection.ROWS


def names(task) -> list[str]:
    """Returns the names of the models of a task."""
    return [name for name, row in ZOO.items() if row.task == task]


def entry(name: str) -> Entry:
    """Returns the row of `name`; the error for an unknown one lists all names."""
    if name not in ZOO:
        raise ValueError(f"no model {name!r} in the zoo; known: {', '.join(ZOO)}")
    return ZOO[name]


def build(name: str, **kwargs) -> "keras.Model":
    """Builds the model `name`; `kwargs` go to its builder, e.g. classes=10."""
    row = entry(name)
    return row.build(**{"input_shape": row.input_shape, **kwargs})
