import pytest

from kcv.models.output_stride import by_level, strides_and_dilations


def test_strides_become_dilations():
    """Pencil: at 8, level 4 reads twice as far apart and level 5 four times."""
    assert strides_and_dilations(32) == ((2, 1), (2, 1))
    assert strides_and_dilations(16) == ((2, 1), (1, 2))
    assert strides_and_dilations(8) == ((1, 2), (1, 4))
    assert by_level(16) == {1: (2, 1), 2: (2, 1), 3: (2, 1), 4: (2, 1), 5: (1, 2)}


@pytest.mark.parametrize("output_stride", [4, 64, None])
def test_other_strides_are_refused(output_stride):
    with pytest.raises(ValueError, match=f"8, 16 or 32, got {output_stride}"):
        strides_and_dilations(output_stride)
