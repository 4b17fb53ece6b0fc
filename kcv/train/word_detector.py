"""What the training loop needs to know about YOLO9000, whose classes are words."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from kcv.boxes.iou import pairwise_iou
from kcv.boxes.word_tree import ROOT
from kcv.metrics.coco import CocoMetric
from kcv.train import detector, run_folder
from kcv.viz.detected import save_detected

LEAST_SURE = 0.1  # of an answer of the way down the tree, objectness included
FOUND_IOU = 0.5


def precisions(truths, found, words: int, groups: dict) -> dict:
    """COCO's average precisions, of all words and of groups of them.

    Args:
        truths: {"boxes", "classes", "crowd"}, of all images.
        found: {"boxes", "scores", "classes"}.
        words: number of words.
        groups: {name: numbers of words}.

    Returns:
        {"ap", "ap50", "ap75", "ap50_<name>": ...}, 0..1; -1 for a group of which there
        is no object.
    """

    def measured(among):
        metric = CocoMetric("boxes", words)
        metric.update(*(_only(x, among) for x in (truths, found)))
        return metric.result()

    whole = measured(range(words))
    scores = {name: whole[name] for name in detector.PRECISIONS}
    of_groups = {f"ap50_{k}": measured(among)["ap50"] for k, among in groups.items()}
    return scores | of_groups


def _only(rows, words):
    """Rows of which the slots of other words are empty."""
    kept = np.isin(rows["classes"], list(words))
    return rows | {"classes": np.where(kept, rows["classes"], -1)}


def way_down(truths, found, parents) -> dict:
    """How exact and how right the answers of the way down the tree are.

    Of the boxes that overlap an object by FOUND_IOU the surest is its answer.

    Args:
        truths: as for `precisions`.
        found: likewise, with one word a box, by falling score.
        parents: of the WordTree.

    Returns:
        Shares of the objects: {"tree_exact": their own word, "tree_above": one above
        it, "tree_wrong": another, "tree_missed": no answer}; crowds do not count.
    """
    above = [_path(parents, word) for word in range(len(parents))]
    counts = dict.fromkeys(("exact", "above", "wrong", "missed"), 0)
    ious = np.asarray(pairwise_iou(truths["boxes"], found["boxes"]))
    for i, slot in np.argwhere((truths["classes"] >= 0) & (truths["crowd"] == 0)):
        word = truths["classes"][i, slot]
        hits = (ious[i, slot] >= FOUND_IOU) & (found["classes"][i] >= 0)
        answer = found["classes"][i, hits.argmax()]
        kind = "above" if answer in above[word] else "wrong"
        kind = "exact" if answer == word else kind
        counts[kind if hits.any() else "missed"] += 1
    total = max(sum(counts.values()), 1)
    return {f"tree_{name}": count / total for name, count in counts.items()}


def _path(parents, word):
    """All words above a word."""
    path = set()
    while parents[word] != ROOT:
        word = parents[word]
        path.add(word)
    return path


def answers(model, decoding, data, tree_threshold):
    """What is in all images, and what a model finds there, in two ways.

    Args:
        model: the detector.
        decoding: of the model.
        data: batches.
        tree_threshold: of the way down the tree.

    Returns:
        truths {"boxes", "classes", "crowd"}, detections by the probabilities of all
        words with none below them, and by the way down {"boxes", "scores", "classes"}.
    """
    sure = decoding._replace(tree_threshold=tree_threshold)

    @tf.function(reduce_retracing=True)
    def answer(images):
        outputs = model(images, training=False)
        return (
            detector.detect(decoding, outputs),
            detector.detect(sure, outputs, LEAST_SURE),
        )

    rows = []
    for batch in data:
        truth = {key: batch[key] for key in detector.KEYS}
        rows.append((truth, *answer(batch["images"])))
    return tuple(
        {key: np.concatenate([row[key] for row in part]) for key in part[0]}
        for part in zip(*rows)
    )


def write_results(
    model, decoding, data: Callable, history, folder, facts, groups, tree_threshold
):
    """Measures a trained detector and writes everything a run leaves behind.

    Args:
        model: as for `kcv.train.detector.write_results`, which writes the same files.
        decoding: likewise.
        data: likewise.
        history: likewise.
        folder: likewise.
        facts: likewise.
        groups: as for `precisions`.
        tree_threshold: of the way down the tree.

    Returns:
        What was measured: of `precisions` and of `way_down`.
    """
    names = facts["labels"]
    truths, found, sure = answers(model, decoding, data(), tree_threshold)
    scores = precisions(truths, found, len(names), groups)
    scores |= way_down(truths, sure, decoding.parents)
    blind = detector.guess(data(), len(names))
    blind = {f"baseline_{name}": value for name, value in blind.items()}
    run_folder.write(folder, model, history, facts, scores | blind)
    images = np.asarray(next(iter(data()))["images"][: detector.SAMPLES])
    truths, sure = (
        {key: value[: len(images)] for key, value in rows.items()}
        for rows in (truths, sure)
    )
    places = (names, folder / "samples.png", facts["pixel_range"])
    save_detected(images, sure, truths, *places)
    return scores
