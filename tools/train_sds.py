r"""Trains SDS in its stages: regions, a network of two pathways, finer masks.

On drawn scenes (minutes on 2 CPU cores; the recipe's head says what it reaches):

  python -m kcv.tools.train_sds \
      --flagfile=tools/recipes/sds_scenes.flags --output_dir=runs/sds_scenes

On pictures of your own with masks, in the format of COCO:

  python -m kcv.tools.train_sds --data=coco:PATH --options=task=instances \
      --body=vgg11_bn --alpha=0.25 --region_size=32 --units=256 --output_dir=runs/mine

The stages, each with its file in the folder, so that the same command goes on where it
was interrupted:

  1 regions      selective search, with the pixels         regions_SPLIT.npz
  2 fine-tuning  both pathways, classes, coarse masks      checkpoints/fine_tuning
  3 refinement   which superpixels are of an object        refinement.npz

Writes model.keras (images, regions, grids -> scores, masks), metrics.json, history.csv,
curves.png, samples.png and TensorBoard events. What counts is AP of masks at an IoU of
0.5 on the test split, as COCO takes it. Images and regions are kept in memory.
"""

import time

import keras
from absl import flags

from kcv.classic import proposals, warp
from kcv.models.detection import rcnn, sds
from kcv.tools import data_options, script, sds_stages, training_flags, training_run
from kcv.tools.rcnn_stages import bar
from kcv.train import rcnn_examples, run_folder, sds_regions, sds_results
from kcv.train import sds as training
from kcv.train.rcnn_regions import num_steps
from kcv.train.strategy import is_chief

_F = flags.FLAGS
PIXEL_RANGE = (-1.0, 1.0)
SPLITS = ("train", "validation", "test")

flags.DEFINE_enum("model", "sds", ["sds"], "The one model that is trained like this.")
flags.DEFINE_string(
    "data", None, "'scenes/detection', or another set with masks as 'coco:PATH'."
)
flags.DEFINE_enum("body", "alexnet", list(rcnn.BODIES), "Body of both pathways.")
flags.DEFINE_float("alpha", 1.0, "Width multiplier of the body.", 0)
flags.DEFINE_integer("units", 4096, "Of the hidden dense layers of a pathway.", 1)
flags.DEFINE_float("dropout", 0.5, "Share of these units dropped in training.", 0, 0.99)
flags.DEFINE_integer("grid", sds.GRID, "Cells a side of a coarse mask.", 1)
flags.DEFINE_integer("region_size", 227, "Side of a warped region, pixels.", 8)
flags.DEFINE_float("context", warp.CONTEXT, "Around it, share of its side.", 0, 0.49)
flags.DEFINE_string("weights", None, "A file of weights to start from.")
flags.DEFINE_enum(
    "proposals",
    "selective_search",
    list(proposals.REGION_METHODS),
    "Where objects may be.",
)
flags.DEFINE_integer("proposals_per_image", 2000, "The most, in any split.", 1)
flags.DEFINE_float("positive_share", 0.25, "Of objects in a batch.", 0, 1)
flags.DEFINE_bool("flip", False, "Mirror every second region in fine-tuning.")
flags.DEFINE_integer("workers", 1, "Processes that make proposals.", 1)
flags.mark_flags_as_required(["data"])
for module in (training_flags, data_options):
    flags.adopt_module_key_flags(module)


def main(argv):
    started, strategy = training_run.start(argv)

    # Data.
    options = data_options.parse(_F.options) | {"seed": _F.seed}
    splits = {name: rcnn_examples.read(_F.data, name, **options) for name in SPLITS}
    truths = {name: sds_regions.read_masks(_F.data, name, **options) for name in SPLITS}
    classes = splits["train"].class_names
    recipe = training_flags.recipe(__name__)
    recipe.pop("workers")
    told = f"{len(classes)} classes"
    folder = training_run.claim(recipe, splits["train"], strategy, told)
    regions = {
        name: sds_stages.proposed(folder, name, splits[name], truths[name])
        for name in SPLITS
    }
    found = {
        n: sds_regions.labelled(splits[n], truths[n], regions[n]) for n in SPLITS[:2]
    }

    # Model.
    shape = (_F.region_size, _F.region_size, 3)
    names = ("body", "alpha", "units", "dropout", "grid")
    size = {"input_shape": shape, "classes": len(classes)}
    size |= {name: _F[name].value for name in names}
    keras.mixed_precision.set_dtype_policy(_F.precision)
    with strategy.scope():
        model = sds.sds(**size, weights=_F.weights)

    # Training.
    def batches(split, epoch, start_step=0, replicas=(0, 1, 1)):
        return sds_regions.batches(
            splits[split], found[split], _F.batch_size, shape, PIXEL_RANGE, _F.grid,
            positive_share=_F.positive_share, context=_F.context, flip=_F.flip,
            seed=_F.seed, epoch=epoch, start_step=start_step, replicas=replicas,
        )  # fmt: skip

    steps = {
        name: num_steps(each.windows, _F.batch_size, _F.positive_share)
        for name, each in found.items()
    }
    history = training_run.train_phase(
        model, training.sds_losses(), batches, steps, folder, strategy,
        phase="fine_tuning",
    )  # fmt: skip
    if not is_chief(strategy):
        return

    # Results, of a plain float32 network.
    net = training_run.plain_copy(model, lambda: sds.sds(**size))
    how = {"image_shape": shape, "pixel_range": PIXEL_RANGE}
    how |= {"grid": _F.grid, "context": _F.context}
    parts = (splits["validation"], truths["validation"], regions["validation"])
    weights = sds_stages.refinement(folder, net.predict_on_batch, parts, how)
    test = (splits["test"], truths["test"], regions["test"])
    with bar("test images", len(test[0].images)) as count:
        scores, masks = sds_results.evaluate(
            net.predict_on_batch, *test, weights, how, count
        )
    facts = {
        "model": _F.model,
        "data": _F.data,
        "data_fingerprint": {k: split.fingerprint for k, split in splits.items()},
        "labels": list(classes),
        **how,
        "refinement": weights.tolist(),
        "examples": {name: len(split.images) for name, split in splits.items()},
        "train_seconds": time.monotonic() - started,
        "strategy": _F.strategy,
        "flags": recipe,
    }
    run_folder.write(folder, net, history, facts, scores)
    sds_results.save_samples(splits["test"], masks, folder / "samples.png")
    told = ", ".join(f"{name.replace('_', ' ')} {x:.4f}" for name, x in scores.items())
    print(f"test {told}; wrote {folder}")


if __name__ == "__main__":
    script.run(main)
