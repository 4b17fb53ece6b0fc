"""What SDS reaches on a test split: average precision of masks."""

import numpy as np
from PIL import Image

from kcv.classic import segments
from kcv.metrics.coco import CocoMetric
from kcv.train import sds
from kcv.train.rcnn_regions import POSITIVE_FROM
from kcv.train.rcnn_results import SAMPLES
from kcv.viz import colors, style, tiles
from kcv.viz.masks import draw_masks

SHOWN_FROM = 0.5  # probability of a detection that is drawn
WIDTH = 1400  # of samples.png, pixels


def evaluate(predict, examples, truths, proposals, weights, options, on_image=None):
    """Average precision of the masks that are found in a split.

    Args:
        predict: as for `sds.answers`.
        examples: `rcnn_examples.Examples`.
        truths: list of Segments, the objects of each image.
        proposals: list of Segments, one of each image.
        weights: of `sds.learn_refinement`.
        options: {"image_shape", "pixel_range", "grid", "context"}, see `sds.answers`.
        on_image: called after each image.

    Returns:
        ({"mask_ap50": mean AP of masks at an IoU of 0.5, as COCO takes it, "mask_ap",
        "mask_ap50_without_refinement": of the regions themselves, "region_recall": of
        `reached`}, list of (Segments, scores, classes) by image).
    """
    classes = len(examples.class_names)
    metrics = [CocoMetric("masks", classes) for _ in range(2)]
    drawn = []
    values = sds.answers(predict, examples.images, proposals, **options)
    for index, said in enumerate(values):
        image, own = examples.images[index], proposals[index]
        found = sds.decode(said, own, image.shape[:2])
        fine = sds.refined_masks(found, own, image, weights)
        plain = segments.whole(own[found.places], image.shape[:2])
        truth = {key: [getattr(examples, key)[index]] for key in ("classes", "crowd")}
        truth["masks"] = [segments.whole(truths[index], image.shape[:2])]
        for metric, masks in zip(metrics, (fine, plain)):
            answer = {"classes": [found.classes], "scores": [found.scores]}
            metric.update(truth, answer | {"masks": [masks]})
        shown = found.scores >= SHOWN_FROM
        masks = segments.from_masks(fine[shown])
        drawn.append((masks, found.scores[shown], found.classes[shown]))
        if on_image:
            on_image()
    fine, plain = (metric.result() for metric in metrics)
    scores = {
        "mask_ap50": fine["ap50"],
        "mask_ap": fine["ap"],
        "mask_ap50_without_refinement": plain["ap50"],
        "region_recall": reached(examples, truths, proposals),
    }
    return scores, drawn


def reached(examples, truths, proposals) -> float:
    """Share of the objects that count which regions reach at an IoU of 0.5 of pixels.

    Returns:
        0..1; 1 where there is no object.
    """
    best = []
    for image, own, found, crowd in zip(
        examples.images, truths, proposals, examples.crowd
    ):
        masks = (segments.whole(x, image.shape[:2]) for x in (found, own[~crowd]))
        best.append(segments.mask_iou(*masks).max(axis=0, initial=0))
    best = np.concatenate(best) if best else np.ones(1)
    return float((best >= POSITIVE_FROM).mean()) if len(best) else 1.0


def save_samples(examples, found, path):
    """Draws the masks of detections in some images.

    Args:
        examples: of a split.
        found: list of (Segments, scores, classes) by image.
        path: where to write.
    """
    fills, sheet = colors.palette(len(examples.class_names)), []
    for i in np.linspace(0, len(found) - 1, min(SAMPLES, len(found))).astype(int):
        (own, scores, classes), image = found[i], examples.images[i]
        scale = tiles.scale_for(*image.shape[:2])
        masks = segments.whole(own, image.shape[:2])
        masks = [tiles.scaled(mask, scale) for mask in masks]
        paint = [fills[kind] for kind in classes]
        picture = draw_masks(tiles.scaled_picture(image, scale), masks, paint)
        names = [
            f"{examples.class_names[kind]} {score:.2f}"
            for kind, score in zip(classes, scores)
        ]
        entries = list(zip(paint, names))
        legend = tiles.legend(entries, picture.shape[1]) if entries else None
        sheet.append(tiles.titled(tiles.Tile(picture, f"{len(own)} found", legend)))
    style.save(Image.fromarray(tiles.flowed(sheet, WIDTH)), path)
