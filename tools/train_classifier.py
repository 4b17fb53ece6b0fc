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

import keras
from absl import flags

from kcv import data, zoo
from kcv.tools import classifier_flags, script, training_flags, training_run
from kcv.train import classifier, freeze
from kcv.train.strategy import is_chief

_F = flags.FLAGS

flags.DEFINE_integer("head_epochs", 0, "Epochs for the head alone, body frozen.", 0)
flags.DEFINE_string(
    "unfreeze", "all", "Start of the name of the first layer to train afterwards."
)
flags.DEFINE_float(
    "fine_tune_rate", 0.1, "After --head_epochs, the rate is multiplied by this.", 0
)
flags.adopt_module_key_flags(classifier_flags)
flags.adopt_module_key_flags(training_flags)


def main(argv):
    started, strategy = training_run.start(argv)

    # Data.
    opened = classifier_flags.open_data()
    splits = opened.splits
    pixel_range = zoo.entry(_F.model).pixel_range

    # Model.
    recipe = training_flags.recipe(__name__)
    classes = len(opened.class_names)
    told = f"{classes} classes, {opened.image_shape[0]} px"
    folder = training_run.claim(recipe, splits["train"], strategy, told)
    with strategy.scope():
        keras.mixed_precision.set_dtype_policy(_F.precision)
        model = classifier_flags.make_model(opened.image_shape, classes, training=True)
    if is_chief(strategy):
        print(f"{model.count_params():,} parameters")

    # Training: all at once, or the head alone and then the rest.
    losses = classifier_flags.make_losses(opened)
    history = []
    for phase, epochs, rate in phases():
        if phase == "head":
            freeze.train_head_only(model)
        else:
            freeze.unfreeze_from(model, _F.unfreeze)
        history += training_run.train_phase(
            model,
            losses,
            opened.batches,
            opened.steps,
            folder,
            strategy,
            phase=phase,
            epochs=epochs,
            rate=rate,
            slowest_stage=lambda: data.slowest_stage(
                splits["train"],
                _F.batch_size,
                opened.image_shape,
                pixel_range,
                opened.augment,
            ),
        )
    if not is_chief(strategy):
        return

    # Results: of a plain float32 model on this process, whatever trained it.
    trained = training_run.plain_copy(
        model, lambda: classifier_flags.make_model(opened.image_shape, classes)
    )
    accuracy = classifier.write_results(
        trained,
        opened.batches("test", None),
        history,
        folder,
        training_run.description(
            splits, opened.class_names, opened.image_shape, recipe, started
        ),
    )
    print(f"test accuracy {accuracy:.4f}; wrote {folder}")


def phases():
    """[(name, epochs, learning rate)] of the training."""
    if not _F.head_epochs:
        return [("all", _F.epochs, _F.learning_rate)]
    fine_tuning = ("body", _F.epochs, _F.learning_rate * _F.fine_tune_rate)
    return [("head", _F.head_epochs, _F.learning_rate), fine_tuning]


if __name__ == "__main__":
    script.run(main)
