r"""Trains YOLO9000: of some words it is shown boxes, of others only whole pictures.

On drawn scenes (ten minutes on 2 CPU cores; the recipe's head says what it reaches):

  python -m kcv.tools.train_yolo9000 \
      --flagfile=tools/recipes/yolo_9000_025_scenes.flags --output_dir=runs/yolo_9000

A step has pictures of --data with boxes, and pictures of --labels_data of which a word
is known, but no box. The classes of both are words of --tree. --boxes_without names
classes whose boxes are only given the word above, as "digit" for "digit_7": a network
learns to find digits from them, and to tell a 7 from the other pictures. Without
--labels_data there are boxes alone: what the words gain can be compared.

Of --labels_data, pictures for classification are taken as they are; of a set of
detection, the class of the largest thing is the word ('scenes/detection' is drawn with
one thing a picture). Writes what train_detector writes; metrics.json has the average
precision of words with and without boxes, by the probabilities of all words that have
none below them, and how exact the answers are that go down the tree while they are
surer than --tree_threshold.
"""

import pathlib
import time

import keras
from absl import flags

from kcv import data, zoo
from kcv.boxes import clusters
from kcv.data import joint, objects
from kcv.data.transforms import Transforms
from kcv.tools import (
    augment_flags,
    data_options,
    script,
    training_flags,
    training_run,
    word_flags,
)
from kcv.train import detector, run_folder, word_detector
from kcv.train.strategy import is_chief, make_strategy

_F = flags.FLAGS
PARTS = (("train", "train"), ("validation", "validation"))

MODELS = [n for n in zoo.names("detection") if zoo.entry(n).method == "yolo_9000"]
flags.DEFINE_enum("model", None, MODELS, "Name in the zoo.")
flags.DEFINE_string("data", None, "Pictures with boxes, as 'scenes/detection'.")
flags.DEFINE_float("tree_threshold", 0.5, "Least probability on the way down.", 0.01, 1)
flags.DEFINE_integer("image_size", None, "Pixels a side; the model's own size.", 1)
flags.DEFINE_enum(
    "test_split", "test", ["test", "validation"], "What the results are of."
)
flags.DEFINE_integer("slots", objects.SLOTS, "Most objects in a picture.", 1)
flags.DEFINE_string("weights", None, "A file of weights to start from.")
flags.DEFINE_integer(
    "cluster_anchors",
    0,
    "Shapes of anchors, by k-means; 0: the model's own.",
    0,
)
flags.mark_flags_as_required(["model", "data"])
for module in (word_flags, training_flags, augment_flags, data_options):
    flags.adopt_module_key_flags(module)


def main(argv):
    if len(argv) > 1:
        raise script.UsageError(f"no positional arguments, got {' '.join(argv[1:])}")
    started = time.monotonic()
    strategy = make_strategy(_F.strategy)
    keras.utils.set_random_seed(_F.seed)

    # Data.
    options = data_options.parse(_F.options)
    splits = {
        name: objects.open_split(_F.data, split, seed=_F.seed, **options)
        for name, split in (*PARTS, ("test", _F.test_split))
    }
    entry = zoo.entry(_F.model)
    size = _F.image_size or entry.input_shape[0]
    image_shape = (size, size, entry.input_shape[2])
    tree = word_flags.tree()
    words = word_flags.words_of_boxes(tree, splits["train"].class_names)
    labelled = word_flags.open_labels()
    count = round(_F.labels_share * _F.batch_size) if labelled else 0
    count = min(max(count, bool(labelled)), _F.batch_size - 1)
    boxed = _F.batch_size - count  # pictures of each kind in a step
    steps = {name: data.num_steps(each, boxed) for name, each in splits.items()}
    make_labels = word_flags.labels_batches(labelled, count, image_shape, entry, tree)

    def batches(split, epoch, start_step=0, replicas=(0, 1, 1)):
        found = objects.batches(
            *(splits[split], boxed, image_shape, entry.pixel_range),
            slots=_F.slots,
            transforms=Transforms(**augment_flags.values()),
            seed=_F.seed,
            epoch=epoch,
            start_step=start_step,
            replicas=replicas,
        )
        found = joint.as_words(found, words[split])
        if split != "train" or epoch is None:
            return found
        if not labelled or epoch < _F.boxes_first:
            return joint.beside(found)
        first = (epoch - _F.boxes_first) * steps[split] + start_step
        left = steps[split] - start_step
        return joint.beside(found, make_labels(first, left, replicas))

    # Model.
    folder = pathlib.Path(_F.output_dir)
    shapes = None
    if _F.cluster_anchors:
        sizes = objects.sizes(splits["train"], image_shape[:2])
        shapes = clusters.anchor_shapes(sizes, _F.cluster_anchors, _F.seed).tolist()
        print("anchors:", " ".join(f"{w:.0f}x{h:.0f}" for w, h in shapes))
    decoding = detector.decoding_of(entry, image_shape, shapes, tree.parents)
    recipe = training_flags.recipe(__name__)
    known = {"labels": list(tree.names), "parents": list(tree.parents)}
    if is_chief(strategy):
        print(
            f"{_F.model} on {_F.data}: {len(tree.names)} words, {size} px -> {folder}"
        )
        prints = {"data_fingerprint": splits["train"].fingerprint}
        prints |= {"labels_fingerprint": labelled.fingerprint} if labelled else {}
        run_folder.claim(folder, recipe | prints | known)
    shape = {"input_shape": image_shape, "classes": len(tree.names)}
    if shapes:
        shape["anchors_per_place"] = len(shapes)
    with strategy.scope():
        model = training_run.build(exact=(), weights=_F.weights, **shape)
    if is_chief(strategy):
        print(f"{model.count_params():,} parameters")

    # Training.
    history = training_run.train_phase(
        model,
        detector.detector_losses(entry.method, decoding),
        batches,
        steps,
        folder,
        strategy,
        validate=detector.make_evaluate(
            model, decoding, lambda: batches("validation", None), len(tree.names)
        ),
    )
    if not is_chief(strategy):
        return

    # Results: of a plain float32 model on this process, whatever trained it.
    own, given = words["test"].tolist(), words["train"].tolist()
    groups = {"with_boxes": [w for w in own if w in given]}
    groups["without_boxes"] = [w for w in own if w not in given]
    facts = training_run.description(
        splits, tree.names, image_shape, recipe, started
    ) | known | {"words": {name: x.tolist() for name, x in words.items()}}  # fmt: skip
    scores = word_detector.write_results(
        training_run.plain_copy(model, lambda: zoo.build(_F.model, **shape)),
        decoding,
        lambda: batches("test", None),
        history,
        folder,
        facts | {"anchor_shapes": shapes},
        {name: group for name, group in groups.items() if group},
        _F.tree_threshold,
    )
    told = ", ".join(f"{name.replace('_', ' ')} {x:.4f}" for name, x in scores.items())
    print(f"test {told}; wrote {folder}")


if __name__ == "__main__":
    script.run(main)
