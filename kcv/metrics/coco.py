"""COCO's average precision and recall of boxes, masks and keypoints, by pycocotools.

Paper: T.-Y. Lin et al., "Microsoft COCO: Common Objects in Context", 2014,
https://arxiv.org/abs/1405.0312; the measures: https://cocodataset.org/#detection-eval

COCOeval runs class by class on the images that the class is in: its tables of all 80
classes and 5,000 images at once would not fit into small memory. The figures are the
same, since it treats classes apart.
"""

import contextlib
import io

import numpy as np
from pycocotools.cocoeval import COCOeval, Params

from kcv.metrics import coco_class, detection, run_lengths

KINDS = {"boxes": "bbox", "masks": "segm", "keypoints": "keypoints"}
_AREAS = ("small", "medium", "large")
NAMES = {  # of the numbers in COCOeval.stats
    "bbox": (
        *("ap", "ap50", "ap75"),
        *(f"ap_{area}" for area in _AREAS),
        *("ar_1", "ar_10", "ar_100"),
        *(f"ar_{area}" for area in _AREAS),
    ),
    "keypoints": (
        *("ap", "ap50", "ap75", "ap_medium", "ap_large"),
        *("ar", "ar50", "ar75", "ar_medium", "ar_large"),
    ),
}
NAMES["segm"] = NAMES["bbox"]


