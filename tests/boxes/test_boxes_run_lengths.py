from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from kcv.boxes.run_lengths import decompress


@given(st.lists(st.integers(1, 5_000_000), max_size=40), st.booleans())
def test_decompress_undoes_what_pycocotools_compresses(runs, starts_with_object):
    runs = [0] * starts_with_object + (runs or [1])
    size = [sum(runs), 1]
    compressed = coco_mask.frPyObjects({"size": size, "counts": runs}, *size)["counts"]
    assert decompress(compressed).tolist() == runs
    assert decompress(compressed.decode()).tolist() == runs


def test_nothing():
    assert decompress("").tolist() == []
