"""Learning-rate range test: one short run at a rate that climbs until it diverges.

Paper: L. Smith, "Cyclical Learning Rates for Training Neural Networks", 2017, section
3.3, https://arxiv.org/abs/1506.01186

Differs from the paper: the rate climbs by factors, not by steps, so that one run spans
all orders of magnitude; and the loss is looked at, not the accuracy, so that it serves
every task.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from kcv.train import loop
from kcv.train.batch_norm import training_batch_norm
from kcv.train.grouped_convolution import training_grouped_convolutions

DIVERGED = 4.0  # times the lowest smoothed loss


class RateTest(NamedTuple):
    """What `rate_test` found: a number a step in each list."""

    rates: list[float]
    losses: list[float]  # of the batches
    smoothed: list[float]
    suggested: float | None  # the rate at which the smoothed loss fell fastest


def rate_test(
    model: keras.Model,
    losses: Callable,
    optimizer: keras.optimizers.Optimizer,
    data: Callable,
    *,
    steps_per_epoch: int,
    low: float = 1e-5,
    high: float = 10.0,
    steps: int = 100,
    smoothing: float = 0.9,
    clip_norm: float | None = None,
    on_step: Callable | None = None,
) -> RateTest:
    """Trains for some steps at rates from `low` to `high`, then undoes it all.

    It ends early where the smoothed loss is above DIVERGED times its lowest, or not
    finite. Call it as `loop.train`, within `strategy.scope()`; model and optimiser
    leave it as they came.

    Args:
        model: any Keras model.
        losses: `losses(model, batch, training)`, as in `loop.train`.
        optimizer: the one that training will use.
        data: `data(epoch, start_step, replicas)`, as in `loop.train`.
        steps_per_epoch: global batches in an epoch; a longer test starts another one.
        low: first learning rate.
        high: last learning rate.
        steps: batches from the first to the last rate.
        smoothing: share of the running mean of the loss kept at each step.
        clip_norm: largest norm of the gradient of all weights together.
        on_step: called after each step with its number.

    Returns:
        The rates with their losses.

    Raises:
        ValueError: if the rates or the number of steps make no range.
    """
    if not 0 < low < high:
        raise ValueError(f"rates must climb from above zero, got {low} to {high}")
    if steps < 2:
        raise ValueError(f"a range needs at least 2 steps, got {steps}")
    strategy = tf.distribute.get_strategy()
    optimizer.build(model.trainable_variables)
    variables = list(model.variables) + list(optimizer.variables)
    before = [variable.numpy() for variable in variables]
    step, state, _ = loop._make_step(
        strategy, model, losses, optimizer, clip_norm, jit_compile=False
    )
    found = RateTest([], [], [], None)
    try:
        with training_batch_norm(model, strategy), training_grouped_convolutions(model):
            for i, iterator in enumerate(
                _epochs(strategy, data, steps, steps_per_epoch)
            ):
                optimizer.learning_rate = low * (high / low) ** (i / (steps - 1))
                step(iterator)
                examples, loss = state.last.numpy()[:2]
                _add(found, float(optimizer.learning_rate), loss / examples, smoothing)
                if on_step is not None:
                    on_step(i)
                if not found.smoothed[-1] <= DIVERGED * min(found.smoothed):
                    break  # NaN ends it too
    finally:
        for variable, value in zip(variables, before):
            variable.assign(value)
    return found._replace(suggested=steepest(found.rates, found.smoothed))


def steepest(rates, smoothed) -> float | None:
    """Returns the rate at which the loss fell fastest along the logarithm of the rate.

    Batches differ, so the fall is that of a line through the losses of one order of
    magnitude (three rates at least), and only what came before the lowest loss counts.

    Args:
        rates: increasing by a factor, one a step.
        smoothed: losses; those that are not finite are left out.

    Returns:
        One of the rates, or None if the loss never fell.
    """
    sound = np.isfinite(smoothed)
    rates, smoothed = np.asarray(rates)[sound], np.asarray(smoothed)[sound]
    if len(rates) < 3:
        return None
    steps_per_decade = math.log(10) / math.log(rates[1] / rates[0])
    half = max(1, round(steps_per_decade / 2))
    best, lowest = (0.0, None), int(np.argmin(smoothed))
    for middle in range(half, max(half, lowest - half) + 1):
        window = slice(middle - half, middle + half + 1)
        if len(rates[window]) > 2:
            slope, _ = np.polyfit(np.log(rates[window]), smoothed[window], 1)
            best = min(best, (float(slope), float(rates[middle])))
    return best[1]


def _epochs(strategy, data, steps, steps_per_epoch):
    """Yields for each step the iterator to take its batch from."""
    for i in range(steps):
        if i % steps_per_epoch == 0:
            iterator = iter(loop._distribute(strategy, data, i // steps_per_epoch, 0))
        yield iterator


def _add(found, rate, loss, smoothing):
    """Appends to the lists; the running mean is that of the losses seen so far.

    Weights of smoothing^0, ^1, ... back in time, divided by their sum: a mean that
    starts at zero would climb from there.
    """
    weights = smoothing ** np.arange(len(found.losses), -1, -1)
    found.rates.append(rate)
    found.losses.append(float(loss))
    mean = float(np.dot(weights, found.losses) / weights.sum())
    found.smoothed.append(mean if math.isfinite(mean) else math.nan)
