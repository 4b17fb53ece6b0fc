"""Through a deep stack of sigmoid layers gradients vanish, through ReLU they do not.

Papers: S. Hochreiter, "Untersuchungen zu dynamischen neuronalen Netzen", 1991; X.
Glorot and Y. Bengio, "Understanding the difficulty of training deep feedforward
neural networks", 2010, https://proceedings.mlr.press/v9/glorot10a.html; X. Glorot, A.
Bordes, Y. Bengio, "Deep sparse rectifier neural networks", 2011,
https://proceedings.mlr.press/v15/glorot11a.html

Measured: 20 hidden layers of 64 units, sigmoid with Glorot's initialisation and ReLU
with He's, each as it is used, and as a control both with the other one. Of 256 digits,
the norm of the loss's gradient for the kernel of the first hidden layer over that of
the last, before training; and the training error of the usual pairs after 200 steps of
Adam at rate 0.001, which does not enter the verdict.

It holds if at every seed the ratio is below 1e-6 with sigmoid (a derivative of at most
1/4 gives 4^-19 = 4e-12) under both initialisations, and between 0.1 and 10 with ReLU
and He's.
"""

import keras
import numpy as np

from kcv.tools.claims import digits_runs, through_depth
from kcv.tools.claims.over_seeds import band, dots, label, of, told
from kcv.viz import style

CLAIM = "Gradients through depth vanish with sigmoid and not with ReLU."
IDS = ("F03", "F07")

DEPTH, WIDTH, IMAGES = 20, 64, 256
STEPS, BATCH, RATE = 200, 64, 1e-3
GLOROT, HE = keras.initializers.GlorotUniform, keras.initializers.HeNormal
USUAL = ("sigmoid_glorot", "relu_he")
ARMS = {
    "sigmoid_glorot": ("sigmoid", GLOROT, style.VERMILION),
    "sigmoid_he": ("sigmoid", HE, style.ORANGE),
    "relu_glorot": ("relu", GLOROT, style.GREEN),
    "relu_he": ("relu", HE, style.BLUE),
}


def run(seed, depth=DEPTH, steps=STEPS):
    """Returns norms of gradients by layer, their ratios and errors after training."""
    images, labels = digits_runs.digits("train")
    found = {}
    for name, (activation, initializer, _) in ARMS.items():
        model = through_depth.deep_mlp(activation, initializer, depth, WIDTH, seed)
        first = images[:IMAGES], labels[:IMAGES]
        norms = through_depth.signals(model, *first)[2]
        found[f"norms_{name}"] = norms.tolist()
        found[f"first_over_last_{name}"] = norms[0] / norms[-1]
        if name in USUAL:
            model = digits_runs.compiled(model, keras.optimizers.Adam(RATE))
            digits_runs.train(model, images, labels, steps, BATCH, seed)
            error = digits_runs.error(model, images, labels)
            found[f"train_error_{name}"] = error
    return found


def verdict(runs):
    """Holds if sigmoid loses six powers of ten, and ReLU with He's less than one."""
    glorot, he, _, relu = (of(runs, f"first_over_last_{name}") for name in ARMS)
    holds = max(glorot + he) < 1e-6 and min(relu) > 0.1 and max(relu) < 10
    errors = [told(of(runs, f"train_error_{name}"), ".0%") for name in USUAL]
    return holds, (
        f"Over {DEPTH} layers the gradient of the first is {told(glorot, '.1e')} of "
        f"the last with sigmoid, {told(he, '.1e')} with He's initialisation, and "
        f"{told(relu, '.2f')} with ReLU and He's. After {STEPS} steps the training "
        f"error is {errors[0]} with sigmoid and {errors[1]} with ReLU and He's."
    )


def draw(runs, path):
    """Norms through depth, and what they mean for training."""
    with style.looks():
        figure = style.figure(10.5, 3.8)
        norm, error = figure.subplots(1, 2, width_ratios=(3, 2))
        labels = [label(name, ", ") for name in ARMS]
        for title, (name, (*_, color)) in zip(labels, ARMS.items()):
            curves = of(runs, f"norms_{name}")
            layers = np.arange(1, len(curves[0]) + 1)
            band(norm, layers, curves, color, title, marker="o", ms=3)
        norm.set(title="norm of the gradient at the start", xlabel="hidden layer")
        norm.set(yscale="log", xticks=(1, 5, 10, 15, 20))
        norm.legend(loc="lower right")
        labels = [label(name, ", ") for name in USUAL]
        values = [of(runs, f"train_error_{name}") for name in USUAL]
        dots(error, labels, values, [ARMS[name][-1] for name in USUAL], ".0%")
        error.set_title(f"training error after {STEPS} steps")
        error.xaxis.set_major_formatter("{x:.0%}")
        return style.save(figure, path)
