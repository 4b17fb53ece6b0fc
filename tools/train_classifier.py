r"""Trains a classifier of the zoo and writes it with its metrics and pictures.

On the real handwritten digits that scikit-learn ships (a minute on 2 CPU cores):

  python -m kcv.tools.train_classifier \
      --flagfile=tools/recipes/mobilenet_v1_025_digits.flags --output_dir=runs/digits

On your own pictures, one folder a class, starting from published weights: the new head
first, then the last blocks at a lower rate:

  python -m kcv.tools.train_classifier --model=mobilenet_v2 --data=PATH \
      --weights=imagenet --head_epochs=3 --unfreeze=block13 --epochs=10 \
      --flip --rotate=10 --zoom=0.1 --output_dir=runs/mine

Writes model.keras, metrics.json, history.csv, curves.png, samples.png, confusion.png
and TensorBoard events. The same command goes on where it was interrupted.
"""

import pathlib
import time

import keras
from absl import flags

from kcv import data, zoo
from kcv.tools import script, training_flags
from kcv.train import checkpoint, classifier, freeze, loop, run_folder
from kcv.train.progress import TrainingProgress
from kcv.train.strategy import is_chief, make_strategy

_F = flags.FLAGS

flags.DEFINE_enum("model", None, list(zoo.ZOO), "Name in the zoo.")
flags.DEFINE_string(
    "data", None, "'digits', 'tfds:NAME', or a folder with one folder a class."
)
flags.DEFINE_string("data_dir", None, "Where TFDS keeps its sets; its own default.")
flags.DEFINE_float(
    "max_bad_share", 0.05, "Share of unreadable files at which to stop.", 0, 1
)
flags.DEFINE_integer("image_size", None, "Pixels a side; the model's own size.", 1)
flags.DEFINE_string(
    "weights", None, "'imagenet', or a file of weights to start from (new head)."
)
flags.DEFINE_integer("head_epochs", 0, "Epochs for the head alone, body frozen.", 0)
flags.DEFINE_string(
    "unfreeze", "all", "Start of the name of the first layer to train afterwards."
)
flags.DEFINE_float(
    "fine_tune_rate", 0.1, "After --head_epochs, the rate is multiplied by this.", 0
)
flags.DEFINE_enum("loss", "cross_entropy", list(classifier.LOSSES), "Loss.")
flags.DEFINE_float("label_smoothing", 0, "Share of a label spread evenly.", 0, 1)
flags.DEFINE_enum(
    "class_weights", "none", ["none", "balanced"], "Equal sums for rare classes."
)
flags.DEFINE_bool("flip", False, "Mirror every second image left to right.")
flags.DEFINE_float("rotate", 0, "Largest turn, degrees.", 0)
flags.DEFINE_float("zoom", 0, "Largest change of scale; 0.2 is 0.8 to 1.2.", 0)
flags.DEFINE_float("shear", 0, "Largest shear, degrees.", 0)
flags.DEFINE_float("translate", 0, "Largest shift, share of the side.", 0)
flags.DEFINE_enum(
    "fill", "reflect", ["reflect", "nearest", "constant"], "Beyond the border."
)
flags.DEFINE_float("brightness", 0, "Largest change of brightness, share.", 0)
flags.DEFINE_float("contrast", 0, "Largest change of contrast, share.", 0)
flags.DEFINE_float("saturation", 0, "Largest change of saturation, share.", 0)
flags.DEFINE_float("hue", 0, "Largest turn of the colour circle, share.", 0)
flags.DEFINE_float("crop_scale", 0, "Smallest area of a random crop, share.", 0)
flags.DEFINE_float("cutout", 0, "Side of a grey square, share of the image's.", 0)
flags.DEFINE_float("mixup", 0, "Alpha of mixup.", 0)
flags.DEFINE_float("cutmix", 0, "Alpha of CutMix.", 0)
flags.mark_flags_as_required(["model", "data"])
flags.adopt_module_key_flags(training_flags)


