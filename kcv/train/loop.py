"""The training loop: one for every task, every strategy, every restart.

`losses(model, batch, training)` returns two dicts of per-example values, (losses,
metrics). The loop minimises the sum of the losses, averaged over the global batch, and
reports the means of both. A step is `strategy.run` of the same function on each
replica, so one device, several devices and several machines compute the same thing.

Training data is a function `data(epoch, start_step, replicas)` that returns the batches
of an epoch from `start_step` on (see kcv.data.batches). Because the position alone
determines the data, a checkpoint needs only the position: a run that was killed
anywhere goes on to the same weights. On one CPU device they are equal to the bit;
several replicas sum in another order, which moves the last digits.
"""

import pathlib
import time
from collections.abc import Callable
from typing import NamedTuple

import keras
import tensorflow as tf

from kcv.train import checkpoint
from kcv.train.batch_norm import training_batch_norm
from kcv.train.data_wait import DataWait
from kcv.train.grouped_convolution import training_grouped_convolutions
from kcv.train.running_means import RunningMeans
from kcv.train.stop_signal import StopSignal
from kcv.train.strategy import is_chief

CHECK_SECONDS = 2.0  # between two looks at whether the loss is sound


class TrainingError(ValueError):
    """Training cannot go on: the message has the step and the last checkpoint."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C or SIGTERM: the state is saved; the message says how to go on."""


class Progress(NamedTuple):
    """What `on_step` is told."""

    epoch: int
    step: int  # in this epoch
    steps_per_epoch: int
    learning_rate: float
    read: Callable[[], dict]  # the means so far; waits for the device


def train(
    model: keras.Model,
    losses: Callable,
    optimizer: keras.optimizers.Optimizer,
    data: Callable,
    *,
    steps_per_epoch: int,
    epochs: int,
    schedule: Callable,
    checkpoint_dir: str | pathlib.Path,
    validate: Callable[[], dict] | None = None,
    checkpoint_seconds: float = 60.0,
    clip_norm: float | None = None,
    jit_compile: bool = False,
    on_step: Callable[[Progress], None] | None = None,
    on_epoch: Callable[[list], None] | None = None,
) -> list[dict]:
    """Trains, from the newest checkpoint in `checkpoint_dir` where there is one.

    Call it within `strategy.scope()`, with the model and the optimiser made there.

    Args:
        model: any Keras model.
        losses: `losses(model, batch, training)`, see above.
        optimizer: its rate is set at every step by `schedule`.
        data: `data(epoch, start_step, replicas)` -> tf.data.Dataset, see above.
        steps_per_epoch: global batches in an epoch.
        epochs: passes over the data.
        schedule: `schedule(epoch, history)` -> learning rate.
        checkpoint_dir: where the state is kept; one folder that all workers see.
        validate: called after each epoch; its dict joins the history with the names
            prefixed by "validation_".
        checkpoint_seconds: time between two checkpoints; there is one after each epoch
            as well. 0 saves at every step.
        clip_norm: largest norm of the gradient of all weights together.
        jit_compile: compile the step with XLA. Slower on a CPU, faster on a GPU.
        on_step: told about each step.
        on_epoch: given the history after each epoch.

    Returns:
        The history: one dict an epoch, equal however often training was interrupted,
        but for "seconds" and "waiting", the share of a step's time in which it waited
        for its batch.

    Raises:
        TrainingError: if the loss is not finite or has exploded, or a worker is gone.
        CheckpointError: if a checkpoint cannot be written or is of another model.
        Interrupted: after Ctrl-C or SIGTERM, with the state saved.
    """
    strategy = tf.distribute.get_strategy()
    folder = pathlib.Path(checkpoint_dir)
    optimizer.build(model.trainable_variables)
    variables = list(model.variables) + list(optimizer.variables)
    step, state, wait = _make_step(
        strategy, model, losses, optimizer, clip_norm, jit_compile
    )

    position = checkpoint.restore(folder, variables) or {"epoch": 0, "step": 0}
    history = position.get("history", [])
    state.set(position.get("state"))
    start_step, spent = position["step"], position.get("seconds", 0.0)

    def save(epoch, done, seconds=0.0):
        _check(state, folder)
        if is_chief(strategy):
            meta = {"epoch": epoch, "step": done, "history": history}
            meta["seconds"] = seconds  # of an unfinished epoch
            meta["state"] = state.get()
            checkpoint.save(folder, epoch * steps_per_epoch + done, variables, meta)

    with (
        training_batch_norm(model, strategy),
        training_grouped_convolutions(model),
        StopSignal() as stop,
    ):
        for epoch in range(position["epoch"], epochs):
            saved = checked = time.monotonic()
            started, spent = saved - spent, 0.0
            iterator = iter(_distribute(strategy, data, epoch, start_step))
            for done in range(start_step + 1, steps_per_epoch + 1):
                rate = schedule(epoch + (done - 1) / steps_per_epoch, history)
                optimizer.learning_rate = rate
                try:
                    step(iterator)
                except (tf.errors.UnavailableError, tf.errors.AbortedError) as error:
                    raise _worker_gone(epoch, done, folder) from error
                now = time.monotonic()
                if on_step:
                    on_step(Progress(epoch, done, steps_per_epoch, rate, state.means))
                if now - checked >= CHECK_SECONDS:
                    _check(state, folder)
                    checked = now
                if done == steps_per_epoch:
                    break  # the epoch's own checkpoint comes after validation
                if stop.is_set():
                    save(epoch, done, now - started)
                    raise _stopped(epoch, done, steps_per_epoch)
                if now - saved >= checkpoint_seconds:
                    save(epoch, done, now - started)
                    saved = now

            _check(state, folder)
            row = {"epoch": epoch + 1, "learning_rate": rate, **state.means()}
            row |= {"seconds": time.monotonic() - started, "waiting": wait.share()}
            if validate:
                row |= {f"validation_{k}": v for k, v in validate().items()}
            history.append(row)
            state.reset()
            wait.reset()
            start_step = 0
            save(epoch + 1, 0)
            if on_epoch:
                on_epoch(history)
            if stop.is_set() and epoch + 1 < epochs:
                raise _stopped(epoch, steps_per_epoch, steps_per_epoch)
    return history


