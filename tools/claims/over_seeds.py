"""Words and pictures for what several seeds gave: always with the spread."""

import numpy as np

from kcv.viz import style

SMALL = {"fontsize": 9, "fontweight": "normal", "color": style.MUTED}


_PROPER = {"relu": "ReLU", "he": "He", "glorot": "Glorot", "nesterov": "Nesterov"}


def label(name, between=" "):
    """Returns what a picture calls an arm: "ReLU, He" for "relu_he" and ", "."""
    return between.join(_PROPER.get(word, word) for word in name.split("_"))


def of(runs, name):
    """The values of one number at all seeds, a list."""
    return [run[name] for run in runs]


def told(values, form=".3g"):
    """Returns such as "0.12 (0.1 to 0.15)": the mean, the least and the largest."""
    if None in values:
        words = ["none" if v is None else f"{v:{form}}" for v in values]
        return ", ".join(words if any(v is not None for v in values) else ["none"])
    low, high = f"{min(values):{form}}", f"{max(values):{form}}"
    mean = f"{sum(values) / len(values):{form}}"
    return mean if low == high else f"{mean} ({low} to {high})"


def band(axis, x, curves, color, label=None, **options):
    """Draws the mean of curves, one a seed, and the range that they cover.

    Args:
        axis: of matplotlib.
        x: positions, as long as each curve.
        curves: a list of lists; None leaves a gap.
        color: of both.
        label: for the legend.
        **options: of the line.
    """
    values = np.array(curves, dtype=float)  # None becomes NaN
    axis.fill_between(x, values.min(0), values.max(0), color=color, alpha=0.2, lw=0)
    axis.plot(x, values.mean(0), color=color, label=label, **options)


def dots(axis, names, groups, colors, form=".3g"):
    """Draws a row for each name: a bar of the mean and a dot for each seed.

    Args:
        axis: of matplotlib.
        names: of the rows, from the top.
        groups: for each row the values of all seeds.
        colors: of the rows.
        form: format of the mean beside the bar.
    """
    largest = max(max(values) for values in groups)
    for row, (values, color) in enumerate(zip(groups, colors)):
        mean = sum(values) / len(values)
        axis.barh(row, mean, 0.55, color=color, alpha=0.35, lw=0)
        axis.plot(values, [row] * len(values), "o", ms=5, color=color, mec="white")
        at = max(values) + 0.02 * largest
        axis.text(at, row, f"{mean:{form}}", va="center", fontsize=9)
    axis.set_yticks(range(len(names)), names)
    axis.set_ylim(len(names) - 0.4, -0.6)
    axis.set_xlim(0, 1.15 * largest if largest else 1)
    axis.grid(axis="y", visible=False)
