"""Boxes, masks and skeletons over pictures."""

import numpy as np
import pytest
from PIL import ImageColor

from kcv.viz import boxes, colors, masks, skeleton

GREY = np.full((60, 80, 3), 100, np.uint8)
RED, GREEN = (250, 0, 0), (0, 250, 0)


def _where(picture, color):
    """Box x1, y1, x2, y2 around the pixels of a colour; None without any."""
    rows, columns = np.nonzero((picture == np.array(color)).all(-1))
    if not len(rows):
        return None
    return (
        *(int(columns.min()), int(rows.min())),
        *(int(columns.max()) + 1, int(rows.max()) + 1),
    )


@pytest.mark.parametrize("dashed", [False, True])
def test_a_box_covers_the_pixels_that_it_holds(dashed):
    """A box of 10..30 x 20..50 is drawn on pixels 10 to 29 and 20 to 49."""
    drawn, _ = boxes.draw_boxes(GREY, [[10, 20, 30, 50]], [""], [RED], [dashed])
    assert _where(drawn, RED) == (10, 20, 30, 50)
    assert tuple(drawn[35, 20]) == (100, 100, 100)
    plain = (drawn[20, 10:30] == RED).all(-1)
    assert plain.all() != dashed


def test_boxes_are_enlarged_with_the_picture():
    """Pixel i covers [i, i + 1): three times as large, it covers [3i, 3i + 3)."""
    large = GREY.repeat(3, 0).repeat(3, 1)
    drawn, _ = boxes.draw_boxes(large, [[10, 5, 11, 20]], [""], [RED], scale=3)
    assert _where(drawn, RED) == (30, 15, 33, 60)


def test_the_given_picture_stays():
    before = GREY.copy()
    boxes.draw_boxes(GREY, [[1, 1, 50, 50]], ["thing"])
    np.testing.assert_array_equal(GREY, before)


def test_names_do_not_cover_each_other():
    """Thirty boxes at one place: what finds no room becomes a number and a legend."""
    fills = colors.palette(30)
    spots = np.tile([200.0, 150, 260, 190], (30, 1))
    sheet = np.full((400, 500, 3), 100, np.uint8)
    names = [f"name of {i}" for i in range(30)]
    drawn, legend = boxes.draw_boxes(sheet, spots, names, fills)
    assert legend and legend[-1][1] == "30: name of 29"
    areas = [int((drawn == fill).all(-1).sum()) for fill in fills]
    tagged = 30 - len(legend)
    assert tagged >= 4 and min(areas[:tagged]) > 300


def test_no_boxes():
    drawn, legend = boxes.draw_boxes(GREY, np.zeros((0, 4)), [])
    assert (drawn == GREY).all() and legend == []


def test_masks_are_half_the_colour_with_a_full_outline():
    mask = np.zeros((1, 60, 80), np.uint8)
    mask[0, 10:40, 20:60] = 1
    drawn = masks.draw_masks(GREY, mask, [RED])
    assert tuple(drawn[25, 40]) == (175, 50, 50)
    assert tuple(drawn[0, 0]) == (100, 100, 100)
    assert _where(drawn, RED) == (20, 10, 60, 40)
    assert tuple(drawn[12, 22]) == (175, 50, 50) and tuple(drawn[11, 21]) == RED


def test_overlapping_masks_both_show():
    both = np.zeros((2, 60, 80), np.uint8)
    both[0, 10:40, 10:40] = both[1, 20:50, 20:50] = 1
    drawn = masks.draw_masks(GREY, both, [RED, GREEN])
    assert _where(drawn, RED) == (10, 10, 40, 40)
    assert _where(drawn, GREEN) == (20, 20, 50, 50)


def test_a_mask_has_no_outline_along_the_border():
    assert not masks.outline(np.ones((9, 9))).any()


def test_extents_of_masks():
    some = np.zeros((2, 9, 9))
    some[0, 2:5, 3:8] = 1
    assert masks.extents(some).tolist() == [[3, 2, 8, 5], [0, 0, 0, 0]]


def _person(joints, visibility=2.0):
    return np.array([[x, y, visibility] for x, y in joints])[None]


SPREAD = [(10 + 5 * i, 10 + 3 * (i % 5)) for i in range(14)]


def test_a_visible_joint_is_full_and_a_hidden_one_a_ring():
    for visibility, full in ((2.0, True), (1.0, False), (0.0, None)):
        drawn = skeleton.draw_skeletons(GREY, _person([(40.5, 30.5)], visibility), ())
        dark = np.array(ImageColor.getrgb("#F4F6F8"))
        if full is None:
            assert (drawn == GREY).all()
        else:
            assert (np.abs(drawn[30, 40] - dark.astype(int)).max() < 30) == full
            assert (drawn != GREY).any()


@pytest.mark.parametrize("known", skeleton.SKELETONS.values(), ids=len)
def test_skeletons_join_a_side_to_itself_or_to_the_middle(known):
    joined = {joint for edge in known.edges for joint in edge}
    assert joined == set(range(len(known.names)))
    assert len(set(map(frozenset, known.edges))) == len(known.edges)
    pairs = {frozenset(known.names[j] for j in edge) for edge in known.edges}
    for pair in pairs:  # mirrored, it is there, too
        swapped = frozenset(
            name.replace("left", "*").replace("right", "left").replace("*", "right")
            for name in pair
        )
        assert swapped in pairs


def test_sides_have_their_colours():
    """The right knee to ankle is orange, the left one blue."""
    joints = np.zeros((1, 14, 3))
    joints[0, [0, 1]] = [(20, 50, 2), (20, 10, 2)]
    joints[0, [4, 5]] = [(60, 10, 2), (60, 50, 2)]
    drawn = skeleton.draw_skeletons(GREY, joints).astype(int)
    assert drawn[30, 20, 0] > 200 > 60 > drawn[30, 20, 2]
    assert drawn[30, 60, 2] > 200 > 100 > drawn[30, 60, 0]


def test_an_edge_to_an_unlabelled_joint_is_left_out():
    joints = np.zeros((1, 2, 3))
    joints[0] = [(20, 30, 2), (60, 30, 0)]
    drawn = skeleton.draw_skeletons(GREY, joints, [(0, 1)])
    assert (drawn[30, 35:] == GREY[30, 35:]).all()


def test_an_edge_beyond_the_joints_is_refused():
    with pytest.raises(ValueError, match=r"edge \(0, 14\) names a joint beyond the 14"):
        skeleton.draw_skeletons(GREY, _person(SPREAD), [(0, 14)])


def test_palette_is_distinct():
    """Colours of the first 23 classes differ by what an eye sees."""
    found = colors.palette(23).astype(int)
    apart = np.abs(found[:, None] - found[None]).max(-1)
    assert apart[~np.eye(23, dtype=bool)].min() > 15
    near = np.abs(found[1:] - found[:-1]).max(-1)
    assert near.min() > 60