class CocoMetric:
    """Gathers detections batch by batch and has pycocotools evaluate them.

    Objects are small below 32^2 and large above 96^2 pixels. An object's area is that
    of "areas" of the truths, else of its mask, else of its box: give what COCO's files
    call "area" where sizes are to be COCO's. Crowds take any number of detections and
    count neither for nor against.

    Args:
        kind: what is compared: "boxes", "masks" or "keypoints".
        classes: number of classes.
        sigmas: float (k,), how far annotators are apart for each keypoint, in square
            roots of the area; None for COCO's 17 of a person.
    """

    def __init__(self, kind: str, classes: int, sigmas=None):
        if kind not in KINDS:
            raise ValueError(f"kind {kind!r} is none of {', '.join(KINDS)}")
        if classes < 1:
            raise ValueError(f"classes={classes} must be 1 or more")
        if sigmas is not None and kind != "keypoints":
            raise ValueError(f"sigmas are of keypoints, not of {kind}: leave them out")
        self.kind = kind
        self.classes = classes
        self._params = Params(KINDS[kind])
        if sigmas is not None:
            self._params.kpt_oks_sigmas = np.asarray(sigmas, "float64")
        self.reset()

    def reset(self):
        """Forgets all batches."""
        self._images = []
        self._tables = None  # (precision, recall) of COCOeval for all classes

    def update(self, truths, detections):
        """Adds a batch; masks are kept as run lengths.

        Args:
            truths: dict of "classes", what the kind names, for keypoints "boxes" too,
                and, if there are any, "crowd", "areas", "masks".
            detections: dict of "classes", "scores" and what the kind names; see
                kcv.metrics.detection. Masks are of the images' size or run lengths.

        Raises:
            ValueError: what is given is malformed; nothing of the batch is added.
        """
        pairs = detection.images(truths, detections, self.classes, (self.kind,))
        kept = [(self._kept(truth), self._kept(found)) for truth, found in pairs]
        for truth, found in kept:
            sizes = {tuple(mask["size"]) for mask in _masks(truth) + _masks(found)}
            if len(sizes) > 1:
                raise ValueError(f"masks of one image are of sizes {sorted(sizes)}")
        self._images += kept
        self._tables = None

    def _kept(self, image):
        """The columns of one image that COCOeval needs, in little memory."""
        truth = "crowd" in image
        names = ("classes", "crowd", "areas", "scores")
        kept = {name: image[name] for name in names if name in image}
        if self.kind == "boxes" or truth and self.kind == "keypoints":
            if "boxes" not in image:
                raise ValueError("truths of keypoints need 'boxes' too")
            kept["boxes"] = detection.xywh(image["boxes"])
        if self.kind == "masks":
            kept["masks"] = run_lengths.encode(image["masks"])
        if self.kind == "keypoints":
            kept["keypoints"] = self._keypoints(image["keypoints"])
        if truth and "areas" not in image:
            kept["areas"] = _areas(image)
        return kept

    def _keypoints(self, keypoints):
        """Keypoints (n, k, 3), of detections with a visibility that nothing reads."""
        wanted = len(self._params.kpt_oks_sigmas)
        if not len(keypoints):
            return np.zeros((0, wanted, 3))
        if keypoints.shape[1:] not in ((wanted, 2), (wanted, 3)):
            raise ValueError(
                f"keypoints of shape {keypoints.shape} in one image, but {wanted} "
                "sigmas: give sigmas of these keypoints"
            )
        seen = np.ones((len(keypoints), wanted, 1))
        return np.concatenate([keypoints, seen], axis=2)[:, :, :3]

    def result(self) -> dict[str, float]:
        """What COCOeval says.

        Returns:
            {"ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large", "ar_1", "ar_10",
            "ar_100", "ar_small", "ar_medium", "ar_large"}; of keypoints {"ap", "ap50",
            "ap75", "ap_medium", "ap_large", "ar", "ar50", "ar75", "ar_medium",
            "ar_large"}. All but "ar_1" and "ar_10" are of the best 100 detections of
            each class and image, of keypoints the best 20. -1 where no object of that
            size counts, as in pycocotools; 0 where objects are and no detections.
        """
        precision, recall = self._evaluated()
        whole = COCOeval(iouType=KINDS[self.kind])
        whole.params = self._params
        whole.eval = {"precision": precision, "recall": recall}
        with contextlib.redirect_stdout(io.StringIO()):
            whole.summarize()
        names = NAMES[KINDS[self.kind]]
        return {name: float(value) for name, value in zip(names, whole.stats)}

    def average_precisions(self):
        """AP of each class, float (classes,); -1 for one without objects that count."""
        precision = self._evaluated()[0][:, :, :, 0, -1]  # all areas, most detections
        return np.ma.masked_equal(precision, -1).mean(axis=(0, 1)).filled(-1)

    def _evaluated(self):
        """Precision and recall of COCOeval, for all classes."""
        if self._tables is None:
            sides = zip(*self._images) if self._images else ((), ())
            columns = [_by_class(side, self.classes) for side in sides]
            tables = [
                coco_class.evaluate(KINDS[self.kind], self._params, truths, found)
                for truths, found in zip(*columns)
            ]
            precision, recall = zip(*tables)
            self._tables = np.concatenate(precision, 2), np.concatenate(recall, 1)
        return self._tables


def _by_class(images, count):
    """Yields for each class its columns out of all images, in their order."""
    if not images:
        yield from [{"images": ()}] * count
        return
    classes = np.concatenate([image["classes"] for image in images])
    sizes = [len(image["classes"]) for image in images]
    columns = {"images": np.repeat(np.arange(1, len(images) + 1), sizes)}
    for key in images[0].keys() - {"classes", "masks"}:
        columns[key] = np.concatenate([image[key] for image in images])
    masks = [mask for image in images for mask in _masks(image)]
    order = np.argsort(classes, kind="stable")
    stops = np.searchsorted(classes[order], np.arange(count + 1))
    for first, last in zip(stops, stops[1:]):
        rows = order[first:last]
        one = {key: column[rows] for key, column in columns.items()}
        if "masks" in images[0]:
            one["masks"] = [masks[row] for row in rows]
        yield one


def _masks(image):
    return image.get("masks", [])


def _areas(truth):
    """Pixels of the objects of an image: of their masks, else of their boxes."""
    if "masks" in truth:
        return run_lengths.areas(truth["masks"])
    return detection.xywh(truth["boxes"])[:, 2:].prod(axis=1)
