import numpy as np
import pytest
from moving_scenes import centers, sampled, thing, world

from kcv.data.scenes import Config, clip, figures, motions, render, scene
from kcv.data.scenes.flow import flow

JOINT = {name: i for i, name in enumerate(scene.JOINTS)}


def standing():
    """A person with hanging arms, seen from the front, 120 pixels high."""
    joints = np.zeros((14, 2))
    for side, sign in (("right", -1), ("left", 1)):
        for name, place in (
            *(("hip", (0.11, 0.0)), ("knee", (0.13, 0.45)), ("ankle", (0.14, 0.85))),
            *(
                ("shoulder", (0.2, -0.5)),
                ("elbow", (0.36, -0.24)),
                ("wrist", (0.42, 0.02)),
            ),
        ):
            joints[JOINT[f"{side}_{name}"]] = (sign * place[0], place[1])
    joints[JOINT["neck"]], joints[JOINT["head_top"]] = (0, -0.55), (0, -0.85)
    return thing("person", (64.0, 64.0), 66.0, joints=joints)


def swung(person, **angles):
    swing = np.zeros(14)
    for name, angle in angles.items():
        swing[JOINT[name]] = angle
    return person._replace(joints=motions.swung(person.joints, swing))


def scene_of(person):
    return world(person, height=128, width=128)


def test_bones_keep_their_length_and_the_trunk_stays():
    person = standing()
    after = swung(person, right_elbow=0.7, right_wrist=-0.4, left_knee=0.3)
    for start, end in (("shoulder", "elbow"), ("elbow", "wrist")):
        bones = [
            joints[JOINT[f"right_{end}"]] - joints[JOINT[f"right_{start}"]]
            for joints in (person.joints, after.joints)
        ]
        np.testing.assert_allclose(*(np.linalg.norm(bone) for bone in bones))
    still = [JOINT[name] for name in ("neck", "head_top", "right_hip", "left_wrist")]
    np.testing.assert_allclose(after.joints[still], person.joints[still], atol=1e-12)
    # Clockwise, where y is down, takes what hangs down to the left of the image.
    hanging = swung(person, right_elbow=0.7).joints - person.joints
    assert hanging[JOINT["right_elbow"], 0] < 0


def test_joints_move_as_the_flow_says():
    person = standing()
    after = swung(person, right_elbow=0.5, right_wrist=0.9, left_ankle=-0.3)
    motion, occlusion = flow(scene_of(person), scene_of(after))
    start, end = (scene.to_image(one, one.joints) for one in (person, after))
    for name in ("right_wrist", "left_ankle", "head_top", "right_knee"):
        joint = JOINT[name]
        x, y = np.floor(start[joint] + (0, 0.7 * (name == "head_top"))).astype(int)
        # A pixel's center is up to 0.7 pixels from the joint and turns around it.
        np.testing.assert_allclose(motion[y, x], (end - start)[joint], atol=0.7)
        assert not occlusion[y, x]


def test_forearm_turns_rigidly_around_its_elbow():
    person = standing()
    after = swung(person, right_elbow=0.2, right_wrist=0.6)
    motion, _ = flow(scene_of(person), scene_of(after))
    start, end = (scene.to_image(one, one.joints) for one in (person, after))
    elbow, wrist = JOINT["right_elbow"], JOINT["right_wrist"]
    turn = motions.rotation(0.6)
    for share in (0.3, 0.5, 0.7):
        x, y = np.floor(start[elbow] + share * (start[wrist] - start[elbow])).astype(
            int
        )
        offset = np.array((x + 0.5, y + 0.5)) - start[elbow]
        expected = end[elbow] + turn @ offset - (x + 0.5, y + 0.5)
        np.testing.assert_allclose(motion[y, x], expected, atol=1e-4)


def test_arm_that_comes_before_the_trunk_hides_it():
    person = standing()
    after = swung(person, right_elbow=-0.9, right_wrist=-1.6)
    _, occlusion = flow(scene_of(person), scene_of(after))
    parts = [render(scene_of(one), {"keypoints"})["parts"] for one in (person, after)]
    torso = figures.PARTS.index("torso") + 1
    arms = [figures.PARTS.index(f"right_{x}_arm") + 1 for x in ("upper", "lower")]
    covered = (parts[0] == torso) & np.isin(parts[1], arms)
    assert covered.sum() > 50
    np.testing.assert_array_equal(
        (occlusion[..., 0] == 1) & (parts[0] == torso), covered
    )
    behind = [scene_of(one._replace(behind=("right_arm",))) for one in (person, after)]
    _, occlusion = flow(*behind)
    assert not occlusion[parts[0] == torso].any()


@pytest.mark.parametrize("index", range(3))
def test_forward_and_backward_flow_of_people_agree(index):
    config = Config(72, 72, people=(2, 2), max_objects=3, people_sizes=(0.7, 0.9))
    before, after = clip.sample_clip(config, "train", 5, index, 2, action=18)
    motion, occlusion = flow(before, after)
    back, hidden = flow(after, before)
    points = centers(before) + motion.reshape(-1, 2)
    returned = sampled(back, points).reshape(motion.shape)
    # Where all four neighbours in b come from a, and are of one surface.
    clear = sampled(hidden.astype(float), points).reshape(72, 72) == 0
    clear &= occlusion[..., 0] == 0
    parts = render(after, {"keypoints", "instance"})
    label = 100 * parts["instance"] + parts["parts"]
    same = np.zeros(label.shape, bool)
    same[1:-1, 1:-1] = (
        np.ptp([label[y : y + 70, x : x + 70] for y in range(3) for x in range(3)], 0)
        == 0
    )
    clear &= sampled(same[..., None].astype(float), points).reshape(72, 72) == 1
    assert clear.mean() > 0.5
    error = np.abs(motion + returned).max(axis=-1)[clear]
    assert np.quantile(error, 0.995) < 0.02


def test_hand_made_stretch_of_a_limb_is_followed():
    """A forearm that gets longer by half: its middle moves by a quarter of it."""
    person = standing()
    joints = person.joints.copy()
    elbow, wrist = JOINT["left_elbow"], JOINT["left_wrist"]
    bone = joints[wrist] - joints[elbow]
    joints[wrist] = joints[elbow] + 1.5 * bone
    motion, _ = flow(scene_of(person), scene_of(person._replace(joints=joints)))
    middle = scene.to_image(person, person.joints[elbow] + bone / 2)
    x, y = np.floor(middle).astype(int)
    np.testing.assert_allclose(motion[y, x], 66 * bone / 4, atol=0.4)


def test_cap_behind_the_shoulder_is_not_stretched():
    """An upper arm that gets longer by half: what lies before its start stays."""
    person = standing()
    joints = person.joints.copy()
    shoulder, elbow, wrist = (
        JOINT[f"left_{name}"] for name in ("shoulder", "elbow", "wrist")
    )
    bone = joints[elbow] - joints[shoulder]
    joints[[elbow, wrist]] += 0.5 * bone
    motion, _ = flow(scene_of(person), scene_of(person._replace(joints=joints)))
    back = person.joints[shoulder] - 0.04 * bone / np.linalg.norm(bone)
    x, y = np.floor(scene.to_image(person, back)).astype(int)
    np.testing.assert_allclose(motion[y, x], 0, atol=1e-4)
