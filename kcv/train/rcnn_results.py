"""What R-CNN reaches on a test split, as numbers and as pictures."""

import pathlib

import numpy as np

from kcv.classic.proposal_recall import recall
from kcv.metrics.voc import VocMetric
from kcv.train import rcnn, rcnn_examples
from kcv.viz.detected import save_detected

SAMPLES = 12  # pictures in samples.png
SHOWN_FROM = -0.5  # score of a detection that is drawn: beyond half of the margin


def evaluate(predict, examples, proposals, options, on_image=None):
    """Average precision of what is detected in a split.

    Args:
        predict: as for `rcnn.detect`.
        examples: `rcnn_regions.Examples`.
        proposals: list of float (n, 4), one of each image.
        options: {"image_shape", "pixel_range", "context"}, see `rcnn.answers`.
        on_image: called after each image.

    Returns:
        ({"ap50": mean AP at an IoU of 0.5, by all points, "ap50_without_regression":
        of the proposals themselves, "proposal_recall": share of the objects that any
        proposal reaches with that IoU}, list of (boxes, scores, classes) by image).
    """
    classes = len(examples.class_names)
    metrics = {name: VocMetric(classes) for name in ("ap50", "ap50_without_regression")}
    found = []
    values = rcnn.answers(predict, examples.images, proposals, **options)
    for index, answer in enumerate(values):
        truth = {key: [getattr(examples, key)[index]] for key in _TRUTH}
        unmoved = answer | {"offsets": np.zeros_like(answer["offsets"])}
        for metric, each in zip(metrics.values(), (answer, unmoved)):
            size = examples.images[index].shape[:2]
            kept = rcnn.decode(each, proposals[index], size)
            metric.update(truth, {k: [v] for k, v in zip(_FOUND, kept)})
            if each is answer:
                found.append(kept)
        if on_image:
            on_image()
    scores = {name: metric.result()["ap_2010"] for name, metric in metrics.items()}
    return scores | {"proposal_recall": reached(examples, proposals)}, found


def reached(examples, proposals) -> float:
    """Share of the objects that count which proposals reach at an IoU of 0.5.

    Returns:
        0..1; 1 where there is no object.
    """
    counted = [truth[~crowd] for truth, crowd in zip(examples.boxes, examples.crowd)]
    if not sum(map(len, counted)):
        return 1.0
    most = max(1, *map(len, proposals))
    return float(recall(proposals, counted, [most], [0.5])[0, 0])


def save_samples(examples, found, path: str | pathlib.Path):
    """Draws what was found in some images, and dashed what was missed.

    Args:
        examples: of a split.
        found: list of (boxes, scores, classes) by image.
        path: where to write.
    """
    places = np.linspace(0, len(found) - 1, min(SAMPLES, len(found))).astype(int)
    few = rcnn_examples.chosen(examples, places)
    counted = [
        np.where(crowd, -1, classes) for crowd, classes in zip(few.crowd, few.classes)
    ]
    save_detected(
        few.images,
        {key: [found[i][j] for i in places] for j, key in enumerate(_FOUND)},
        {"boxes": few.boxes, "classes": counted},
        examples.class_names,
        path,
        (0, 255),
        least=SHOWN_FROM,
    )


_TRUTH = ("boxes", "classes", "crowd")
_FOUND = ("boxes", "scores", "classes")
