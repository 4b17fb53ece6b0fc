"""The look that all pictures share, and how they are written: whole or not at all.

Colours are those of M. Okabe and K. Ito, "Color Universal Design", 2008,
https://jfly.uni-koeln.de/color/, which colour-blind people tell apart.
"""

from pathlib import Path

import matplotlib
from matplotlib.figure import Figure
from PIL import ImageFont

from kcv import files

BLUE, ORANGE, GREEN, VERMILION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
INK, MUTED, LINE, PAPER = "#1F2933", "#66717E", "#D9DEE4", "#FFFFFF"

_RC = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 10,
    "text.color": INK,
    "axes.edgecolor": LINE,
    "axes.labelcolor": MUTED,
    "axes.titlecolor": INK,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": LINE,
    "grid.linewidth": 0.8,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "xtick.minor.size": 0,
    "ytick.minor.size": 0,
    "legend.frameon": False,
    "lines.linewidth": 2,
    "lines.solid_capstyle": "round",
    "figure.facecolor": PAPER,
    "figure.dpi": 150,
}


def looks():
    """The style as a context manager, which holds for figures drawn inside."""
    return matplotlib.rc_context(_RC)


def figure(width: float, height: float) -> Figure:
    """An empty figure of width x height inches that pyplot knows nothing of."""
    drawn = Figure(figsize=(width, height), layout="constrained")
    drawn.get_layout_engine().set(w_pad=0.14, h_pad=0.12, wspace=0.04)  # inches
    return drawn


def font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """The typeface of the figures for Pillow; size in pixels."""
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(Path(matplotlib.get_data_path(), "fonts/ttf", name), size)


def save(picture, path: str | Path) -> Path:
    """Writes a Figure or a PIL image as PNG beside `path` and renames it into place.

    Returns:
        The path.
    """
    path = Path(path)
    with files.replacing(path) as hidden:
        if isinstance(picture, Figure):  # no date or version inside: same bytes
            picture.savefig(hidden, format="png", metadata={"Software": None})
        else:
            picture.save(hidden, format="PNG", optimize=True)
    return path
