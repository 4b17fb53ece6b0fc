"""With ReLU a convolutional network needs several times fewer steps than with tanh.

Paper: A. Krizhevsky, I. Sutskever, G. Hinton, "ImageNet classification with deep
convolutional neural networks", 2012, https://doi.org/10.1145/3065386, figure 1: a
four-layer network reaches a training error of 25 % on CIFAR-10 six times faster, each
at its best learning rate, without regularisation.

Measured here on the digits at 12 x 12 pixels: `cifar_cnn` without its dropout, SGD with
momentum 0.9 and batches of 32 at rates of 0.01, 0.03 and 0.1; steps until the error
on 320 of the training images, looked at after every fourth step, is at most 5 %, at
the best rate of each activation at each seed. Both start from Keras's default, which
is Glorot's initialisation.

It holds if at every seed tanh needs at least twice as many steps as ReLU.
"""

import keras
import numpy as np

from kcv.models.classification.cifar_cnn import cifar_cnn
from kcv.models.swap_activations import swap_activations
from kcv.tools.claims import digits_runs
from kcv.tools.claims.over_seeds import SMALL, band, label, of, told
from kcv.viz import style

CLAIM = "ReLU reaches a training error in several times fewer steps than tanh."
IDS = ("F03", "C02")

SIZE, BATCH, MOMENTUM, LONGEST = 12, 32, 0.9, 200
RATES = (0.01, 0.03, 0.1)
TARGET, LOOKED_AT, EVERY = 0.05, 320, 4  # training error, of images, after steps
ARMS = {"tanh": style.ORANGE, "relu": style.BLUE}


def run(seed, rates=RATES, longest=LONGEST):
    """Returns the fewest steps of each activation, its rate and errors on the way."""
    images, labels = digits_runs.digits("train", SIZE)
    found = {}
    for name in ARMS:
        model, curves = network(name, seed), []
        start = model.get_weights()
        for rate in rates:
            digits_runs.restart(model, start, rate)
            curves.append(errors(model, images, labels, seed, longest))
        steps = [EVERY * len(c) if c[-1] <= TARGET else None for c in curves]
        reached = [count for count in steps if count is not None]
        best = steps.index(min(reached)) if reached else 0
        found[f"steps_{name}"] = min(reached, default=None)
        found[f"best_rate_{name}"] = rates[best]
        found[f"steps_by_rate_{name}"] = steps
        found[f"errors_{name}"] = [*curves[best], *[None] * longest][: longest // EVERY]
    if None not in (found["steps_tanh"], found["steps_relu"]):
        found["tanh_over_relu"] = found["steps_tanh"] / found["steps_relu"]
    else:
        found["tanh_over_relu"] = None
    return found


def network(activation, seed):
    """The compiled network with an activation, without dropout."""
    keras.utils.set_random_seed(seed)
    model = swap_activations(cifar_cnn(input_shape=(SIZE, SIZE, 1)), activation)
    optimizer = keras.optimizers.SGD(momentum=MOMENTUM)
    return digits_runs.compiled(digits_runs.without_dropout(model), optimizer)


def errors(model, images, labels, seed, longest):
    """Trains until the target; returns the error after every EVERY steps."""
    found, some = [], (images[:LOOKED_AT], labels[:LOOKED_AT])
    batches = digits_runs.batches(images, labels, longest, BATCH, seed)
    for step, batch in enumerate(batches, 1):
        model.train_on_batch(*batch)
        if step % EVERY == 0:
            found.append(digits_runs.error(model, *some))
            if found[-1] <= TARGET:
                break
    return found


def verdict(runs):
    """Holds if tanh needs twice the steps at every seed."""
    names = ("steps_tanh", "steps_relu", "tanh_over_relu")
    tanh, relu, ratio = (of(runs, name) for name in names)
    holds = None not in ratio and min(ratio) >= 2
    rates = [told(of(runs, f"best_rate_{name}")) for name in ARMS]
    return holds, (
        f"Steps to a training error of {TARGET:.0%}, each at its best rate: tanh "
        f"{told(tanh, '.0f')} at {rates[0]}, ReLU {told(relu, '.0f')} at {rates[1]}: "
        f"{told(ratio, '.2f')} times as many (the paper's figure: six)."
    )


def draw(runs, path):
    """Errors over steps at the best rates, and steps by rate."""
    with style.looks():
        figure = style.figure(10.5, 3.6)
        error, rate = figure.subplots(1, 2)
        for name, color in ARMS.items():
            for i, curve in enumerate(of(runs, f"errors_{name}")):
                title = label(name) if i == 0 else None
                steps = EVERY * np.arange(1, len(curve) + 1)
                error.plot(steps, np.array(curve, float), color=color, label=title)
            steps = of(runs, f"steps_by_rate_{name}")
            band(rate, RATES, steps, color, marker="o", ms=4)
        error.axhline(TARGET, color=style.MUTED, ls="--", lw=1)
        error.set(title="training error at the best rate", xlabel="step", ylim=(0, 1))
        error.yaxis.set_major_formatter("{x:.0%}")
        error.legend(loc="upper right")
        rate.set(title=f"steps to {TARGET:.0%}", xlabel="rate", xscale="log", ylim=0)
        rate.set_xticks(RATES, [f"{value:g}" for value in RATES])
        rate.set_xticks([], minor=True)
        rate.set_title("no point: not reached", loc="right", **SMALL)
        return style.save(figure, path)
