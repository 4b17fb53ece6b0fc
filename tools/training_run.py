"""What all training scripts do in the same way: a phase, and the model it gives."""

import pathlib
import time

import keras
import numpy as np
from absl import flags

from kcv import zoo
from kcv.tools import script, training_flags
from kcv.train import checkpoint, loop, run_folder
from kcv.train.progress import TrainingProgress
from kcv.train.strategy import is_chief, make_strategy

_F = flags.FLAGS


def start(argv):
    """Returns `time.monotonic()` and the strategy of --strategy; sets the seed.

    Raises:
        script.UsageError: there are positional arguments.
    """
    if len(argv) > 1:
        raise script.UsageError(f"no positional arguments, got {' '.join(argv[1:])}")
    started = time.monotonic()
    strategy = make_strategy(_F.strategy)
    keras.utils.set_random_seed(_F.seed)
    return started, strategy


def claim(recipe, train, strategy, told):
    """Returns the folder of --output_dir, which is that of this recipe from now on.

    Args:
        recipe: from `training_flags.recipe`.
        train: training split.
        strategy: of `tf.distribute`.
        told: what is printed of the data and the model.
    """
    folder = pathlib.Path(_F.output_dir)
    if is_chief(strategy):
        print(f"{_F.model} on {_F.data}: {told} -> {folder}", flush=True)
        run_folder.claim(folder, recipe | {"data_fingerprint": train.fingerprint})
    return folder


def image_shape():
    """(height, width, channels) that --model gets: of --image_size, or its own."""
    height, width, channels = zoo.entry(_F.model).input_shape
    size = _F.image_size
    return (size, size, channels) if size else (height, width, channels)


def batches_of(make, splits, shape, **options):
    """Makes the `batches(split, epoch, start_step, replicas)` of `train_phase`.

    Args:
        make: function of (source, batch size, image shape, pixel range, seed, epoch,
            start_step, replicas, **options).
        splits: {name: source}.
        shape: (height, width, channels).
        **options: of `make`.
    """
    pixel_range = zoo.entry(_F.model).pixel_range

    def batches(split, epoch, start_step=0, replicas=(0, 1, 1)):
        return make(
            splits[split],
            _F.batch_size,
            shape,
            pixel_range,
            seed=_F.seed,
            epoch=epoch,
            start_step=start_step,
            replicas=replicas,
            **options,
        )

    return batches


def train_phase(
    model,
    losses,
    batches,
    steps,
    folder,
    strategy,
    *,
    validate=None,
    phase="all",
    epochs=None,
    rate=None,
    slowest_stage=None,
):
    """Trains for some epochs as the flags say; goes on where it was interrupted.

    Args:
        model: what is trained, made in the scope of `strategy`.
        losses: see `kcv.train.loop`.
        batches: `batches(split, epoch, start_step, replicas)` -> `tf.data.Dataset`.
        steps: {split: batches in an epoch}.
        folder: of the run.
        strategy: of `tf.distribute`.
        validate: called after each epoch, see `loop.train`; None for the means of the
            losses and metrics over the validation split.
        phase: names its checkpoints and events.
        epochs: of the phase; None for --epochs.
        rate: peak of its learning rate; None for --learning_rate.
        slowest_stage: see `TrainingProgress`.

    Returns:
        The history, one dict an epoch.
    """
    epochs = _F.epochs if epochs is None else epochs
    rate = _F.learning_rate if rate is None else rate
    progress = TrainingProgress(
        f"{_F.model} {phase}",
        epochs,
        _F.batch_size,
        quiet=not is_chief(strategy),
        events=folder / "tensorboard" / phase if _F.tensorboard else None,
        slowest_stage=slowest_stage,
    )
    with strategy.scope(), progress:
        if validate is None:
            validate = loop.make_evaluate(
                model,
                losses,
                lambda epoch, *position: batches("validation", None, *position),
                steps["validation"],
            )
        return loop.train(
            model,
            losses,
            training_flags.make_optimizer(rate),
            lambda *position: batches("train", *position),
            steps_per_epoch=steps["train"],
            epochs=epochs,
            schedule=training_flags.make_schedule(rate, epochs),
            checkpoint_dir=folder / "checkpoints" / phase,
            validate=validate,
            checkpoint_seconds=_F.checkpoint_seconds,
            clip_norm=_F.clip_norm or None,
            jit_compile=_F.jit_compile,
            on_step=progress.on_step,
            on_epoch=progress.on_epoch,
        )


def build(exact=("predictions",), **options):
    """Builds the model of --model in the arithmetic of --precision, for training.

    Args:
        exact: names of layers that stay in float32, as for exact probabilities.
        **options: of the builder.
    """
    keras.mixed_precision.set_dtype_policy(_F.precision)
    model = zoo.build(_F.model, **options)
    for name in exact:
        model.get_layer(name).dtype_policy = "float32"
    return model


def plain_copy(model, build):
    """Returns the float32 model of this process that has the weights of a trained one.

    Args:
        model: trained in whatever arithmetic, on whatever devices.
        build: makes a model of the same layers; it may lack some, such as auxiliary
            heads.
    """
    keras.mixed_precision.set_dtype_policy("float32")
    plain = build()
    values = {v.path: checkpoint.local_value(v) for v in model.weights}
    if len(values) < len(model.weights):
        raise ValueError(f"{model.name} has several weights of one path: name layers")
    plain.set_weights([values[v.path] for v in plain.weights])
    return plain


def description(splits, labels, image_shape, recipe, started):
    """What metrics.json says of a run beside its metrics.

    Args:
        splits: {name: source}.
        labels: names of the classes.
        image_shape: (height, width, channels).
        recipe: from `training_flags.recipe`.
        started: `time.monotonic()` at the start.
    """
    return {
        "model": _F.model,
        "data": _F.data,
        "data_fingerprint": {k: split.fingerprint for k, split in splits.items()},
        "labels": list(labels),
        "image_shape": image_shape,
        "pixel_range": zoo.entry(_F.model).pixel_range,
        "examples": {name: split.num_examples for name, split in splits.items()},
        "train_seconds": time.monotonic() - started,
        "strategy": _F.strategy,
        "flags": recipe,
    }


def arrays(batches, names):
    """{name: array} of all batches, one after the other."""
    found = list(batches)
    return {name: np.concatenate([batch[name] for batch in found]) for name in names}
