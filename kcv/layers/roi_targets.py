"""Which proposals the second stage learns from, and what it has to say of them.

Papers: R. Girshick, "Fast R-CNN", 2015, section 2.3 (a quarter of the RoIs are objects,
from an IoU of 0.5), https://arxiv.org/abs/1504.08083; S. Ren et al., "Faster R-CNN",
2015, section 3.2, https://arxiv.org/abs/1506.01497

Differs from the papers: the boxes of the truth join the proposals, as in the code of
both, so that the second stage has objects before the first finds any. Background is
what overlaps less than 0.5, also below 0.1, which Fast R-CNN leaves out.
"""

from typing import NamedTuple

import keras
from keras import ops

from kcv.boxes.coding import SSD_VARIANCES, encode
from kcv.boxes.formats import areas, as_float
from kcv.boxes.matching import IGNORED, match, of_objects
from kcv.boxes.nms import gather
from kcv.boxes.sampling import sample
from kcv.layers.seeded_layer import SeededLayer


class RoITargets(NamedTuple):
    """Sampled RoIs, those with an object first, without gradients.

    Args:
        boxes: float32 (batch, count, 4), x1, y1, x2, y2 in pixels; 0 where there were
            too few.
        classes: int32 (batch, count): 1 + class of the object, 0 for the background, -1
            where there were too few, which is ignored.
        offsets: float32 (batch, count, 4), from the RoI to its object; 0 without one.
        objects: int32 (batch, count), the slot of the object, -1 without one.
    """

    boxes: object
    classes: object
    offsets: object
    objects: object


def roi_targets(
    proposals, boxes, classes, random, count, max_positive,
    foreground=0.5, crowd=None, variances=SSD_VARIANCES,
) -> RoITargets:  # fmt: skip
    """Matches proposals with objects and draws RoIs.

    Args:
        proposals: float (batch, n, 4), x1, y1, x2, y2 in pixels; those without area are
            never drawn.
        boxes: float (batch, m, 4), of objects.
        classes: int (batch, m); -1 where a slot is empty.
        random: float (batch, n + m), in 0..1: the highest are drawn.
        count: how many RoIs of an image.
        max_positive: how many of them may have an object.
        foreground: IoU from which a proposal has its best object.
        crowd: (batch, m), not 0 for slots that hold a crowd; see matching.match.
        variances: what the offsets are divided by.

    Returns:
        RoITargets.
    """
    proposals, boxes = map(ops.stop_gradient, as_float(proposals, boxes))
    classes = ops.cast(classes, "int32")
    everything = ops.concatenate([proposals, boxes], axis=1)
    found = match(
        *(everything, boxes, classes, foreground, foreground, crowd),
        every_object=False,
    )
    objects = ops.where(areas(everything) > 0, found.objects, IGNORED)
    drawn = sample(objects, random, count, max_positive)
    rois = gather(everything, ops.where(drawn.valid, drawn.indices, -1))
    own = ops.take_along_axis(objects, drawn.indices, axis=1)
    own = ops.where(drawn.positive, own, -1)
    kinds = of_objects(classes, own, -1) + 1
    # A RoI without an object is its own: its offsets are 0.
    places = ops.where((own >= 0)[..., None], of_objects(boxes, own, 0), rois)
    return RoITargets(
        rois, ops.where(drawn.valid, kinds, -1), encode(places, rois, variances), own
    )


@keras.saving.register_keras_serializable("kcv")
class SampleRoIs(SeededLayer):
    """Layer of `roi_targets`; gives the dict of RoITargets.

    Called with (proposals, boxes, classes, crowd), and made with the arguments of
    `roi_targets`. Out of training it draws the same RoIs whenever it is called.
    """

    def __init__(self, count, max_positive, foreground=0.5, seed=None, **kwargs):
        super().__init__(seed, **kwargs)
        self.count, self.max_positive = count, max_positive
        self.foreground = foreground

    def call(self, proposals, boxes, classes, crowd=None, training=None):  # noqa: D102
        batch, n = ops.shape(proposals)[:2]
        random = self.draw((batch, n + ops.shape(boxes)[1]), training)
        found = roi_targets(
            *(proposals, boxes, classes, random, self.count, self.max_positive),
            *(self.foreground, crowd),
        )
        return found._asdict()

    def compute_output_spec(self, proposals, *args, **kwargs):  # noqa: D102
        lead = (proposals.shape[0], self.count)
        return {
            "boxes": keras.KerasTensor((*lead, 4), dtype="float32"),
            "classes": keras.KerasTensor(lead, dtype="int32"),
            "offsets": keras.KerasTensor((*lead, 4), dtype="float32"),
            "objects": keras.KerasTensor(lead, dtype="int32"),
        }

    def get_config(self):  # noqa: D102
        names = ("count", "max_positive", "foreground")
        return super().get_config() | {name: getattr(self, name) for name in names}
