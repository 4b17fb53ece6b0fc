"""Dense layers without an activation are one dense layer, and learn no more than it.

Source: the reason for a nonlinearity, as in M. Minsky and S. Papert, "Perceptrons",
1969, and I. Goodfellow et al., "Deep Learning", 2016, chapter 6.

Measured on a task that no linear classifier solves: is the digit odd? One dense layer,
three without an activation (64, 32, 2) and the same three with ReLU, each trained by
1500 steps of Adam at rate 0.003. Then the kernels of the linear stack are multiplied
into one layer, whose logits are compared with the stack's.

It holds if at every seed the product equals the stack within 1e-5 of the largest
logit, the stack's training error is not below that of one layer by more than 0.02, and
with ReLU the training error is at most half of the stack's.
"""

import keras
import numpy as np

from kcv.models.foundations.mlp import mlp
from kcv.models.foundations.perceptron import perceptron
from kcv.tools.claims import digits_runs
from kcv.tools.claims.over_seeds import band, dots, label, of, told
from kcv.viz import style

CLAIM = "Stacked linear layers equal one linear layer, and learn no more."
IDS = ("F02", "F03")

STEPS, BATCH, RATE, HIDDEN = 1500, 64, 0.003, (64, 32)
EVERY = 50  # steps that a point of the curve averages
ARMS = {
    "one_layer": (perceptron, {}, style.BLUE),
    "linear_stack": (mlp, {"hidden": HIDDEN, "activation": None}, style.ORANGE),
    "relu_stack": (mlp, {"hidden": HIDDEN, "activation": "relu"}, style.GREEN),
}


def run(seed, steps=STEPS):
    """Returns errors of three classifiers and the deviation of the product."""
    data = {split: digits_runs.digits(split) for split in ("train", "test")}
    data = {split: (images, digit % 2) for split, (images, digit) in data.items()}
    found = {}
    for name, (build, arguments, _) in ARMS.items():
        model = digits_runs.seeded(build, seed, classes=2, **arguments)
        model = digits_runs.compiled(model, keras.optimizers.Adam(RATE))
        losses = digits_runs.train(model, *data["train"], steps, BATCH, seed)
        found[f"train_error_{name}"] = digits_runs.error(model, *data["train"])
        found[f"test_error_{name}"] = digits_runs.error(model, *data["test"])
        found[f"losses_{name}"] = np.reshape(losses, (-1, EVERY)).mean(axis=1).tolist()
        if name == "linear_stack":
            found["deviation"] = deviation(model, data["test"][0])
    return found


def deviation(model, images):
    """Compares a linear stack with its product; relative to the largest logit."""
    kernel, bias = np.eye(images[0].size), np.zeros(images[0].size)
    for layer in model.layers:
        if layer.weights:
            weights, shift = layer.get_weights()
            kernel, bias = kernel @ weights, bias @ weights + shift
    one = perceptron(classes=kernel.shape[1], classifier_activation=None)
    one.get_layer("predictions").set_weights([kernel, bias])
    model.get_layer("predictions").activation = keras.activations.linear
    stack = keras.Model(model.inputs, model.outputs)  # now gives logits
    expected = stack.predict_on_batch(images)
    difference = np.abs(one.predict_on_batch(images) - expected)
    return float(difference.max() / np.abs(expected).max())


def verdict(runs):
    """Holds if the product is equal, the stack no better, and ReLU twice as good."""
    one, linear, relu = (of(runs, f"train_error_{name}") for name in ARMS)
    deviations = of(runs, "deviation")
    holds = (
        max(deviations) <= 1e-5
        and all(stack >= single - 0.02 for stack, single in zip(linear, one))
        and all(bent <= stack / 2 for bent, stack in zip(relu, linear))
    )
    return holds, (
        f"The product of the layers gives the stack's logits within "
        f"{max(deviations):.1g} of the largest. Training error on odd or even: one "
        f"layer {told(one, '.1%')}, linear stack {told(linear, '.1%')}, with ReLU "
        f"{told(relu, '.1%')}."
    )


def draw(runs, path):
    """Losses during training, and errors at the end."""
    with style.looks():
        figure = style.figure(10, 3.4)
        loss, error = figure.subplots(1, 2)
        for name, (*_, color) in ARMS.items():
            curves = of(runs, f"losses_{name}")
            steps = (np.arange(len(curves[0])) + 0.5) * EVERY
            band(loss, steps, curves, color, label(name))
        loss.set(title="training loss: odd or even?", xlabel="step", ylim=0)
        loss.legend(loc="upper right")
        rows = [(part, name) for part in ("train", "test") for name in ARMS]
        dots(
            error,
            [f"{label(name)}, {part}" for part, name in rows],
            [of(runs, f"{part}_error_{name}") for part, name in rows],
            [ARMS[name][2] for _, name in rows],
            ".1%",
        )
        error.set_title("error at the end")
        error.xaxis.set_major_formatter("{x:.0%}")
        return style.save(figure, path)
