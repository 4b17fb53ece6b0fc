"""Fine-tuning a trained network needs fewer samples than training from scratch.

Papers: J. Donahue et al., "DeCAF: A Deep Convolutional Activation Feature for Generic
Visual Recognition", 2013, https://arxiv.org/abs/1310.1531; J. Yosinski et al., "How
transferable are features in deep neural networks?", 2014,
https://arxiv.org/abs/1411.1792

Measured: a network of two convolutions learns the digits 0 to 4 of 8 x 8 pixels; then,
with a new last layer, the digits 5 to 9 from 2, 5, 10, 20 and 40 samples of each, by
100 steps of Adam. The same network does the same from its initial weights. Both see the
same samples in the same order, and all layers learn. The accuracy is that on all test
digits 5 to 9.

It holds if at every seed fine-tuning with 5 samples is at least as accurate as scratch
with 10, and with 10 as scratch with 20: half the samples are enough.
"""

import numpy as np
from matplotlib.ticker import PercentFormatter

from kcv.tools.claims import digits_runs, network_runs
from kcv.tools.claims.over_seeds import SMALL, band, of, told
from kcv.viz import style

CLAIM = "Fine-tuning needs fewer samples than training from scratch."
IDS = ("F15",)

SAMPLES = (2, 5, 10, 20, 40)  # of each class
COMPARED = ((5, 10), (10, 20))  # fine-tuned, from scratch
WAYS = ("fine_tuned", "scratch")
PRETRAINING_STEPS, STEPS, BATCH_SIZE, CLASSES = 300, 100, 32, 5


def run(seed, samples=SAMPLES, pretraining_steps=PRETRAINING_STEPS, steps=STEPS):
    """Returns the accuracy of both ways for each number of samples."""
    images, labels = digits_runs.digits("train")
    test_images, test_labels = digits_runs.digits("test")
    model = network_runs.fresh(seed, _build, network_runs.adam)
    scratch = model.get_weights()
    low = labels < CLASSES
    digits_runs.train(
        model, images[low], labels[low], pretraining_steps, BATCH_SIZE, seed
    )
    low = test_labels < CLASSES
    error = digits_runs.error(model, test_images[low], test_labels[low])
    found = {"accuracy_before_transfer": 1 - error}
    head = scratch[-2:]  # kernel and bias of the last layer
    starts = {"fine_tuned": [*model.get_weights()[:-2], *head], "scratch": scratch}
    high = test_labels >= CLASSES
    for count in samples:
        chosen = _choose(labels, count, seed)
        for way, weights in starts.items():
            model.set_weights(weights)
            network_runs.forget(model)
            few = images[chosen], labels[chosen] - CLASSES
            size = min(BATCH_SIZE, len(chosen))
            digits_runs.train(model, *few, steps, size, seed)
            wrong = digits_runs.error(
                model, test_images[high], test_labels[high] - CLASSES
            )
            found[f"{way}_{count}"] = 1 - wrong
    return found


def _build():
    return network_runs.small_cnn(classes=CLASSES)


def _choose(labels, count, seed):
    """Rows of `count` samples of each of the digits 5 to 9."""
    random = np.random.default_rng(seed)
    return np.concatenate(
        [
            random.permutation(np.flatnonzero(labels == digit))[:count]
            for digit in range(CLASSES, 2 * CLASSES)
        ]
    )


def verdict(runs):
    """Holds if half of the samples are enough, at every seed."""
    holds = all(
        run[f"fine_tuned_{few}"] >= run[f"scratch_{many}"]
        for run in runs
        for few, many in COMPARED
    )
    pairs = [
        f"{told(of(runs, f'fine_tuned_{few}'), '.1%')} with {few} samples a class "
        f"against {told(of(runs, f'scratch_{many}'), '.1%')} from scratch with {many}"
        for few, many in COMPARED
    ]
    return holds, f"Fine-tuned accuracy: {'; '.join(pairs)}."


def draw(runs, path):
    """The accuracy over the number of samples."""
    with style.looks():
        figure = style.figure(6.4, 3.8)
        axis = figure.subplots()
        for way, color in zip(WAYS, (style.BLUE, style.ORANGE)):
            curves = [[run[f"{way}_{count}"] for count in SAMPLES] for run in runs]
            label = {"fine_tuned": "fine-tuned", "scratch": "from scratch"}[way]
            band(axis, SAMPLES, curves, color, label, marker="o", ms=4)
        axis.set_xscale("log")
        axis.set_xticks(SAMPLES, SAMPLES)
        axis.minorticks_off()
        axis.yaxis.set_major_formatter(PercentFormatter(1))
        axis.set(title="test accuracy, digits 5 to 9", xlabel="samples of each class")
        axis.set_title(f"{len(runs)} seeds", loc="right", **SMALL)
        axis.legend(loc="lower right")
        return style.save(figure, path)
