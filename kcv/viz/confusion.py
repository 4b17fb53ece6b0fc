"""The confusion matrix as a picture: right answers blue, mistakes orange."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.colors import LinearSegmentedColormap, to_rgb

from kcv.viz import style

_MOST_COUNTED = 25  # with more classes the numbers in the cells can't be read
_MOST_NAMED = 150  # nor the names beside them; drawing 1000 of them takes a minute
_RIGHT = LinearSegmentedColormap.from_list("right", ["#F4F8FB", "#56A5D2", style.BLUE])
_WRONG = LinearSegmentedColormap.from_list("wrong", ["#FFFFFF", "#F6C244", "#B34A00"])


def save_confusion(matrix, class_names: Sequence[str], path: str | Path) -> Path:
    """Draws a confusion matrix as a PNG, each row in shares of its class.

    Args:
        matrix: (classes, classes) counts, rows the truth, columns the predictions.
        class_names: a name for each class.
        path: where to write.

    Returns:
        The path.

    Raises:
        ValueError: if the matrix is not square or the names are not as many.
    """
    matrix = np.asarray(matrix)
    if matrix.shape != (len(class_names), len(class_names)) or not len(class_names):
        raise ValueError(
            f"a matrix {matrix.shape} does not fit {len(class_names)} class names"
        )
    examples = matrix.sum(axis=1, keepdims=True)
    shares = np.divide(matrix, examples, out=np.zeros(matrix.shape), where=examples > 0)
    classes = len(matrix)
    with style.looks():
        side = float(np.clip(0.42 * classes, 3.2, 11))
        names = [_shortened(str(name)) for name in class_names]
        label = max(map(len, names)) * 0.07 + 0.6 if classes <= _MOST_NAMED else 0.9
        figure = style.figure(side + label + 0.4, side + label + 0.5)
        axis = figure.subplots()
        axis.imshow(_colors(shares), interpolation="nearest")
        _labels(axis, names)
        if classes <= _MOST_COUNTED:
            _counts(axis, matrix, shares)
        hits, total = int(np.trace(matrix)), int(matrix.sum())
        share = f"{100 * hits / total:.2f} %" if total else "no examples"
        axis.set_title(f"{share} right")
        axis.set_title(f"{hits} of {total}", loc="right", **_SMALL)
        return style.save(figure, path)


_SMALL = {"fontsize": 9, "fontweight": "normal", "color": style.MUTED}


def _colors(shares):
    """RGB of every cell; the root makes single mistakes visible."""
    colors = _WRONG(np.sqrt(shares))[..., :3]
    diagonal = np.diag_indices(len(shares))
    colors[diagonal] = _RIGHT(shares[diagonal])[..., :3]
    colors[(shares == 0) & ~np.eye(len(shares), dtype=bool)] = to_rgb(style.PAPER)
    return colors


def _labels(axis, names):
    classes = len(names)
    axis.set_xlabel("predicted")
    axis.set_ylabel("true")
    axis.grid(False)
    axis.spines[:].set_visible(False)
    if classes > _MOST_NAMED:  # by their numbers
        return
    size = float(np.clip(460 / classes, 4.5, 10))
    upright = classes <= 12 and max(map(len, names)) <= 3
    axis.set_xticks(range(classes), names, rotation=0 if upright else 90, fontsize=size)
    axis.set_yticks(range(classes), names, fontsize=size)
    edges = np.arange(classes + 1) - 0.5  # lines between the cells
    width = min(0.8, 16 / classes)
    axis.vlines(edges, -0.5, classes - 0.5, color=style.LINE, lw=width)
    axis.hlines(edges, -0.5, classes - 0.5, color=style.LINE, lw=width)


def _counts(axis, matrix, shares):
    colors = _colors(shares)
    size = float(np.clip(110 / len(matrix), 6, 10))
    for (row, column), count in np.ndenumerate(matrix):
        if count:
            light = colors[row, column] @ (0.299, 0.587, 0.114) > 0.55
            color = style.INK if light else style.PAPER
            axis.text(
                column,
                row,
                str(count),
                ha="center",
                va="center",
                color=color,
                size=size,
            )


def _shortened(name, most=28):
    return name if len(name) <= most else name[: most - 1] + "…"
