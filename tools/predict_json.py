"""Predictions of `kcv.edge` as JSON has them."""

import numpy as np


def plain(prediction):
    """A prediction for JSON: of a mask its pixels' number and the box around them."""
    fields = prediction._asdict()
    if "mask" in fields:
        mask = fields.pop("mask")
        x, y = (np.flatnonzero(mask.any(axis=axis)) for axis in (0, 1))
        around = [x[0], y[0], x[-1] + 1, y[-1] + 1] if len(x) else [0, 0, 0, 0]
        fields["mask_area"] = int(mask.sum())
        fields["mask_box"] = [int(side) for side in around]
    if "keypoints" in fields:
        fields["keypoints"] = np.round(fields["keypoints"].astype(float), 4).tolist()
    return fields
