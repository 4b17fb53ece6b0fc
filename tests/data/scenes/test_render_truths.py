import numpy as np
import pytest
from still_scenes import SIDE, still, thing

from kcv.data import scenes
from kcv.data.scenes import figures, poses, scene

EVERYTHING = {"boxes", "masks", "semantic", "keypoints", "depth", "normals"}
EVERYTHING |= {"albedo", "instance"}
WHITE, BLACK = np.ones(3), np.zeros(3)


def standing(x=32.0, y=32.0, size=28.0, depth=5.0, behind=(), **moved):
    """A person seen from the front with straight limbs, arms a little away."""
    joints = {
        **{"head_top": (0, -0.98), "neck": (0, -0.65)},
        **{"right_shoulder": (-0.2, -0.58), "left_shoulder": (0.2, -0.58)},
        **{"right_elbow": (-0.35, -0.25), "left_elbow": (0.35, -0.25)},
        **{"right_wrist": (-0.4, 0.05), "left_wrist": (0.4, 0.05)},
        **{"right_hip": (-0.11, 0.0), "left_hip": (0.11, 0.0)},
        **{"right_knee": (-0.14, 0.45), "left_knee": (0.14, 0.45)},
        **{"right_ankle": (-0.14, 0.9), "left_ankle": (0.14, 0.9)},
        **moved,
    }
    joints = np.array([joints[name] for name in scene.JOINTS], float)
    one = thing("person", x, y, size, depth=depth, joints=joints, behind=behind)
    return one._replace(accent=np.array([0.6, 0.4, 0.3]))


def visibility(*things):
    points = scenes.render(still(*things), {"keypoints"})["keypoints"]
    return [dict(zip(scene.JOINTS, each[:, 2])) for each in points]


def test_all_truths_have_their_shapes_also_without_things():
    for drawn in (still(), still(thing("star"), standing())):
        truth, n = scenes.render(drawn, EVERYTHING), len(drawn.things)
        people = sum(each.name == "person" for each in drawn.things)
        shapes = {
            **{"images": ((SIDE, SIDE, 3), np.uint8)},
            **{"boxes": ((n, 4), np.float32), "full_boxes": ((n, 4), np.float32)},
            **{"classes": ((n,), np.int32), "visibility": ((n,), np.float32)},
            **{"masks": ((n, SIDE, SIDE), np.uint8)},
            **{name: ((SIDE, SIDE), np.int32) for name in ("semantic", "instance")},
            **{"keypoints": ((people, 14, 3), np.float32)},
            **{"parts": ((SIDE, SIDE), np.int32)},
            **{name: ((SIDE, SIDE, 1), np.float32) for name in ("depth", "shading")},
            **{name: ((SIDE, SIDE, 3), np.float32) for name in ("normals", "albedo")},
            **{name: ((SIDE, SIDE, 3), np.float32) for name in ("linear", "specular")},
        }
        assert {k: (v.shape, v.dtype) for k, v in truth.items()} == shapes


def test_an_unknown_want_is_refused():
    with pytest.raises(ValueError, match="want has 'mask'; known are albedo, boxes"):
        scenes.render(still(), {"mask"})


def test_nearer_things_hide_farther_ones_whatever_their_order():
    near = thing("square", x=32.0, size=10.0, depth=3.0)  # from 23 to 41
    far = thing("circle", x=42.0, size=12.0, depth=6.0)  # from 30 to 54
    for things in ((far, near), (near, far)):
        i, j = things.index(near), things.index(far)
        truth = scenes.render(still(*things), EVERYTHING)
        assert (truth["instance"][32, [35, 45, 60]] == [i, j, -1]).all()
        assert (truth["masks"].sum(axis=0) <= 1).all()
        assert truth["semantic"][32, 35] == scene.CLASSES.index("square") + 1
        assert truth["depth"][32, [35, 45, 60], 0] == pytest.approx([3, 6, 10])
        assert truth["boxes"][i] == pytest.approx([23, 23, 41, 41], abs=0.01)
        # Above and below the square's corner the circle shows from x = 34.1 on.
        circle = truth["boxes"][j]
        assert circle[[1, 2, 3]] == pytest.approx([20, 54, 44], abs=0.01)
        assert truth["full_boxes"][j][0] == pytest.approx(30, abs=0.01)
        assert circle[0] == np.flatnonzero(truth["masks"][j].any(axis=0))[0]
        assert truth["visibility"][i] == pytest.approx(1, abs=0.01)
        count = truth["masks"][j].sum()
        assert truth["visibility"][j] == pytest.approx(count / (np.pi * 144), rel=0.01)


def test_of_equally_deep_things_the_later_is_in_front():
    one, other = thing("circle", depth=4.0), thing("square", depth=4.0)
    assert scenes.render(still(one, other), {"instance"})["instance"][32, 32] == 1
    assert scenes.render(still(other, one), {"instance"})["instance"][32, 32] == 1


