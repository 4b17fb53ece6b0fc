"""The stages of `train_rcnn` that are not the network's, each with its file."""

import contextlib
import sys

import keras
import numpy as np
from absl import flags
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress

from kcv import files
from kcv.classic import proposals
from kcv.train import rcnn, rcnn_examples, rcnn_machines, rcnn_results

_F = flags.FLAGS


def proposed(folder, name, examples):
    """Stage 1 of a split: its proposals, a list of float32 (n, 4)."""
    path = folder / f"proposals_{name}.npz"
    if not path.exists():
        found = proposals.propose(
            examples.images, _F.proposals, _F.proposals_per_image, _F.workers
        )
        with bar(f"proposals {name}", len(examples.images)) as count:
            proposals.write(path, [count(boxes) for boxes in found])
    boxes = proposals.read(path)
    mean, share = np.mean([*map(len, boxes)]), rcnn_results.reached(examples, boxes)
    print(f"{name}: {mean:.0f} proposals an image reach {share:.1%} of the objects")
    return boxes


def second_stage(folder, tuned, examples, boxes, how):
    """Stages 3 to 5: (kernel, bias) of the machines and of the regressors.

    Args:
        folder: of the run.
        tuned: the fine-tuned classifier.
        examples: the training split.
        boxes: its proposals.
        how: see `rcnn_results.evaluate`.
    """
    classes = len(examples.class_names)

    def features():
        outputs = {name: tuned.get_layer(name).output for name in ("fc7", "maps")}
        network = keras.Model(tuned.input, outputs)
        order = np.random.default_rng(_F.seed).permutation(len(examples.images))
        order = order[: _F.svm_images or None]
        few = rcnn_examples.chosen(examples, order)
        own = [boxes[i] for i in order]
        both = [np.concatenate(pair) for pair in zip(few.boxes, own)]
        found = rcnn.answers(network.predict_on_batch, few.images, both, **how)
        with bar("features of images", len(order)) as count:
            return rcnn_machines.second_stage_examples(
                few, own, map(count, found), classes, _F.seed
            )

    def machines():
        with bar("machines", classes) as count:
            return _named(rcnn_machines.train_machines(table, _F.svm_c, _F.seed, count))

    def regressors():
        with bar("regressors", classes) as count:
            return _named(
                rcnn_machines.train_regressors(table, _F.box_regularisation, count)
            )

    table = _stored(folder / "features.npz", features)
    found = [
        _stored(folder / f"{make.__name__}.npz", make)
        for make in (machines, regressors)
    ]
    return [(each["kernel"], each["bias"]) for each in found]


def _named(learned):
    return dict(zip(("kernel", "bias"), learned))


def _stored(path, make):
    """The arrays of a file, which are made and written where it is missing."""
    if not path.exists():
        arrays = make()
        with files.replacing(path) as hidden, open(hidden, "wb") as file:
            np.savez(file, **arrays)
    with np.load(path) as stored:
        return {name: stored[name] for name in stored.files}


@contextlib.contextmanager
def bar(title, total):
    """Shows progress: gives a function that counts one and returns what it is given."""
    with Progress(
        *Progress.get_default_columns(),
        MofNCompleteColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    ) as progress:
        task = progress.add_task(title, total=total)

        def count(done=None, *_):
            progress.advance(task)
            return done

        yield count