def make_evaluate(model: keras.Model, losses: Callable, data: Callable, steps: int):
    """Returns a function () -> dict: means of all losses and metrics over `data`.

    Its graph is traced once, so that it is cheap to call after each epoch. Call it, and
    what it returns, within `strategy.scope()`.

    Args:
        model: any Keras model; it runs in inference mode.
        losses: as in `train`.
        data: `data(epoch, start_step, replicas)`; called as data(0, 0, replicas).
        steps: global batches in `data`.
    """
    strategy = tf.distribute.get_strategy()
    state = RunningMeans()

    def replica_step(batch):
        values, metrics = losses(model, batch, training=False)
        return state.sums(values, metrics, batch)

    @tf.function
    def step(iterator):
        sums = strategy.run(replica_step, (next(iterator),))
        state.add(strategy.reduce("SUM", sums, axis=None))

    def evaluate():
        state.reset()
        iterator = iter(_distribute(strategy, data, 0, 0))
        for _ in range(steps):
            step(iterator)
        return state.means()

    return evaluate


def _make_step(strategy, model, losses, optimizer, clip_norm, jit_compile):
    """Returns (step, state, wait): `step(iterator)` takes one step and adds to both."""
    state, wait = RunningMeans(), DataWait()
    replicas = strategy.num_replicas_in_sync
    trainable = list(model.trainable_variables)
    if jit_compile and replicas > 1 and not tf.config.list_physical_devices("GPU"):
        raise ValueError("XLA cannot compile a step of several CPU devices: no --jit")

    def replica_step(batch):
        count = _all_reduce(tf.shape(batch["images"])[0], replicas)
        with tf.GradientTape() as tape:
            values, metrics = losses(model, batch, training=True)
            total = sum(tf.reduce_sum(value) for value in values.values())
            total /= tf.cast(count, total.dtype)
            total += sum(model.losses) / replicas  # regularisation counts once in all
        gradients = tape.gradient(total, trainable)
        if clip_norm:
            # The norm is of the whole gradient, so that is summed before it is clipped;
            # the optimizer sums over the replicas once more, hence the division.
            gradients = [_all_reduce(gradient, replicas) for gradient in gradients]
            gradients, _ = tf.clip_by_global_norm(gradients, clip_norm)
            gradients = [gradient / replicas for gradient in gradients]
        optimizer.apply_gradients(zip(gradients, trainable))
        return state.sums(values, metrics, batch)

    compute = (
        tf.function(replica_step, jit_compile=True) if jit_compile else replica_step
    )

    @tf.function
    def step(iterator):
        sums = strategy.run(compute, (wait.next(iterator),))
        state.add(strategy.reduce("SUM", sums, axis=None))
        state.watch(optimizer)

    return step, state, wait


def _all_reduce(value, replicas):
    if replicas == 1:
        return value
    return tf.distribute.get_replica_context().all_reduce("SUM", value)


def _distribute(strategy, data, epoch, start_step):
    """The batches of an epoch; on several replicas, each gets its rows of a batch."""
    if strategy.num_replicas_in_sync == 1:
        return data(epoch, start_step, (0, 1, 1))

    def share(context):
        total = context.num_replicas_in_sync
        count = total // context.num_input_pipelines
        return data(
            epoch, start_step, (context.input_pipeline_id * count, count, total)
        )

    return strategy.distribute_datasets_from_function(share)


def _check(state, folder):
    step, loss, rate = state.bad.numpy()
    if step >= 0:
        raise TrainingError(
            f"the loss was {loss:.4g} at step {step:.0f}, learning rate {rate:.4g}; "
            f"{checkpoint.describe(folder)}. Start again with a lower --learning_rate, "
            "a longer --warmup_epochs or with --clip_norm=1"
        )


def _worker_gone(epoch, done, folder):
    return TrainingError(
        f"another worker is gone (epoch {epoch + 1}, step {done}); "
        f"{checkpoint.describe(folder)}. Start all workers again with the same command"
    )


def _stopped(epoch, done, steps_per_epoch):
    return Interrupted(
        f"stopped after epoch {epoch + 1}, step {done} of {steps_per_epoch}; the state "
        "is saved: the same command goes on from here"
    )