def test_a_hidden_thing_and_one_beyond_the_image_keep_their_places():
    hidden = thing("star", size=8.0, depth=6.0)
    cover = thing("square", size=20.0, depth=4.0)
    beyond = thing("ring", x=-40.0)
    truth = scenes.render(still(hidden, cover, beyond), {"boxes", "masks"})
    assert list(truth["classes"]) == [t.category for t in (hidden, cover, beyond)]
    assert not truth["boxes"][[0, 2]].any() and not truth["masks"][[0, 2]].any()
    assert list(truth["visibility"] > 0) == [False, True, False]
    assert truth["full_boxes"][2] == pytest.approx([-60, 12, -20, 52], abs=0.01)


def test_a_truncated_thing_s_box_ends_at_the_border():
    truth = scenes.render(still(thing("circle", x=2.5, size=10.3)), {"boxes"})
    assert truth["boxes"][0] == pytest.approx([0, 21.7, 12.8, 42.3], abs=0.01)
    assert truth["full_boxes"][0][0] == pytest.approx(-7.8, abs=0.01)
    # By pencil: a disc cut at 2.5 / 10.3 of its radius from the middle.
    t = 2.5 / 10.3
    share = 0.5 + (np.arcsin(t) + t * np.sqrt(1 - t * t)) / np.pi
    assert truth["visibility"][0] == pytest.approx(share, abs=0.015)


def test_visible_boxes_are_those_of_the_masks_to_the_pixel():
    config = scenes.Config(height=96, width=80, people=(0, 2))
    for i in range(40):
        drawn = scenes.sample(config, "train", 9, i)
        truth = scenes.render(drawn, {"boxes", "masks", "instance"})
        for box, mask, share in zip(
            truth["boxes"], truth["masks"], truth["visibility"]
        ):
            assert (share > 0) == mask.any() == box.any()
            if mask.any():
                rows, columns = np.nonzero(mask)
                seen = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
                assert np.abs(box - seen).max() <= 1 and share <= 1
                assert (box >= 0).all() and (box <= [80, 96, 80, 96]).all()


def test_joints_are_where_the_body_is_drawn():
    person = standing()
    truth = scenes.render(still(person), {"keypoints"})
    assert truth["keypoints"][0, :, :2] == pytest.approx(
        32 + 28 * person.joints, abs=1e-4
    )
    assert (truth["keypoints"][0, :, 2] == 2).all()
    for joint, labels in zip(truth["keypoints"][0], figures.PARTS_OF):
        x, y = joint[:2].astype(int)
        near = truth["parts"][y - 1 : y + 3, x - 1 : x + 2]
        assert labels & set(near.ravel().tolist())


def test_a_person_is_wholly_visible_or_half():
    for y, share in ((32.0, 1.0), (64.0, 0.6)):  # to the waist: head, arms and trunk
        truth = scenes.render(still(standing(y=y)), {"boxes"})
        assert truth["visibility"][0] == pytest.approx(share, abs=0.03 + 0.1 * (y > 32))


def test_what_is_in_front_of_a_joint_hides_it():
    cover = thing("square", x=32.0, y=58.0, size=10.0, depth=4.0)
    behind = cover._replace(depth=6.0)
    (free,), (hidden,) = visibility(standing(), behind), visibility(standing(), cover)
    assert set(free.values()) == {2}
    assert {n for n, v in hidden.items() if v == 1} == {"right_ankle", "left_ankle"}


def test_joints_beyond_the_image_are_not_labelled():
    """Around y = 50 the knees are at 62.6 and the ankles at 75.2 of 64."""
    keypoints = scenes.render(still(standing(y=50.0)), {"keypoints"})["keypoints"][0]
    labelled = dict(zip(scene.JOINTS, keypoints[:, 2] > 0))
    assert [n for n, seen in labelled.items() if not seen] == [
        *("right_ankle", "left_ankle")
    ]
    assert not keypoints[keypoints[:, 2] == 0].any()


def test_an_arm_behind_the_trunk_is_hidden_by_it():
    arm = {"right_elbow": (-0.1, -0.3), "right_wrist": (0.05, -0.2)}
    (front,) = visibility(standing(**arm))
    (back,) = visibility(standing(behind=("right_arm",), **arm))
    assert front["right_wrist"] == front["right_elbow"] == 2
    assert back["right_wrist"] == back["right_elbow"] == 1
    assert back["left_wrist"] == 2 and back["right_shoulder"] == 2


def test_one_person_hides_another_s_joints():
    far, near = standing(depth=6.0), standing(depth=4.0)
    hidden, seen = visibility(far, near)
    assert set(seen.values()) == {2}
    assert list(hidden.values()).count(1) >= 13


def test_parts_are_a_person_s_own_and_every_part_shows():
    joints, behind = poses.random_pose(np.random.default_rng(1).random)
    person = standing()._replace(joints=joints, behind=behind)
    cover = thing("ring", x=10.0, size=8.0, depth=2.0)
    truth = scenes.render(still(standing(), cover), {"keypoints", "instance"})
    assert set(np.unique(truth["parts"])) == set(range(len(figures.PARTS) + 1))
    assert ((truth["parts"] > 0) == (truth["instance"] == 0)).all()
    truth = scenes.render(still(person), {"keypoints", "instance"})
    assert ((truth["parts"] > 0) == (truth["instance"] == 0)).all()
