import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kcv.viz import style, text, tiles

FONT = style.font(text.NORMAL)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=120), st.integers(30, 300))
def test_no_line_is_wider_than_allowed_and_no_letter_is_lost(content, width):
    lines = text.wrapped(content, FONT, width)
    assert "".join(lines).replace(" ", "") == "".join(content.split())
    for line in lines:
        assert FONT.getlength(line) <= width or len(line) == 1


def test_lines_break_at_spaces_before_they_break_words():
    width = round(FONT.getlength("a red star")) + 1
    assert text.wrapped("a red star or a ring", FONT, width) == [
        "a red star",
        "or a ring",
    ]
    assert len(text.wrapped("x" * 40, FONT, width)) > 2


def test_a_block_is_as_high_as_its_lines_and_nothing_touches_its_right_side():
    long = text.block([text.Line("word " * 60)], 200)
    short = text.block([text.Line("word")], 200)
    assert long.shape[1] == short.shape[1] == 200
    assert len(long) > 8 * len(short)
    assert (long[:, -1] == 255).all() and (long < 128).any()


@pytest.mark.parametrize("width", [60, 150, 400])
def test_a_legend_stays_within_its_width(width):
    entries = [((255, 0, 0), "a name that is longer than others")] * 5
    drawn = tiles.legend(entries, width)
    assert drawn.shape[1] <= width
    red = (drawn == (255, 0, 0)).all(-1).sum()
    assert red == 5 * 81  # five squares of 9 x 9


def test_pictures_flow_into_rows():
    """Of three pictures 40 wide, two fit into 100; the gap is 12."""
    picture = np.zeros((10, 40, 3), np.uint8)
    sheet = tiles.flowed([picture] * 3, 100)
    assert sheet.shape == (10 + 12 + 10, 40 + 12 + 40, 3)
    assert (sheet == 0).all(-1).sum() == 3 * 400
    assert (sheet[22:, 52:] == 255).all()


@pytest.mark.parametrize(
    ("size", "scale"),
    [((64, 64), 4), ((128, 96), 2), ((1, 1), 288), ((289, 10), 1), ((640, 480), 1)],
)
def test_small_pictures_grow_by_whole_numbers(size, scale):
    assert tiles.scale_for(*size) == scale
    picture = np.arange(size[0] * size[1], dtype=np.uint32).reshape(size)
    large = tiles.scaled(picture, scale)
    np.testing.assert_array_equal(large[::scale, ::scale], picture)
    assert large.shape == (size[0] * scale, size[1] * scale)


def test_large_pictures_shrink_and_labels_with_them():
    assert tiles.scale_for(1000, 2001) == 1 / 4
    picture = np.zeros((1000, 2001, 3), np.uint8)
    small = tiles.scaled_picture(picture, 1 / 4)
    assert small.shape[:2] == tiles.scaled(picture[..., 0], 1 / 4).shape == (250, 501)
