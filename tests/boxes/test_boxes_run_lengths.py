import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from kcv.boxes.run_lengths import decompress

masks = st.tuples(
    st.integers(1, 40), st.integers(1, 40), st.floats(0, 1), st.integers(0, 2**32 - 1)
).map(lambda a: (np.random.default_rng(a[3]).random(a[:2]) < a[2]).astype(np.uint8))


def by_hand(mask):
    """Run lengths down the columns, the first of zeros."""
    values = np.concatenate([[0], mask.T.ravel()])
    ends = np.flatnonzero(np.diff(values))
    return np.diff(np.concatenate([[0], ends, [mask.size]])).tolist()


@given(masks)
def test_decompress_agrees_with_pycocotools(mask):
    compressed = coco_mask.encode(np.asfortranarray(mask))["counts"]
    assert decompress(compressed).tolist() == by_hand(mask)
    assert decompress(compressed.decode()).tolist() == by_hand(mask)


def test_long_runs_take_several_characters():
    mask = np.zeros((3000, 4000), np.uint8)
    mask[17:2900, 11:3999] = 1
    compressed = coco_mask.encode(np.asfortranarray(mask))["counts"]
    assert decompress(compressed).tolist() == by_hand(mask)
