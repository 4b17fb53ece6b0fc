import numpy as np
import pytest
from PIL import Image

from kcv.viz.recall import save_recall

IOUS = np.linspace(0.5, 1, 6)
LINES = {100: 1 - IOUS, 1000: 1.5 - IOUS}
BLUE, ORANGE = (0x00, 0x72, 0xB2), (0xE6, 0x9F, 0x00)


def test_a_panel_for_each_method_and_a_line_for_each_number(tmp_path):
    path = save_recall({"a": LINES}, IOUS, tmp_path / "x.png")
    first = path.read_bytes()
    pixels = np.asarray(Image.open(path).convert("RGB"))
    for color in (BLUE, ORANGE):
        assert (pixels == color).all(axis=-1).sum() > 500
    save_recall({"a": LINES}, IOUS, path)
    assert path.read_bytes() == first
    save_recall({"a": LINES, "b": LINES}, IOUS, path)
    assert Image.open(path).size[0] > 1.5 * pixels.shape[1]


@pytest.mark.parametrize(
    ("curves", "wrong"),
    [
        ({}, "at least one method"),
        ({"a": {}}, "a has 0 numbers of proposals: give 1 to 4"),
        ({"a": dict.fromkeys(range(5), IOUS)}, "a has 5 numbers of proposals"),
        ({"a": {10: IOUS[1:]}}, r"a, 10 proposals: recalls of shape \(5,\)"),
    ],
)
def test_malformed_curves(curves, wrong, tmp_path):
    with pytest.raises(ValueError, match=wrong):
        save_recall(curves, IOUS, tmp_path / "x.png")
