r"""Trains a network that says what is in a picture and where, with pictures of it.

On drawn scenes of one thing each (minutes on 2 CPU cores; the recipe's head says what
it reaches):

  python -m kcv.tools.train_localiser \
      --flagfile=tools/recipes/localiser_025_scenes.flags --output_dir=runs/localiser

On pictures of your own, in the format of COCO, Pascal VOC or YOLO; of several boxes in
a picture the largest counts:

  python -m kcv.tools.train_localiser --model=localiser --data=coco:PATH \
      --epochs=30 --translate=0.1 --zoom=0.2 --output_dir=runs/mine

Writes model.keras, metrics.json, history.csv, curves.png, samples.png and TensorBoard
events. The same command goes on where it was interrupted. What counts is the share of
test pictures with the right class and a box that overlaps the true one by an IoU of 0.5
or more; metrics.json has it beside that of the commonest class with the mean box.
"""

from absl import flags

from kcv import data, zoo
from kcv.data import one_object
from kcv.data.transforms import Transforms
from kcv.metrics import localisation as metrics
from kcv.tools import augment_flags, data_options, script, training_flags, training_run
from kcv.train import localiser
from kcv.train.strategy import is_chief

_F = flags.FLAGS

flags.DEFINE_enum("model", None, zoo.names("localisation"), "Name in the zoo.")
flags.DEFINE_string(
    "data", None, "'scenes/detection', or another set of detection as 'coco:PATH'."
)
flags.DEFINE_integer("image_size", None, "Pixels a side; the model's own size.", 1)
flags.DEFINE_string("weights", None, "A file of weights to start from (new head).")
flags.DEFINE_float("box_weight", 10, "Weight of the loss of the boxes.", 0)
flags.mark_flags_as_required(["model", "data"])
for module in (training_flags, augment_flags, data_options):
    flags.adopt_module_key_flags(module)


def main(argv):
    started, strategy = training_run.start(argv)

    # Data.
    options = data_options.parse(_F.options)
    splits = {
        name: one_object.open_split(_F.data, name, seed=_F.seed, **options)
        for name in ("train", "validation", "test")
    }
    classes = splits["train"].class_names
    image_shape = training_run.image_shape()
    transforms = Transforms(**augment_flags.values())
    batches = training_run.batches_of(
        one_object.batches, splits, image_shape, transforms=transforms
    )

    # Model.
    recipe = training_flags.recipe(__name__)
    told = f"{len(classes)} classes, {image_shape[0]} px"
    folder = training_run.claim(recipe, splits["train"], strategy, told)
    shape = {"input_shape": image_shape, "classes": len(classes)}
    with strategy.scope():
        model = training_run.build(weights=_F.weights, **shape)
        model.get_layer("boxes").dtype_policy = "float32"  # half a pixel has 8 bits
    if is_chief(strategy):
        print(f"{model.count_params():,} parameters")

    # Training.
    history = training_run.train_phase(
        model,
        localiser.localisation_losses(image_shape[:2], _F.box_weight),
        batches,
        {name: data.num_steps(each, _F.batch_size) for name, each in splits.items()},
        folder,
        strategy,
    )
    if not is_chief(strategy):
        return

    # Results: of a plain float32 model on this process, whatever trained it.
    names = ("images", "labels", "boxes")
    truth = training_run.arrays(batches("train", None), names[1:])
    scores = localiser.write_results(
        training_run.plain_copy(model, lambda: zoo.build(_F.model, **shape)),
        training_run.arrays(batches("test", None), names),
        metrics.guess(**truth),
        history,
        folder,
        training_run.description(splits, classes, image_shape, recipe, started),
    )
    told = ", ".join(f"{name.replace('_', ' ')} {x:.4f}" for name, x in scores.items())
    print(f"test {told}; wrote {folder}")


if __name__ == "__main__":
    script.run(main)
