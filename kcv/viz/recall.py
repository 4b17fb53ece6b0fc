"""Recall of region proposals: how many objects are reached, and how well."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from kcv.viz import style

_COLOURS = (style.BLUE, style.ORANGE, style.GREEN, style.VERMILION)


def save_recall(curves: Mapping, ious, path: str | Path) -> Path:
    """Draws one panel for each method, a line for each number of proposals, as a PNG.

    Args:
        curves: {method: {number of proposals: float (n,), recalls}}; up to four
            numbers.
        ious: float (n,), the overlaps that the recalls are at, ascending.
        path: where to write.

    Returns:
        The path.

    Raises:
        ValueError: there is no method, there are no numbers or more than four of a
            method, or recalls and overlaps differ in length.
    """
    ious = np.asarray(ious)
    if not curves:
        raise ValueError("a recall picture needs at least one method")
    for method, lines in curves.items():
        if not 1 <= len(lines) <= len(_COLOURS):
            raise ValueError(
                f"{method} has {len(lines)} numbers of proposals: give 1 to 4"
            )
        for count, recalls in lines.items():
            if np.shape(recalls) != ious.shape:
                raise ValueError(
                    f"{method}, {count} proposals: recalls of shape "
                    f"{np.shape(recalls)} for overlaps of {ious.shape}"
                )
    with style.looks():
        figure = style.figure(0.6 + 4.2 * len(curves), 4)
        axes = figure.subplots(1, len(curves), squeeze=False, sharey=True)[0]
        for axis, (method, lines) in zip(axes, curves.items()):
            # Most proposals first: the legend has the order of the lines.
            for color, (count, recalls) in zip(
                _COLOURS, sorted(lines.items(), reverse=True)
            ):
                axis.plot(ious, recalls, color=color, label=f"{count:,}")
            axis.set_title(method)
            axis.set_xlabel("least IoU")
            axis.set_xlim(ious[0], ious[-1])
            axis.set_ylim(0, 1.02)
        axes[0].set_ylabel("objects reached")
        axes[0].legend(loc="lower left", title="proposals")
        return style.save(figure, path)
