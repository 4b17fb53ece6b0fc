"""What `measure` has to know about a verifier; of the form of task_classification."""

import keras

from kcv import data, edge, zoo
from kcv.data import identities
from kcv.metrics import verification as metrics
from kcv.models.classification.verification import embedding_network
from kcv.tools import data_options, finished_run
from kcv.train import verifier

METRIC = "one_minus_eer"
# Its loss needs the angles to the directions of the classes, which are not exported.
NO_QAT = (
    "No quantisation-aware training: embeddings alone, without classes, have no loss."
)


def network(model):
    """The embedding network without its last layer, the division by the length.

    In an int8 file the squares would have eight bits; `kcv.edge` divides in float, and
    so does `evaluate`.
    """
    before = embedding_network(model).get_layer("embeddings").input
    return keras.Model(model.input, before, name=f"{model.name}_embedding")


def batches(run, split, **options):
    """The batches of a split as the run saw them, without augmentation."""
    flags = run["flags"]
    known = data_options.parse(flags["options"])
    splits = identities.open_splits(
        run["data"], flags["seed"], flags["unseen"], **known
    )
    source = finished_run.checked(splits[split], run, split)
    size = (flags["batch_size"], run["image_shape"], run["pixel_range"])
    return data.batches(source, *size, seed=flags["seed"], **options)


def split(run, name):
    """All of a split as {key: array}."""
    return dict(zip(("images", "labels"), finished_run.whole_split(run, name, batches)))


def evaluate(run, test):
    """Returns the function (predict) -> METRIC that the gate calls."""
    indices, same = verifier.judged_pairs(test["labels"])

    def measure(predict):
        scores = verifier.cosines(predict(test["images"])["embeddings"], indices)
        return 1 - metrics.equal_error_rate(same, scores)

    return measure


def baseline(run):
    """METRIC of the cosine of the pixels."""
    return 1 - run["test"]["baseline_equal_error_rate"]


def export_options(run):
    """Arguments of `convert`; there are no labels: whom it meets it has never seen."""
    options = finished_run.export_options(run, zoo.entry(run["model"]))
    decoding = {"decoding": {"threshold": run["threshold"]}}
    return options | {"task": "verification", "labels": (), "extra": decoding}


def draw_answers(path, test, run, picture, count=24):
    """Draws test pairs, half of them of the same, with the answers of a file."""
    indices, same = verifier.judged_pairs(test["labels"])
    shown = [*range(count // 2), *range(len(same) - count // 2, len(same))]
    loaded = edge.load(path)
    embeddings = loaded.embeddings(test["images"])
    verifier.save_pairs(
        test["images"],
        indices[shown],
        same[shown],
        verifier.cosines(embeddings, indices[shown]),
        loaded.threshold,
        picture,
        run["pixel_range"],
    )
