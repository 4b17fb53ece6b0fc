r"""Trains R-CNN in its stages: region proposals, a network, machines, regressors.

On drawn scenes (minutes on 2 CPU cores; the recipe's head says what it reaches):

  python -m kcv.tools.train_rcnn \
      --flagfile=tools/recipes/rcnn_scenes.flags --output_dir=runs/rcnn_scenes

On pictures of your own, in the format of COCO, Pascal VOC or YOLO:

  python -m kcv.tools.train_rcnn --data=coco:PATH --body=vgg11_bn --alpha=0.25 \
      --region_size=32 --units=256 --output_dir=runs/mine

The stages, each with its file in the folder, so that the same command goes on where it
was interrupted:

  1 proposals    selective search or objectness windows    proposals_SPLIT.npz
  2 fine-tuning  a classifier of warped regions            checkpoints/fine_tuning
  3 features     of objects and proposals                  features.npz
  4 machines     one linear SVM a class, hard negatives    machines.npz
  5 regressors   four ridge regressions a class            regressors.npz

Writes model.keras (regions -> scores, offsets), metrics.json, history.csv, curves.png,
samples.png and TensorBoard events. What counts is AP at an IoU of 0.5 on the test
split, as PASCAL VOC of 2010 takes it. Images and features are kept in memory.
"""

import time

import keras
from absl import flags

from kcv.classic import box_regression, proposals, warp
from kcv.models.detection import rcnn as models
from kcv.tools import data_options, rcnn_stages, script, training_flags, training_run
from kcv.train import (
    classifier,
    rcnn_examples,
    rcnn_machines,
    rcnn_regions,
    rcnn_results,
    run_folder,
)
from kcv.train.strategy import is_chief

_F = flags.FLAGS
PIXEL_RANGE = (-1.0, 1.0)
SPLITS = ("train", "validation", "test")

flags.DEFINE_enum("model", "rcnn", ["rcnn"], "The one model that is trained like this.")
flags.DEFINE_string(
    "data", None, "'scenes/detection', or another set of detection as 'coco:PATH'."
)
flags.DEFINE_enum("body", "alexnet", list(models.BODIES), "Body of the network.")
flags.DEFINE_float("alpha", 1.0, "Width multiplier of the body.", 0)
flags.DEFINE_integer("units", 4096, "Of both hidden dense layers.", 1)
flags.DEFINE_float("dropout", 0.5, "Share of these units dropped in training.", 0, 0.99)
flags.DEFINE_integer("region_size", 227, "Side of a warped region, pixels.", 8)
flags.DEFINE_float("context", warp.CONTEXT, "Around it, share of its side.", 0, 0.49)
flags.DEFINE_string("weights", None, "A file of weights to start from (new head).")
flags.DEFINE_enum(
    "proposals", "selective_search", list(proposals.METHODS), "Where objects may be."
)
flags.DEFINE_integer("proposals_per_image", 2000, "The most, in any split.", 1)
flags.DEFINE_float("positive_share", 0.25, "Of objects in a batch.", 0, 1)
flags.DEFINE_bool("flip", False, "Mirror every second region in fine-tuning.")
flags.DEFINE_integer(
    "svm_images", 0, "Training images that machines and regressors see; 0: all.", 0
)
flags.DEFINE_float("svm_c", 1e-3, "Weight of a machine's errors.", 0)
flags.DEFINE_float(
    "box_regularisation", box_regression.REGULARISATION, "Lambda of appendix C.", 0
)
flags.DEFINE_integer("workers", 1, "Processes that make proposals.", 1)
flags.mark_flags_as_required(["data"])
for module in (training_flags, data_options):
    flags.adopt_module_key_flags(module)


def main(argv):
    started, strategy = training_run.start(argv)

    # Data.
    options = data_options.parse(_F.options)
    splits = {
        name: rcnn_examples.read(_F.data, name, seed=_F.seed, **options)
        for name in SPLITS
    }
    classes = splits["train"].class_names
    recipe = training_flags.recipe(__name__)
    recipe.pop("workers")
    told = f"{len(classes)} classes"
    folder = training_run.claim(recipe, splits["train"], strategy, told)
    boxes = {name: rcnn_stages.proposed(folder, name, splits[name]) for name in SPLITS}
    windows = {n: rcnn_regions.windows(splits[n], boxes[n]) for n in SPLITS[:2]}

    # Model.
    shape = (_F.region_size, _F.region_size, 3)
    body = {name: _F[name].value for name in ("body", "alpha", "units", "dropout")}
    size = {"input_shape": shape, "classes": len(classes)}
    keras.mixed_precision.set_dtype_policy(_F.precision)
    with strategy.scope():
        model = models.rcnn_classifier(**size, **body, weights=_F.weights)

    # Training: the network.
    def batches(split, epoch, start_step=0, replicas=(0, 1, 1)):
        return rcnn_regions.batches(
            splits[split], windows[split], _F.batch_size, shape, PIXEL_RANGE,
            positive_share=_F.positive_share, context=_F.context, flip=_F.flip,
            seed=_F.seed, epoch=epoch, start_step=start_step, replicas=replicas,
        )  # fmt: skip

    history = training_run.train_phase(
        model,
        classifier.classification_losses(),
        batches,
        {
            name: rcnn_regions.num_steps(found, _F.batch_size, _F.positive_share)
            for name, found in windows.items()
        },
        folder,
        strategy,
        phase="fine_tuning",
    )
    if not is_chief(strategy):
        return

    # Training: machines and regressors, of a plain float32 network.
    tuned = training_run.plain_copy(
        model, lambda: models.rcnn_classifier(**size, **body)
    )
    how = {"image_shape": shape, "pixel_range": PIXEL_RANGE, "context": _F.context}
    machines, regressors = rcnn_stages.second_stage(
        folder, tuned, splits["train"], boxes["train"], how
    )
    net = rcnn_machines.assembled(
        models.rcnn(**size, **body), tuned, machines, regressors
    )

    # Results.
    test = splits["test"]
    with rcnn_stages.bar("test images", len(test.images)) as count:
        scores, found = rcnn_results.evaluate(
            net.predict_on_batch, test, boxes["test"], how, count
        )
    facts = {
        "model": _F.model,
        "data": _F.data,
        "data_fingerprint": {k: split.fingerprint for k, split in splits.items()},
        "labels": list(classes),
        "image_shape": shape,
        "pixel_range": PIXEL_RANGE,
        "context": _F.context,
        "examples": {name: len(split.images) for name, split in splits.items()},
        "train_seconds": time.monotonic() - started,
        "strategy": _F.strategy,
        "flags": recipe,
    }
    run_folder.write(folder, net, history, facts, scores)
    rcnn_results.save_samples(test, found, folder / "samples.png")
    told = ", ".join(f"{name.replace('_', ' ')} {x:.4f}" for name, x in scores.items())
    print(f"test {told}; wrote {folder}")


if __name__ == "__main__":
    script.run(main)