def main(argv):
    if len(argv) > 1:
        raise script.UsageError(f"no positional arguments, got {' '.join(argv[1:])}")
    started = time.monotonic()
    strategy = make_strategy(_F.strategy)
    keras.utils.set_random_seed(_F.seed)

    # Data.
    splits = {name: open_split(name) for name in ("train", "validation", "test")}
    classes = splits["train"].class_names
    entry = zoo.entry(_F.model)
    size = _F.image_size or entry.input_shape[0]
    image_shape = (size, size, entry.input_shape[2])
    augment = data.Augment(**{name: _F[name].value for name in data.Augment._fields})

    def batches(split, epoch, start_step=0, replicas=(0, 1, 1)):
        return data.batches(
            splits[split],
            _F.batch_size,
            image_shape,
            entry.pixel_range,
            augment=augment,
            seed=_F.seed,
            epoch=epoch,
            start_step=start_step,
            replicas=replicas,
            service=_F.data_service if split == "train" else None,
        )

    # Model.
    folder = pathlib.Path(_F.output_dir)
    recipe = training_flags.recipe(__name__)
    if is_chief(strategy):
        print(f"{_F.model} on {_F.data}: {len(classes)} classes, {size} px -> {folder}")
        fingerprint = {"data_fingerprint": splits["train"].fingerprint}
        run_folder.claim(folder, recipe | fingerprint)
    shape = {"input_shape": image_shape, "classes": len(classes)}
    with strategy.scope():
        keras.mixed_precision.set_dtype_policy(_F.precision)
        model = zoo.build(_F.model, weights=_F.weights, **shape)
        model.get_layer("predictions").dtype_policy = "float32"  # exact probabilities
    if is_chief(strategy):
        print(f"{model.count_params():,} parameters")

    # Training: all at once, or the head alone and then the rest.
    class_weights = None
    if _F.class_weights == "balanced":
        labels = data.labels(splits["train"])
        class_weights = classifier.balanced_class_weights(labels, len(classes))
    losses = classifier.classification_losses(
        _F.loss, _F.label_smoothing, class_weights
    )
    steps = {
        name: data.num_steps(split, _F.batch_size) for name, split in splits.items()
    }
    history = []
    for phase, epochs, rate in phases():
        if phase == "head":
            freeze.train_head_only(model)
        else:
            freeze.unfreeze_from(model, _F.unfreeze)
        with (
            strategy.scope(),
            TrainingProgress(
                f"{_F.model} {phase}",
                epochs,
                _F.batch_size,
                quiet=not is_chief(strategy),
                events=folder / "tensorboard" / phase if _F.tensorboard else None,
                slowest_stage=lambda: data.slowest_stage(
                    splits["train"],
                    _F.batch_size,
                    image_shape,
                    entry.pixel_range,
                    augment,
                ),
            ) as progress,
        ):
            history += loop.train(
                model,
                losses,
                training_flags.make_optimizer(rate),
                lambda *position: batches("train", *position),
                steps_per_epoch=steps["train"],
                epochs=epochs,
                schedule=training_flags.make_schedule(rate, epochs),
                checkpoint_dir=folder / "checkpoints" / phase,
                validate=loop.make_evaluate(
                    model,
                    losses,
                    lambda epoch, *position: batches("validation", None, *position),
                    steps["validation"],
                ),
                checkpoint_seconds=_F.checkpoint_seconds,
                clip_norm=_F.clip_norm or None,
                jit_compile=_F.jit_compile,
                on_step=progress.on_step,
                on_epoch=progress.on_epoch,
            )
    if not is_chief(strategy):
        return

    # Results: of a plain float32 model on this process, whatever trained it.
    keras.mixed_precision.set_dtype_policy("float32")
    trained = zoo.build(_F.model, **shape)
    trained.set_weights([checkpoint.local_value(v) for v in model.weights])
    accuracy = classifier.write_results(
        trained,
        batches("test", None),
        history,
        folder,
        {
            "model": _F.model,
            "data": _F.data,
            "data_fingerprint": {k: split.fingerprint for k, split in splits.items()},
            "labels": list(classes),
            "image_shape": image_shape,
            "pixel_range": entry.pixel_range,
            "examples": {name: split.num_examples for name, split in splits.items()},
            "train_seconds": time.monotonic() - started,
            "strategy": _F.strategy,
            "flags": recipe,
        },
    )
    print(f"test accuracy {accuracy:.4f}; wrote {folder}")


def open_split(split):
    """One split of --data."""
    options = {}
    if _F.data.startswith("tfds:"):
        options = {"data_dir": _F.data_dir}
    elif _F.data != "digits":
        options = {"max_bad_share": _F.max_bad_share}
    return data.source(_F.data, split, seed=_F.seed, **options)


def phases():
    """[(name, epochs, learning rate)] of the training."""
    if not _F.head_epochs:
        return [("all", _F.epochs, _F.learning_rate)]
    fine_tuning = ("body", _F.epochs, _F.learning_rate * _F.fine_tune_rate)
    return [("head", _F.head_epochs, _F.learning_rate), fine_tuning]


if __name__ == "__main__":
    script.run(main)
