"""Pictures of detections: what is laid over them, and of which detections."""

import numpy as np
import pytest
from PIL import Image

from kcv.viz.detected import save_detected

IMAGES = np.full((1, 60, 60, 3), 200, "uint8")
FOUND = {
    "boxes": np.float32([[[5, 5, 25, 25], [30, 30, 55, 55], [0, 0, 0, 0]]]),
    "classes": np.array([[0, 1, -1]]),
    "scores": np.float32([[0.9, 0.2, 0]]),
}


def drawn(path, **more):
    save_detected(IMAGES, FOUND | more, None, ["a", "b"], path, (0.0, 255.0))
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


@pytest.mark.parametrize("key", ["masks", "keypoints"])
def test_masks_and_keypoints_of_what_is_drawn(key, tmp_path):
    """The second detection's score is too low, so that nothing of it is shown."""
    masks = np.zeros((1, 3, 60, 60), "uint8")
    masks[0, 0, 5:25, 10:20] = masks[0, 1, 30:55, 30:55] = 1
    points = np.zeros((1, 3, 14, 3))
    for k, middle in enumerate((15, 42)):
        points[0, k] = [*(middle + np.random.default_rng(k).uniform(-9, 9, 2)), 2]
    more = {key: {"masks": masks, "keypoints": points}[key]}
    plain = drawn(tmp_path / "plain.png")
    shown = drawn(tmp_path / "shown.png", **more)
    assert shown.shape == plain.shape
    changed = (shown != plain).any(axis=-1)
    left, right = changed[:, : changed.shape[1] // 2], changed[:, -100:]
    assert left.any() and not right.any()
    more = {key: np.zeros_like(more[key])}
    none = drawn(tmp_path / "none.png", **more)
    assert (none == plain).all()
