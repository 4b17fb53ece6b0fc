"""Glorot's initialisation keeps the variance for tanh, He's for ReLU, over depth.

Papers: X. Glorot and Y. Bengio, "Understanding the difficulty of training deep
feedforward neural networks", 2010, https://proceedings.mlr.press/v9/glorot10a.html;
K. He, X. Zhang, S. Ren, J. Sun, "Delving deep into rectifiers", 2015,
https://arxiv.org/abs/1502.01852

Measured on 30 hidden layers of 256 units before training, on 256 standardised digits:
the mean square of each layer's outputs (forwards) and of the loss's gradient for them
(backwards), as a factor between layers 5 and 30; the first layers still see the width
and scale of the input.

It holds if at every seed tanh with Glorot's and ReLU with He's stay within a factor of
10 in both directions, and tanh with He's and ReLU with Glorot's leave it in at least
one. (Glorot's argument is linear: the bend of tanh shrinks the outputs, in theory as
1 / (2 layer), by 6 from layer 5 to 30, and the gradient likewise. ReLU halves what
Glorot's keeps: 2^-25.)
"""

import keras
import numpy as np

from kcv.tools.claims import digits_runs, through_depth
from kcv.tools.claims.over_seeds import band, label, of, told
from kcv.viz import style

CLAIM = "Glorot's initialisation keeps the variance for tanh, and He's for ReLU."
IDS = ("F07",)

DEPTH, WIDTH, IMAGES, FIRST, FACTOR = 30, 256, 256, 5, 10
GLOROT, HE = keras.initializers.GlorotNormal, keras.initializers.HeNormal
ARMS = {
    "tanh_glorot": ("tanh", GLOROT, style.BLUE),
    "relu_he": ("relu", HE, style.GREEN),
    "tanh_he": ("tanh", HE, style.VERMILION),
    "relu_glorot": ("relu", GLOROT, style.ORANGE),
}
DIRECTIONS = ("forwards", "backwards")


def run(seed, depth=DEPTH):
    """Returns mean squares by layer, and factors from layer 5 (backwards: to it)."""
    images, labels = (values[:IMAGES] for values in digits_runs.digits("train"))
    images = (images - images.mean()) / images.std()
    found = {}
    for name, (activation, initializer, _) in ARMS.items():
        model = through_depth.deep_mlp(activation, initializer, depth, WIDTH, seed)
        squares = through_depth.signals(model, images, labels)
        for direction, values in zip(DIRECTIONS, squares):
            ends = values[FIRST - 1], values[-1]
            start, end = ends if direction == "forwards" else ends[::-1]
            found[f"{direction}_{name}"] = values.tolist()
            found[f"factor_{direction}_{name}"] = end / start
    return found


def verdict(runs):
    """Holds if the right pairs stay within a factor of 10 and the wrong ones leave."""
    kept = {name: [keeps(run, name) for run in runs] for name in ARMS}
    right, wrong = list(ARMS)[:2], list(ARMS)[2:]
    holds = all(all(kept[name]) for name in right)
    holds = holds and not any(any(kept[name]) for name in wrong)
    factors = [
        " and ".join(
            f"{told(of(runs, f'factor_{direction}_{name}'), '.2g')} {direction}"
            for direction in DIRECTIONS
        )
        for name in ARMS
    ]
    return holds, (
        f"From layer {FIRST} to {DEPTH} the variance changes by these factors: tanh "
        f"with Glorot's {factors[0]}, ReLU with He's {factors[1]}; tanh with He's "
        f"{factors[2]}, ReLU with Glorot's {factors[3]}."
    )


def keeps(run, name):
    """Whether both directions of a run stay within FACTOR."""
    factors = [run[f"factor_{direction}_{name}"] for direction in DIRECTIONS]
    return all(1 / FACTOR <= factor <= FACTOR for factor in factors)


def draw(runs, path):
    """Variance over depth, in both directions, relative to where it starts."""
    with style.looks():
        figure = style.figure(10.5, 3.8)
        for axis, direction in zip(figure.subplots(1, 2, sharey=True), DIRECTIONS):
            start = FIRST - 1 if direction == "forwards" else -1
            for name, (*_, color) in ARMS.items():
                curves = np.array(of(runs, f"{direction}_{name}"))
                curves /= curves[:, start, None]
                layers = np.arange(1, curves.shape[1] + 1)
                band(axis, layers, curves, color, label(name, ", "))
            axis.axhspan(1 / FACTOR, FACTOR, color=style.LINE, alpha=0.5, lw=0)
            axis.set(yscale="log", xlabel="hidden layer", ylim=(1e-9, 1e3))
            of_what = "outputs" if direction == "forwards" else "gradient for them"
            axis.set_title(f"{direction}: mean square of {of_what}")
            axis.legend(loc="lower left" if direction == "forwards" else "lower right")
        return style.save(figure, path)
