"""Average precision of boxes as PASCAL VOC takes it; precision, recall and F1.

Paper: M. Everingham et al., "The PASCAL Visual Object Classes (VOC) Challenge", IJCV
2010, section 4.2, https://doi.org/10.1007/s11263-009-0275-4 (eleven recalls); the
development kit of 2010 changed to the area under all points.
"""

import numpy as np

from kcv.metrics import detection


def eleven_point_ap(recall, precision) -> float:
    """Mean over recalls 0, 0.1, ..., 1 of the best precision at that recall or more.

    Args:
        recall: float (n,), ascending.
        precision: float (n,).

    Returns:
        float, 0..1: the rule of VOC 2007.
    """
    recall, precision = np.asarray(recall), np.asarray(precision)
    # i / 10 is the float that 3 of 10 objects give as well; 0.1 * i is not.
    reached = [precision[recall >= i / 10] for i in range(11)]
    return float(np.mean([values.max(initial=0) for values in reached]))


def all_point_ap(recall, precision) -> float:
    """Area under the curve of the best precision at each recall or more.

    Args:
        recall: float (n,), ascending.
        precision: float (n,).

    Returns:
        float, 0..1: the rule of VOC 2010 and later.
    """
    recall, precision = np.asarray(recall), np.asarray(precision)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(recall, prepend=0) * best))


class VocMetric:
    """Gathers detections batch by batch and takes VOC's average precision.

    Difficult objects and crowds ("crowd" of the truths) count neither for nor against.
    A class without objects that count has no average precision: -1, as COCO has it, and
    no part in the means.

    Args:
        classes: number of classes.
        iou: least IoU of a right detection; a second one of an object is wrong.
    """

    def __init__(self, classes: int, iou: float = 0.5):
        if classes < 1 or not 0 < iou <= 1:
            raise ValueError(
                f"classes={classes} and iou={iou} must be 1 or more and in (0, 1]"
            )
        self.classes = classes
        self.iou = iou
        self.reset()

    def reset(self):
        """Forgets all batches."""
        self._objects = np.zeros(self.classes, "int64")
        self._found = []  # (classes, scores, states) of each image

    def update(self, truths, detections):
        """Adds a batch.

        Args:
            truths: dict of "boxes", "classes" and, if there are any, "crowd".
            detections: dict of "boxes", "classes", "scores"; see kcv.metrics.detection.

        Raises:
            ValueError: what is given is malformed; nothing of the batch is added.
        """
        pairs = list(detection.images(truths, detections, self.classes))
        for truth, found in pairs:
            countable = truth["classes"][~truth["crowd"]]
            self._objects += np.bincount(countable, minlength=self.classes)
            states = detection.match(truth, found, self.iou)
            self._found.append((found["classes"], found["scores"], states))

    def curve(self, label: int):
        """Recall and precision of one class at each of its detections.

        Args:
            label: the class.

        Returns:
            (recall, precision, scores), each float (n,), by falling score; empty where
            nothing was detected or no object counts.
        """
        classes, scores, states = self._table()
        chosen = (classes == label) & (states != detection.UNCOUNTED)
        order = np.argsort(-scores[chosen], kind="stable")
        scores, states = scores[chosen][order], states[chosen][order]
        if not self._objects[label]:
            return np.zeros(0), np.zeros(0), np.zeros(0)
        right = np.cumsum(states == detection.RIGHT)
        ranks = np.arange(1, len(right) + 1)
        return right / self._objects[label], right / ranks, scores

    def average_precisions(self, rule=all_point_ap):
        """Average precision of each class.

        Args:
            rule: `all_point_ap` or `eleven_point_ap`.

        Returns:
            float (classes,), -1 for a class without objects that count.
        """
        found = np.full(self.classes, -1.0)
        for label in np.flatnonzero(self._objects):
            found[label] = rule(*self.curve(label)[:2])
        return found

    def result(self) -> dict[str, float]:
        """Means over the classes that have objects.

        Returns:
            {"ap_2007": by eleven points, "ap_2010": by all points}; -1 where no class
            has objects, 0 where there are objects and no detections.
        """
        rules = {"ap_2007": eleven_point_ap, "ap_2010": all_point_ap}
        known = self._objects > 0
        return {
            name: float(self.average_precisions(rule)[known].mean())
            if known.any()
            else -1.0
            for name, rule in rules.items()
        }

    def at_score(self, threshold: float) -> dict[str, float]:
        """Precision, recall and F1 of the detections from one score on, all classes.

        Args:
            threshold: least score.

        Returns:
            {"precision": right of all detected, "recall": found of all objects, "f1":
            their harmonic mean}; a share of nothing is 0.
        """
        _, scores, states = self._table()
        kept = states[scores >= threshold]
        right = np.count_nonzero(kept == detection.RIGHT)
        wrong = np.count_nonzero(kept == detection.WRONG)
        objects = int(self._objects.sum())
        return {
            "precision": right / max(right + wrong, 1),
            "recall": right / max(objects, 1),
            "f1": 2 * right / max(right + wrong + objects, 1),
        }

    def _table(self):
        empty = (np.zeros(0, "int64"), np.zeros(0), np.zeros(0, "int8"))
        return tuple(map(np.concatenate, zip(empty, *self._found)))
