"""Receiver operating characteristic: who is let in, by whom else is."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from kcv.viz import style

_COLOURS = (style.BLUE, style.ORANGE, style.GREEN, style.VERMILION)
_LEAST = 1e-3  # of the logarithmic axis


def save_roc(curves: Mapping, path: str | Path, mark: float | None = None) -> Path:
    """Draws curves on a plain and on a logarithmic axis, as a PNG.

    Args:
        curves: {name: (false accept rates, true accept rates)}, both ascending.
        path: where to write.
        mark: a false accept rate at which a line stands in the logarithmic panel.

    Returns:
        The path.

    Raises:
        ValueError: there is no curve.
    """
    if not curves:
        raise ValueError("a ROC picture needs at least one curve")
    with style.looks():
        figure = style.figure(8.6, 4.4)
        plain, logarithmic = figure.subplots(1, 2)
        for color, (name, (false, true)) in zip(_COLOURS, curves.items()):
            plain.plot(false, true, color=color, label=name)
            logarithmic.plot(np.maximum(false, 1e-9), true, color=color)
        chance = np.geomspace(_LEAST, 1, 100)
        dashed = {"color": style.MUTED, "ls": "--", "lw": 1}
        plain.plot([0, 1], [0, 1], label="chance", **dashed)
        logarithmic.plot(chance, chance, **dashed)
        plain.plot([0, 1], [1, 0], color=style.LINE, lw=1)  # it meets the EER
        plain.set_title("pairs let in")
        plain.legend(loc="lower right")
        logarithmic.set_title("few false accepts")
        logarithmic.set_xscale("log")
        logarithmic.set_xlim(_LEAST, 1)
        if mark:
            logarithmic.axvline(mark, color=style.MUTED, lw=1)
        for axis in (plain, logarithmic):
            axis.set_xlabel("false accept rate")
            axis.set_ylabel("true accept rate")
            axis.set_ylim(0, 1.02)
        plain.set_xlim(0, 1)
        return style.save(figure, path)
