"""Training curves: one panel a quantity, training against validation."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.ticker import MaxNLocator

from kcv.viz import style

VALIDATION = ("validation_", "val_")
_NOT_CURVES = ("epoch", "step", "seconds", "waiting", "images_per_second")
_LOWER_IS_BETTER = ("loss", "error")


def save_curves(history_rows: Sequence[Mapping], path: str | Path) -> Path:
    """Draws the history of a training run as a PNG.

    Args:
        history_rows: one mapping an epoch, as csv.DictReader gives: "epoch", "loss",
            "validation_loss", any metric with and without "validation_", and
            "learning_rate". A missing, empty or NaN value leaves a gap.
        path: where to write.

    Returns:
        The path.

    Raises:
        ValueError: if there is no row or no column to draw.
    """
    panels = _panels(history_rows)
    if not panels:
        raise ValueError("the history holds no column to draw, such as loss")
    rows = list(history_rows)
    epochs = [_number(row.get("epoch", i + 1)) for i, row in enumerate(rows)]
    with style.looks():
        figure = style.figure(4.2 * len(panels), 3.4)
        for axis, name in zip(
            figure.subplots(1, len(panels), squeeze=False)[0], panels
        ):
            _panel(axis, name, epochs, rows)
        return style.save(figure, path)


def _panels(rows):
    """Names of the panels: loss first, the learning rate last."""
    names = dict.fromkeys(_bare(column) for row in rows for column in row)
    names = [
        name
        for name in names
        if name not in _NOT_CURVES
        and any(math.isfinite(v) for v in _values(rows, name))
    ]
    return sorted(names, key=lambda n: (n == "learning_rate", n != "loss"))


def _panel(axis, name, epochs, rows):
    training = [_number(row.get(name)) for row in rows]
    validation = [_number(row.get(_validation_column(row, name))) for row in rows]
    marker = "o" if len(rows) < 12 else None
    series = (
        ("training", training, style.BLUE),
        ("validation", validation, style.ORANGE),
    )
    if name == "learning_rate":
        series = (("learning rate", training, style.MUTED),)
    for label, values, color in series:
        if any(math.isfinite(v) for v in values):
            axis.plot(epochs, values, marker=marker, ms=4, color=color, label=label)
    axis.set_title(name.replace("_", " "))
    axis.set_xlabel("epoch")
    axis.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    axis.margins(y=0.12)
    if len(rows) == 1:
        axis.set_xlim(epochs[0] - 1, epochs[0] + 1)
    if name == "learning_rate":
        axis.yaxis.set_major_formatter("{x:.3g}")  # no power of ten above the axis
        axis.set_ylim(bottom=0)
        return
    _mark_best(axis, name, epochs, validation)
    axis.legend()


def _mark_best(axis, name, epochs, values):
    finite = [(v, e) for v, e in zip(values, epochs) if math.isfinite(v)]
    if not finite:
        return
    lower = any(word in name for word in _LOWER_IS_BETTER)
    best, epoch = min(finite, key=lambda p: (p[0] if lower else -p[0], p[1]))
    axis.plot([epoch], [best], "o", ms=9, mfc="none", mec=style.INK, mew=1.4)
    axis.set_title(f"best {best:.4g}, epoch {epoch:g}", loc="right", **_SMALL)


_SMALL = {"fontsize": 9, "fontweight": "normal", "color": style.MUTED}


def _bare(column):
    for prefix in VALIDATION:
        if column.startswith(prefix):
            return column.removeprefix(prefix)
    return column


def _validation_column(row, name):
    columns = [prefix + name for prefix in VALIDATION]
    return next((column for column in columns if column in row), columns[0])


def _values(rows, name):
    return [
        _number(row.get(column))
        for row in rows
        for column in (name, _validation_column(row, name))
    ]


def _number(value):
    return math.nan if value in (None, "") else float(value)
