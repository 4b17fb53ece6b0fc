"""When the loss is flat, a tenth of the learning rate lowers the error at once.

Papers: A. Krizhevsky, I. Sutskever, G. Hinton, "ImageNet Classification with Deep
Convolutional Neural Networks", 2012, section 5; K. He et al., "Deep Residual Learning
for Image Recognition", 2015, section 3.4 and Figure 4

Measured: a network of two convolutions, SGD with momentum 0.9 and batches of 16, on
digits of 8 x 8 pixels under Gaussian noise that is drawn anew for each epoch, so that
the error cannot become zero. The rate is 0.03 until the loss of the training batches,
an epoch's mean, has not fallen for five epochs. From there on two runs of the same
state, one at a tenth of the rate and one, the control, as before. The error is that of
the test digits under three draws of noise, after each epoch.

It holds if at every seed the error after the first epoch at a tenth of the rate is
below the lowest of the five flat epochs and below that of the control, and the mean of
ten epochs at a tenth is below that of the control.
"""

import keras
import numpy as np
from matplotlib.ticker import PercentFormatter

from kcv.tools.claims import digits_runs, network_runs
from kcv.tools.claims.over_seeds import SMALL, of, told
from kcv.train.schedules import make_schedule
from kcv.viz import style

CLAIM = "Dividing the rate by ten when the loss is flat lowers the error at once."
IDS = ("F06",)

RATE, BATCH_SIZE, NOISE, PATIENCE = 0.03, 16, 0.5, 5
MOST, AFTER = 60, 10  # epochs


def run(seed, most=MOST, after=AFTER):
    """Returns errors before the division, after it, and of the control."""
    model = network_runs.fresh(seed, network_runs.small_cnn, _optimizer)
    data, test = digits_runs.digits("train"), _test(seed)
    plateau = make_schedule("plateau", RATE, most, patience=PATIENCE, monitor="loss")
    history = []
    while len(history) < most and plateau(len(history), history) == RATE:
        history.append(_epoch(model, RATE, data, test, seed, len(history)))
    state = _state(model)
    branches = {}
    for name, rate in (("divided", RATE / 10), ("control", RATE)):
        _set_state(model, state)
        branches[name] = [
            _epoch(model, rate, data, test, seed, len(history) + i)["error"]
            for i in range(after)
        ]
    flat = [row["error"] for row in history[-PATIENCE:]]
    return {
        "epochs_until_flat": float(len(history)),
        "lowest_flat_error": min(flat),
        "flat_error": sum(flat) / len(flat),
        "first_error_divided": branches["divided"][0],
        "first_error_control": branches["control"][0],
        "mean_error_divided": sum(branches["divided"]) / after,
        "mean_error_control": sum(branches["control"]) / after,
        "errors_before": [row["error"] for row in history],
        "errors_divided": branches["divided"],
        "errors_control": branches["control"],
    }


def _optimizer():
    return keras.optimizers.SGD(RATE, momentum=0.9)


def _noisy(images, random):
    return images + random.normal(0, NOISE, images.shape).astype("float32")


def _test(seed):
    images, labels = digits_runs.digits("test")
    random = np.random.default_rng([seed, 1])
    return np.concatenate([_noisy(images, random)] * 3), np.tile(labels, 3)


def _epoch(model, rate, data, test, seed, epoch):
    """One pass at a rate; returns the mean loss and the test error."""
    images, labels = data
    model.optimizer.learning_rate.assign(rate)
    noisy = _noisy(images, np.random.default_rng([seed, 0, epoch]))
    order = 1000 * seed + epoch
    steps = len(images) // BATCH_SIZE
    losses = digits_runs.train(model, noisy, labels, steps, BATCH_SIZE, order)
    return {
        "loss": sum(losses) / len(losses),
        "error": digits_runs.error(model, *test),
    }


def _state(model):
    variables = (*model.variables, *model.optimizer.variables)
    return [np.array(keras.ops.convert_to_numpy(v)) for v in variables]


def _set_state(model, state):
    for variable, value in zip((*model.variables, *model.optimizer.variables), state):
        variable.assign(value)


def verdict(runs):
    """Holds if the first epoch is below all flat ones and below the control."""
    at_once = [
        run["first_error_divided"] < run["lowest_flat_error"]
        and run["first_error_divided"] < run["first_error_control"]
        for run in runs
    ]
    in_the_mean = [
        run["mean_error_divided"] < run["mean_error_control"] for run in runs
    ]
    return all(at_once) and all(in_the_mean), (
        f"After {told(of(runs, 'epochs_until_flat'), '.0f')} epochs the error was flat "
        f"at {told(of(runs, 'flat_error'), '.1%')}; one epoch at a tenth of the rate "
        f"made it {told(of(runs, 'first_error_divided'), '.1%')}, one more at the same "
        f"rate {told(of(runs, 'first_error_control'), '.1%')}; the former was below "
        f"this and all flat ones at {sum(at_once)} of {len(runs)} seeds. Over ten "
        f"epochs {told(of(runs, 'mean_error_divided'), '.1%')} against "
        f"{told(of(runs, 'mean_error_control'), '.1%')}, lower at {sum(in_the_mean)}."
    )


def draw(runs, path):
    """The test errors of each seed over the epochs, set at the division."""
    with style.looks():
        figure = style.figure(8.2, 3.8)
        axis = figure.subplots()
        for i, run in enumerate(runs):
            before, after = run["errors_before"], len(run["errors_divided"])
            steps = range(1 - len(before), 1 + after)
            for name, color, label in (
                ("control", style.MUTED, "rate as before"),
                ("divided", style.BLUE, "a tenth of the rate"),
            ):
                curve = [before[-1], *run[f"errors_{name}"]]
                axis.plot(steps[-after - 1 :], curve, color=color, lw=1.6,
                          label=label if i == 0 else None)  # fmt: skip
            axis.plot(steps[: len(before)], before, color=style.ORANGE, lw=1.6,
                      label="before" if i == 0 else None)  # fmt: skip
        axis.axvline(0, color=style.INK, ls="--", lw=1)
        # The first errors are off the scale.
        befores = [run["errors_before"] for run in runs]
        errors = [e for before in befores for e in before[3:] or before]
        axis.set_ylim(0.8 * min(min(of(runs, "first_error_divided")), min(errors)),
                      1.1 * max(errors))  # fmt: skip
        axis.yaxis.set_major_formatter(PercentFormatter(1))
        axis.set(title="test error under noise")
        axis.set_xlabel("epochs since the loss was found flat")
        axis.set_title(f"{len(runs)} seeds", loc="right", **SMALL)
        axis.legend()
        return style.save(figure, path)
