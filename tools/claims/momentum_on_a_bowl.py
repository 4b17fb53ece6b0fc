"""Momentum and Nesterov need fewer steps than plain SGD on an ill-conditioned bowl.

Papers: B. Polyak, "Some methods of speeding up the convergence of iteration methods",
1964, https://doi.org/10.1016/0041-5553(64)90137-5; I. Sutskever et al., "On the
importance of initialization and momentum in deep learning", 2013,
https://proceedings.mlr.press/v28/sutskever13.html

Measured: steps of `keras.optimizers.SGD` until a quadratic of two variables with
curvatures 1 and 100, turned and started as the seed draws, is below a millionth of its
start; for plain SGD, momentum 0.9 and Nesterov 0.9 at the best of seven rates between
0.002 and 0.028. Plain SGD's best rate in theory, 2 / 101, is about one of them.

It holds if at every seed both need at most half of the steps of plain SGD.
"""

import keras
import numpy as np

from kcv.tools.claims.over_seeds import SMALL, band, label, of, told
from kcv.viz import style

CLAIM = "Momentum and Nesterov beat plain SGD on an ill-conditioned bowl."
IDS = ("F05",)

CURVATURES = (1.0, 100.0)
RATES = (0.002, 0.004, 0.007, 0.01, 0.014, 0.0198, 0.028)
TARGET, LONGEST = 1e-6, 600
SHOWN, SHOWN_VALUES = 40, 400  # steps of a path and of a curve
STEPS_NAMED = (25, 50, 100, 200, 400)
ARMS = {
    "plain": ({}, style.VERMILION),
    "momentum": ({"momentum": 0.9}, style.BLUE),
    "nesterov": ({"momentum": 0.9, "nesterov": True}, style.GREEN),
}


def run(seed, rates=RATES):
    """Returns steps by rate (None: diverged or too many), the best, and its path."""
    found = {}
    for name, (options, _) in ARMS.items():
        paths = [descend(seed, rate, **options) for rate in rates]
        steps = [steps_needed(values) for values, _ in paths]
        reached = [count for count in steps if count is not None]
        best = steps.index(min(reached)) if reached else 0
        values, places = paths[best]
        found[f"steps_{name}"] = min(reached, default=None)
        found[f"best_rate_{name}"] = rates[best]
        found[f"steps_by_rate_{name}"] = steps
        found[f"values_{name}"] = [*values, *[None] * LONGEST][:SHOWN_VALUES]
        found[f"x_{name}"], found[f"y_{name}"] = np.transpose(places[:SHOWN]).tolist()
    return found


def descend(seed, rate, **options):
    """Minimises the bowl.

    Args:
        seed: of the bowl's turn and of the start.
        rate: of SGD.
        **options: of `keras.optimizers.SGD`.

    Returns:
        Values over that of the start, and places (x, y) in the bowl's own axes, from
        the start on; they end at the target, at a value above 1e6 or after LONGEST.
    """
    random = np.random.default_rng(seed)
    angle, begin = random.uniform(0, np.pi), random.uniform(0.5, 1.0, 2)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    hessian = turn @ np.diag(CURVATURES) @ turn.T
    place = keras.Variable(turn @ begin)
    optimizer = keras.optimizers.SGD(rate, **options)
    values, places = [], []
    for _ in range(LONGEST + 1):
        at = keras.ops.convert_to_numpy(place)
        places.append((turn.T @ at).tolist())
        values.append(float(at @ hessian @ at / 2))
        if not TARGET < values[-1] / values[0] < 1e6:
            break
        optimizer.apply([keras.ops.convert_to_tensor(hessian @ at)], [place])
    return [value / values[0] for value in values], places


def steps_needed(values):
    """The steps to the target, or None where it was not reached."""
    return len(values) - 1 if values[-1] <= TARGET else None


def verdict(runs):
    """Holds if both get there in at most half of the steps of plain SGD."""
    plain, momentum, nesterov = (of(runs, f"steps_{name}") for name in ARMS)
    reached = None not in [*plain, *momentum, *nesterov]
    holds = reached and all(
        2 * max(quick) <= slow for slow, *quick in zip(plain, momentum, nesterov)
    )
    rates = [told(of(runs, f"best_rate_{name}")) for name in ARMS]
    return holds, (
        f"Steps to a millionth of the start, each at its best rate: plain SGD "
        f"{told(plain, '.0f')} at {rates[0]}, momentum {told(momentum, '.0f')} at "
        f"{rates[1]}, Nesterov {told(nesterov, '.0f')} at {rates[2]}."
    )


def draw(runs, path):
    """Paths down the bowl, values over steps and steps over rates."""
    with style.looks():
        figure = style.figure(13, 3.8)
        bowl, value, rate = figure.subplots(1, 3)
        for name, (_, color) in ARMS.items():
            x, y = runs[0][f"x_{name}"], runs[0][f"y_{name}"]
            bowl.plot(x, y, "o-", color=color, lw=1, ms=2.5, alpha=0.8)
            for i, curve in enumerate(of(runs, f"values_{name}")):
                title = label(name) if i == 0 else None
                value.plot(np.array(curve, float), color=color, lw=1.4, label=title)
            steps = of(runs, f"steps_by_rate_{name}")
            band(rate, RATES, steps, color, marker="o", ms=4)
        contours(bowl)
        bowl.set(title=f"the first {SHOWN} steps", xlabel="flat axis")
        bowl.set(ylabel="steep axis")
        bowl.set_title("first seed", loc="right", **SMALL)
        value.set(title="value over that of the start", xlabel="step", yscale="log")
        value.set_ylim(TARGET, 2)
        value.legend(loc="upper right")
        rate.set(title="steps needed", xlabel="rate", xscale="log", yscale="log")
        rate.set_title("no point: not reached", loc="right", **SMALL)
        for axis, ticks in ((rate.xaxis, RATES[::2]), (rate.yaxis, STEPS_NAMED)):
            axis.set_ticks(ticks, [f"{tick:g}" for tick in ticks])
            axis.set_ticks([], minor=True)
        return style.save(figure, path)


def contours(axis):
    """Draws the bowl behind the paths, within the limits that they need."""
    limits = [*axis.get_xlim(), *axis.get_ylim()]
    x, y = np.meshgrid(np.linspace(*limits[:2], 80), np.linspace(*limits[2:], 80))
    heights = (CURVATURES[0] * x**2 + CURVATURES[1] * y**2) / 2
    levels = np.geomspace(1e-3, 1, 7) * heights.max()
    axis.contour(x, y, heights, levels, colors=style.MUTED, alpha=0.4, linewidths=1)
    axis.grid(visible=False)
