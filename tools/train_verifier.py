r"""Trains a network that says whether two pictures are of the same person or thing.

On drawn things, of which "the same" means the same shape in the same colour, at any
place and size (minutes on 2 CPU cores; the recipe's head says what it reaches):

  python -m kcv.tools.train_verifier \
      --flagfile=tools/recipes/arcface_025_scenes.flags --output_dir=runs/verifier

On faces of your own, one folder a person:

  python -m kcv.tools.train_verifier --model=arcface --data=PATH --epochs=30 --flip \
      --output_dir=runs/faces

Who is tested has never been seen in training: identities, not pictures, are cut into
training, validation and test. The faces that scikit-image ships (`lfw_subset`, 100
pictures) have no names, so that nobody knows which are of the same person: of no use.

Writes model.keras, metrics.json, history.csv, curves.png, roc.png, samples.png and
TensorBoard events. The same command goes on where it was interrupted. What counts is
the equal error rate on pairs of the test; metrics.json has it beside that of the cosine
of the pixels (chance: 0.5), and the threshold that validation pairs give.
"""

from absl import flags

from kcv import data, zoo
from kcv.data import identities
from kcv.tools import augment_flags, data_options, script, training_flags, training_run
from kcv.train import verifier
from kcv.train.strategy import is_chief

_F = flags.FLAGS

flags.DEFINE_enum("model", None, zoo.names("verification"), "Name in the zoo.")
flags.DEFINE_string(
    "data", None, "'scenes/attributes', 'digits', or a folder with one folder a person."
)
flags.DEFINE_integer("image_size", None, "Pixels a side; the model's own size.", 1)
flags.DEFINE_string("weights", None, "A file of weights to start from (new head).")
flags.DEFINE_float("unseen", 0.3, "Share of the identities that the test gets.", 0, 1)
flags.DEFINE_float("margin", 0.5, "Angle that the right class must keep, radians.", 0)
flags.DEFINE_float("scale", 64, "Of the cosines, which are the logits.", 0)
flags.DEFINE_float("dropout", 0.4, "Share of the last maps dropped.", 0, 1)
flags.DEFINE_enum(
    "fill", "reflect", ["reflect", "nearest", "constant"], "Beyond the border."
)
flags.mark_flags_as_required(["model", "data"])
for module in (training_flags, augment_flags, data_options):
    flags.adopt_module_key_flags(module)


def main(argv):
    started, strategy = training_run.start(argv)

    # Data.
    options = data_options.parse(_F.options)
    splits = identities.open_splits(_F.data, _F.seed, _F.unseen, **options)
    image_shape = training_run.image_shape()
    augment = data.Augment(fill=_F.fill, **augment_flags.values())
    batches = training_run.batches_of(
        data.batches, splits, image_shape, augment=augment
    )

    # Model.
    recipe = training_flags.recipe(__name__)
    names = {name: list(split.class_names) for name, split in splits.items()}
    counts = ", ".join(f"{len(each)} for {name}" for name, each in names.items())
    told = f"identities: {counts}; {image_shape[0]} px"
    folder = training_run.claim(recipe, splits["train"], strategy, told)
    shape = {"input_shape": image_shape, "classes": len(names["train"])}
    shape |= {"margin": _F.margin, "scale": _F.scale, "dropout": _F.dropout}
    with strategy.scope():
        model = training_run.build(weights=_F.weights, **shape)
        model.get_layer("embeddings").dtype_policy = "float32"  # angles need it
        losses = verifier.verification_losses(model)
        validate = verifier.make_validate(model, lambda: batches("validation", None))
    if is_chief(strategy):
        print(f"{model.count_params():,} parameters")

    # Training.
    history = training_run.train_phase(
        model,
        losses,
        batches,
        {name: data.num_steps(each, _F.batch_size) for name, each in splits.items()},
        folder,
        strategy,
        validate=validate,
    )
    if not is_chief(strategy):
        return

    # Results: of a plain float32 model on this process, whatever trained it.
    measured = verifier.write_results(
        training_run.plain_copy(model, lambda: zoo.build(_F.model, **shape)),
        training_run.arrays(batches("validation", None), ("images", "labels")),
        training_run.arrays(batches("test", None), ("images", "labels")),
        history,
        folder,
        training_run.description(splits, names["train"], image_shape, recipe, started)
        | {"unseen": names["test"]},
    )
    print(
        f"test equal error rate {measured['equal_error_rate']:.4f} (pixels: "
        f"{measured['baseline_equal_error_rate']:.4f}); wrote {folder}"
    )


if __name__ == "__main__":
    script.run(main)
