r"""Finds a learning rate: one short run at a rate that climbs until it diverges.

  python -m kcv.tools.find_rate \
      --flagfile=tools/recipes/mobilenet_v1_025_digits.flags --output_dir=runs/rate

takes the flags of train_classifier, ignores --learning_rate and --schedule, prints the
rate at which the loss fell fastest and draws the loss over the rate into
rate_test.png. Nothing is trained: a good --learning_rate is there or a little below it.
"""

import itertools
import pathlib

import keras
from absl import flags
from rich.progress import track

from kcv.tools import classifier_flags, script, training_flags
from kcv.train.rate_test import rate_test
from kcv.train.strategy import make_strategy
from kcv.viz.rate_test import save_rate_test

_F = flags.FLAGS

flags.DEFINE_float("low_rate", 1e-5, "First learning rate.", 0)
flags.DEFINE_float("high_rate", 10.0, "Last learning rate.", 0)
flags.DEFINE_integer("steps", 100, "Batches from the first rate to the last.", 2)
flags.adopt_module_key_flags(classifier_flags)
flags.adopt_module_key_flags(training_flags)


def main(argv):
    if len(argv) > 1:
        raise script.UsageError(f"no positional arguments, got {' '.join(argv[1:])}")
    strategy = make_strategy(_F.strategy)
    keras.utils.set_random_seed(_F.seed)
    opened = classifier_flags.open_data()
    shape = opened.image_shape, len(opened.class_names)
    bar = iter(track(itertools.count(), "range test", total=_F.steps, transient=True))

    def batches(*position):
        return opened.batches("train", *position)

    with strategy.scope():
        model = classifier_flags.make_model(*shape, training=True)
        found = rate_test(
            model,
            classifier_flags.make_losses(opened),
            training_flags.make_optimizer(_F.learning_rate),
            batches,
            steps_per_epoch=opened.steps["train"],
            low=_F.low_rate,
            high=_F.high_rate,
            steps=_F.steps,
            clip_norm=_F.clip_norm or None,
            on_step=lambda _: next(bar),
        )
    folder = pathlib.Path(_F.output_dir)
    folder.mkdir(parents=True, exist_ok=True)
    picture = save_rate_test(*found, folder / "rate_test.png")
    if found.suggested is None:
        raise ValueError(
            f"the loss never fell between {_F.low_rate:g} and {_F.high_rate:g} "
            f"(see {picture}): try a lower --low_rate or more --steps"
        )
    last = found.rates[-1]
    print(f"{len(found.rates)} steps from {found.rates[0]:.2g} to {last:.2g}")
    print(f"the loss fell fastest at a rate of {found.suggested:.2g}; wrote {picture}")


if __name__ == "__main__":
    script.run(main)
