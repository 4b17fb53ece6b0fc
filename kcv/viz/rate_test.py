"""A learning-rate range test as a picture: the loss over the rate."""

from pathlib import Path

import numpy as np

from kcv.viz import style


def save_rate_test(rates, losses, smoothed, suggested, path: str | Path) -> Path:
    """Draws the losses of a range test as a PNG.

    Args:
        rates: learning rates, increasing.
        losses: of the batch at each rate; one that is not finite leaves a gap.
        smoothed: their running mean.
        suggested: the rate to mark, or None.
        path: where to write.

    Returns:
        The path.

    Raises:
        ValueError: if there are fewer than two rates, or other numbers of losses.
    """
    if len(rates) < 2 or not len(rates) == len(losses) == len(smoothed):
        raise ValueError(
            "a range test needs two rates or more and a loss for each, got "
            f"{len(rates)} rates, {len(losses)} losses, {len(smoothed)} smoothed"
        )
    with style.looks():
        figure = style.figure(6.4, 3.8)
        axis = figure.subplots()
        axis.plot(rates, losses, color=style.MUTED, lw=0.8, alpha=0.7, label="batch")
        axis.plot(rates, smoothed, color=style.BLUE, label="smoothed")
        axis.set_xscale("log")
        axis.set_xlabel("learning rate")
        axis.set_title("loss")
        axis.set_ylim(*_limits(smoothed))
        if suggested is not None:
            axis.axvline(suggested, color=style.ORANGE, ls="--", lw=1.4)
            axis.set_title(f"falls fastest at {suggested:.3g}", loc="right", **_SMALL)
        axis.legend(loc="lower left")
        return style.save(figure, path)


_SMALL = {"fontsize": 9, "fontweight": "normal", "color": style.MUTED}


def _limits(smoothed):
    """From below the lowest to above the first: the divergence leaves the picture."""
    values = np.asarray(smoothed, "float64")
    values = values[np.isfinite(values)]
    if not len(values):
        return 0.0, 1.0
    low, first = values.min(), values[0]
    room = max(first - low, 0.05 * abs(first), 1e-6)
    return low - 0.15 * room, first + 0.35 * room
