"""What the training loop needs to know about verification."""

import pathlib

import numpy as np
from keras import ops

from kcv.metrics import verification as metrics
from kcv.models.classification.verification import embedding_network
from kcv.train import run_folder
from kcv.viz.gallery import save_gallery
from kcv.viz.roc import save_roc

PAIRS = 5000  # of each kind at most, that are judged
FALSE_ACCEPTS = 1e-2
SAMPLES = 24  # pairs in samples.png
_SAID = {True: "same", False: "different"}


def verification_losses(model):
    """Makes the `losses(model, batch, training)` of a verifier, for `loop.train`.

    In the loss the right class must keep its margin; the accuracy is that of the
    training identities without it.

    Args:
        model: from `arcface`; its weights are those that are trained.
    """
    network, angular_margin = (
        embedding_network(model),
        model.get_layer("angular_margin"),
    )

    def losses(_, batch, training):
        labels = batch["labels"]
        embeddings = network(batch["images"], training=training)
        logits = angular_margin([embeddings, labels])
        values = ops.sparse_categorical_crossentropy(labels, logits, from_logits=True)
        answers = ops.argmax(angular_margin(embeddings), axis=-1)
        right = ops.cast(answers, labels.dtype) == labels
        return {"cross_entropy": values}, {"accuracy": ops.cast(right, "float32")}

    return losses


def make_validate(model, batches):
    """Returns a function () -> {"equal_error_rate": ...} over pairs of a split.

    Args:
        model: from `arcface`.
        batches: function () -> `tf.data.Dataset` of "images" and "labels".
    """
    network = embedding_network(model)

    def validate():
        found = [
            (network.predict_on_batch(b["images"]), b["labels"]) for b in batches()
        ]
        embeddings, labels = (np.concatenate(each) for each in zip(*found))
        indices, same = judged_pairs(labels)
        scores = cosines(embeddings, indices)
        return {"equal_error_rate": metrics.equal_error_rate(same, scores)}

    return validate


def judged_pairs(labels):
    """As many pairs of the same as of others, at most PAIRS each; see `metrics.pairs`.

    Raises:
        ValueError: if nobody is on two pictures, or there is only one identity.
    """
    _, same = metrics.pairs(labels)
    count = min(int(same.sum()), int((~same).sum()), PAIRS)
    if not count:
        raise ValueError(
            f"{len(labels)} pictures of {len(np.unique(labels))} identities make no "
            "pairs: two pictures of each of two identities are needed"
        )
    return metrics.pairs(labels, count)


def cosines(vectors, indices):
    """Cosines of pairs (m, 2) of vectors (n, ...) of any length: float64 (m,)."""
    vectors = np.asarray(vectors, "float64").reshape(len(vectors), -1)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return metrics.similarities(vectors / np.maximum(lengths, 1e-12), indices)


def write_results(model, validation, test, history, folder: pathlib.Path, facts: dict):
    """Measures a trained verifier and writes everything a run leaves behind.

    Writes model.keras, metrics.json, history.csv and the pictures curves.png, roc.png
    and samples.png, mistakes first.

    Args:
        model: the trained model, from `arcface`.
        validation: {"images": (n, h, w, c), "labels": (n,)}, arrays; its pairs give the
            threshold.
        test: likewise.
        history: of `loop.train`.
        folder: where to write.
        facts: joins metrics.json; "pixel_range" is needed here.

    Returns:
        What was measured on pairs of the test split.
    """
    network = embedding_network(model)
    indices, same, scores = _scored(network, validation)
    threshold = metrics.threshold_at_equal_error(same, scores)
    indices, same, scores = _scored(network, test)
    pixels = cosines(test["images"], indices)
    measured = {
        **_measured(same, scores),
        **{f"baseline_{name}": x for name, x in _measured(same, pixels).items()},
        "accuracy_at_threshold": float(np.mean((scores >= threshold) == same)),
        "pairs": len(same),
    }
    facts = facts | {"threshold": threshold}
    run_folder.write(folder, model, history, facts, measured)
    curves = {"embeddings": scores, "pixels": pixels}
    curves = {name: metrics.roc_curve(same, x)[:2] for name, x in curves.items()}
    save_roc(curves, folder / "roc.png", mark=FALSE_ACCEPTS)
    save_pairs(
        test["images"], indices, same, scores, threshold, folder / "samples.png",
        facts["pixel_range"],
    )  # fmt: skip
    return measured


def save_pairs(images, indices, same, scores, threshold, path, pixel_range):
    """Draws pairs with their cosines: the worst mistakes first, then right ones.

    Args:
        images: (n, h, w, c) in `pixel_range`.
        indices: int (m, 2).
        same: bool (m,).
        scores: float (m,).
        threshold: from which a pair counts as of the same.
        path: where to write.
        pixel_range: (low, high).
    """
    correct = (scores >= threshold) == same
    wrong = np.flatnonzero(~correct)
    wrong = wrong[np.argsort(-np.abs(scores[wrong] - threshold))][: SAMPLES // 2]
    right = [np.flatnonzero(correct & (same == kind)) for kind in (True, False)]
    turn = np.concatenate([np.arange(len(each)) for each in right])
    right = np.concatenate(right)[np.argsort(turn, kind="stable")]  # of both in turn
    chosen = np.concatenate([wrong, right])[:SAMPLES]
    gap = np.full((images.shape[1], 2, images.shape[3]), pixel_range[1], images.dtype)
    save_gallery(
        [np.hstack([images[a], gap, images[b]]) for a, b in indices[chosen]],
        [
            f"{scores[i]:.2f}: {_SAID[bool(scores[i] >= threshold)]}"
            + ("" if correct[i] else f"\nis {_SAID[bool(same[i])]}")
            for i in chosen
        ],
        path,
        correct=correct[chosen],
        pixel_range=pixel_range,
    )


def _scored(network, split):
    indices, same = judged_pairs(split["labels"])
    embeddings = network.predict(split["images"], batch_size=64, verbose=0)
    return indices, same, cosines(embeddings, indices)


def _measured(same, scores):
    return {
        "equal_error_rate": metrics.equal_error_rate(same, scores),
        "true_accept_rate": metrics.true_accept_rate(same, scores, FALSE_ACCEPTS),
        "area_under_curve": metrics.area_under_curve(same, scores),
    }
