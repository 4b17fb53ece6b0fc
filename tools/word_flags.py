"""Flags of training with words: the tree, what boxes say, pictures without boxes."""

from absl import flags

from kcv import data
from kcv.boxes import word_tree
from kcv.data import joint, objects, one_object
from kcv.data.transforms import Transforms
from kcv.tools import augment_flags, data_options, script

_F = flags.FLAGS

flags.DEFINE_string("labels_data", None, "Pictures with a word, as 'scenes/detection'.")
flags.DEFINE_multi_string("labels_options", [], "As --options, of --labels_data.")
flags.DEFINE_float("labels_share", 0.5, "Of a batch, pictures with a word.", 0.01, 0.99)
flags.DEFINE_integer(
    "boxes_first",
    0,
    "Epochs of boxes alone: before it knows objects, the box that is surest of a "
    "picture's word is any box, and stays it.",
    0,
)
flags.DEFINE_string(
    "tree", "scenes", "'scenes', or a file with a word and the one above it in a line."
)
flags.DEFINE_list("boxes_without", [], "Classes whose boxes get the word above.")


def tree():
    """The WordTree of --tree."""
    if _F.tree == "scenes":
        return word_tree.word_tree(word_tree.SCENES)
    return word_tree.read_word_tree(_F.tree)


def words_of_boxes(tree, names):
    """{split: int32 (classes,)}: the word of each class's boxes in a split.

    In training, classes of --boxes_without have the word above their own. All splits
    that are measured name things as they are.

    Args:
        tree: WordTree.
        names: of the classes of --data.

    Raises:
        script.UsageError: a class cannot be measured, or not be named by a word above.
    """
    own = tree.numbers(names)
    for name, word in zip(names, own):
        if not tree.leaves()[word]:
            raise script.UsageError(
                f"--tree={_F.tree}: {name!r}, a class of --data, has words below it; "
                "what is measured must be at the end of a way down"
            )
    for name in _F.boxes_without:
        if name not in names:
            raise script.UsageError(
                f"--boxes_without={name}: no class of --data; {', '.join(names)} are"
            )
    given = own.copy()
    for i, name in enumerate(names):
        if name in _F.boxes_without:
            given[i] = tree.parents[own[i]]
            if given[i] < 0:
                raise script.UsageError(
                    f"--boxes_without={name}: there is no word above it but the root"
                )
    return {"train": given, "validation": own, "test": own}


def open_labels():
    """The training split of --labels_data, or None."""
    if not _F.labels_data:
        return None
    options = data_options.parse(_F.labels_options)
    if _F.labels_data.startswith("scenes/detection"):  # drawn with one thing each
        return one_object.open_split(_F.labels_data, "train", seed=_F.seed, **options)
    found = data.source(_F.labels_data, "train", seed=_F.seed, **options)
    return objects.with_keys(found) if found.keys else found


def labels_batches(source, count, image_shape, entry, tree):
    """The function (first, steps, replicas) -> batches of pictures with a word.

    `first` counts steps from the beginning of training; epochs of this set follow one
    another, however long those of the pictures with boxes are.

    Args:
        source: of `open_labels`.
        count: pictures in a step.
        image_shape: (height, width, channels).
        entry: row of the zoo.
        tree: WordTree.
    """
    if source is None:
        return None
    numbers, augment = tree.numbers(source.class_names), augment_flags.values()
    make, changes = data.batches, {"augment": data.Augment(**augment)}
    if source.keys:
        make, changes = one_object.batches, {"transforms": Transforms(**augment)}

    def batches(first, steps, replicas):
        def epoch_from(epoch, start_step):
            found = make(
                *(source, count, image_shape, entry.pixel_range),
                seed=_F.seed,
                epoch=epoch,
                start_step=start_step,
                replicas=replicas,
                **changes,
            )
            return joint.as_words(found, numbers)

        total = data.num_steps(source, count)
        return joint.from_step(epoch_from, total, first, steps)

    return batches
