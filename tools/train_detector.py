r"""Trains a detector: what is in a picture, and where; with pictures of its answers.

On drawn scenes (ten minutes on 2 CPU cores; the recipe's head says what it reaches):

  python -m kcv.tools.train_detector \
      --flagfile=tools/recipes/ssd_mobilenet_v1_050_scenes.flags --output_dir=runs/ssd

On pictures of your own, in the format of COCO, Pascal VOC or YOLO:

  python -m kcv.tools.train_detector --model=ssd_mobilenet_v1_050 --data=coco:PATH \
      --epochs=50 --flip --zoom=0.3 --translate=0.2 --output_dir=runs/mine

Writes model.keras, metrics.json, history.csv, curves.png, samples.png and TensorBoard
events. The same command goes on where it was interrupted. --debug_targets writes
targets.png, which shows the anchors that answer for each object, and trains nothing:
an object without an anchor cannot be learned.
"""

import pathlib

from absl import flags

from kcv import data, zoo
from kcv.boxes import clusters
from kcv.data import objects
from kcv.data.transforms import Transforms
from kcv.tools import augment_flags, data_options, script, training_flags, training_run
from kcv.train import detector, instances
from kcv.train.strategy import is_chief
from kcv.viz.detected import save_targets

_F = flags.FLAGS
PARTS = (("train", "train"), ("validation", "validation"))

MODELS = [  # a tree of words has a script of its own
    name
    for name in zoo.names("detection")
    if zoo.entry(name).method not in ("", "yolo_9000")
]
flags.DEFINE_enum("model", None, MODELS, "Name in the zoo.")
flags.DEFINE_string("data", None, "'scenes/detection', 'coco:PATH', 'voc:PATH', ...")
flags.DEFINE_integer("image_size", None, "Pixels a side; the model's own size.", 1)
flags.DEFINE_enum(
    "test_split",
    "test",
    ["test", "validation"],
    "What the results are of; COCO and VOC 2012 keep the truth of their test images.",
)
flags.DEFINE_integer("slots", objects.SLOTS, "Most objects in a picture.", 1)
flags.DEFINE_string("weights", None, "A file of weights to start from.")
flags.DEFINE_integer(
    "cluster_anchors",
    0,
    "YOLOv2: so many shapes of anchors, as many as the model has, by k-means on the "
    "training boxes; 0: the model's own.",
    0,
)
flags.DEFINE_integer("rois", 64, "Two stages: regions an image to learn from.", 1)
flags.DEFINE_integer("anchors", 128, "Two stages: anchors to learn from.", 1)
flags.DEFINE_bool("debug_targets", False, "Write targets.png and stop.")
flags.mark_flags_as_required(["model", "data"])
for module in (training_flags, augment_flags, data_options):
    flags.adopt_module_key_flags(module)


def main(argv):
    started, strategy = training_run.start(argv)

    # Data.
    entry = zoo.entry(_F.model)
    keys = detector.METHODS[entry.method].keys
    options = data_options.parse(_F.options)
    splits = {
        name: objects.open_split(_F.data, split, _F.seed, keys, **options)
        for name, split in (*PARTS, ("test", _F.test_split))
    }
    classes = splits["train"].class_names
    image_shape = training_run.image_shape()
    changes, points = augment_flags.values(), None
    if "keypoints" in keys:
        points = splits["train"].keys["keypoints"][0][1]
        if _F.flip:
            changes["keypoint_pairs"] = instances.mirrored_pairs(points)
    transforms = Transforms(**changes)
    batches = training_run.batches_of(
        objects.batches, splits, image_shape, transforms=transforms, slots=_F.slots
    )

    # Model.
    shapes = None
    if _F.cluster_anchors:
        sizes = objects.sizes(splits["train"], image_shape[:2])
        shapes = clusters.anchor_shapes(sizes, _F.cluster_anchors, _F.seed).tolist()
        print("anchors:", " ".join(f"{w:.0f}x{h:.0f}" for w, h in shapes))
    decoding = detector.decoding_of(entry, image_shape, shapes)
    if _F.debug_targets:
        print(f"wrote {draw_targets(entry, decoding, batches, classes)}")
        return
    recipe = training_flags.recipe(__name__)
    told = f"{len(classes)} classes, {image_shape[0]} px"
    folder = training_run.claim(recipe, splits["train"], strategy, told)
    shape = {"input_shape": image_shape, "classes": len(classes)}
    shape |= {} if points is None else {"keypoints": points}
    with strategy.scope():
        model = training_run.build(exact=(), weights=_F.weights, **shape)
        trained, graph = model, detector.METHODS[entry.method].graph
        if graph:
            # Four proposals for each region that is learned from, as in the papers.
            regions = {"rois": _F.rois, "proposals": 4 * _F.rois}
            regions |= {"anchors": _F.anchors, "candidates": 8 * _F.rois}
            trained = graph(model, seed=_F.seed, **regions)
    if is_chief(strategy):
        print(f"{model.count_params():,} parameters")

    # Training.
    history = training_run.train_phase(
        trained,
        detector.detector_losses(entry.method, decoding),
        batches,
        {name: data.num_steps(each, _F.batch_size) for name, each in splits.items()},
        folder,
        strategy,
        validate=detector.make_evaluate(
            model,
            decoding,
            lambda: batches("validation", None),
            len(classes),
            keys,
            most=detector.FEW if keys else detector.MOST,
        ),
    )
    if not is_chief(strategy):
        return

    # Results: of a plain float32 model on this process, whatever trained it.
    model = training_run.plain_copy(trained, lambda: zoo.build(_F.model, **shape))
    scores = detector.write_results(
        model,
        decoding,
        lambda: batches("test", None),
        history,
        folder,
        training_run.description(splits, classes, image_shape, recipe, started)
        | {"anchor_shapes": shapes},
        keys,
    )
    told = ", ".join(f"{name.upper()} {value:.4f}" for name, value in scores.items())
    print(f"test {told}; wrote {folder}")


def draw_targets(entry, decoding, batches, classes, count=12):
    """Draws the anchors that answer for the objects of some training pictures."""
    batch = next(iter(batches("train", 0)))
    batch = {key: value[:count] for key, value in batch.items()}
    method = detector.METHODS[entry.method]
    if method.targets is None:
        why = "has cells, no anchors" if entry.stride else "draws lots from its anchors"
        raise script.UsageError(f"--debug_targets: {_F.model} {why}")
    classes_of_anchors = method.targets(decoding, batch)
    folder = pathlib.Path(_F.output_dir)
    folder.mkdir(parents=True, exist_ok=True)
    return save_targets(
        batch["images"].numpy(),
        {key: batch[key].numpy() for key in ("boxes", "classes")},
        classes_of_anchors.numpy(),
        decoding.anchors,
        classes,
        folder / "targets.png",
        entry.pixel_range,
    )


if __name__ == "__main__":
    script.run(main)
