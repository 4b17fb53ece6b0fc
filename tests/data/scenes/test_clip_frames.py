import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kcv.data.scenes import DIFFICULTIES, Config, actions, clip, render, scene
from kcv.data.scenes.flow import flow

CONFIG = Config(height=48, width=64, max_objects=5)
NAMES = actions.ACTIONS


def numbers(first):
    """All numbers of a scene that a motion changes, without the noise's key."""
    things = [(*t.matrix.ravel(), t.bend, t.depth) for t in first.things]
    joints = [t.joints.ravel() for t in first.things if t.joints is not None]
    back = first.background
    return np.concatenate([*things, *joints, back.matrix.ravel(), back.colours.ravel()])


def value_of(first, action):
    """What an action increases, or for its opposite decreases."""
    name = actions.PAIRS[action // 2][0]
    actor, before = first.things[-1], first.things[-2:][0]
    if name in ("move_right", "move_down"):
        return actor.center[int(name == "move_down")]
    if name in ("pan_right", "pan_down"):  # where the picture's corner is in the photo
        axis = int(name == "pan_down")
        return (
            np.sign(first.background.matrix[axis, axis])
            * first.background.matrix[axis, 2]
        )
    if name == "turn_clockwise":
        return np.arctan2(actor.matrix[1, 0], actor.matrix[0, 0])
    if name == "circle_clockwise":
        return np.arctan2(*(actor.center - before.center)[::-1])
    if name == "leave":
        return np.linalg.norm(actor.center - before.center)
    if name == "raise_arms":
        wrists = [scene.JOINTS.index(f"{side}_wrist") for side in ("right", "left")]
        return -actor.joints[wrists, 1].sum()
    if name == "zoom_in":
        return -abs(np.linalg.det(first.background.matrix[:, :2]))
    return {"grow": actor.size, "bend": abs(actor.bend)}[name]


def test_actions_are_pairs_of_opposites():
    assert len(NAMES) == len(set(NAMES)) == 22
    for action in range(len(NAMES)):
        assert actions.opposite(actions.opposite(action)) == action
        assert actions.opposite(action) != action
        assert {NAMES[action], NAMES[actions.opposite(action)]} in map(
            set, actions.PAIRS
        )
    assert "turn_counter_clockwise" in actions.ENDLESS
    assert "grow" not in actions.ENDLESS and len(actions.ENDLESS) == 12


@pytest.mark.parametrize("action", range(len(NAMES)), ids=NAMES)
def test_action_changes_what_its_name_says(action):
    """In every step, but where an angle or a place starts anew."""
    for index in range(8):
        config = CONFIG._replace(backgrounds=("photograph",))
        frames = clip.sample_clip(config, "train", 2, index, 8, action)
        steps = np.diff([value_of(frame, action) for frame in frames])
        steps *= 1 - 2 * (action % 2)
        anew = steps < 0
        assert anew.sum() <= (NAMES[action] in actions.ENDLESS)
        assert (steps[~anew] > 0).all()


@pytest.mark.parametrize("action", range(0, len(NAMES), 2), ids=NAMES[::2])
@settings(max_examples=8, deadline=None)
@given(index=st.integers(0, 10**6), frames=st.integers(1, 12))
def test_backwards_it_is_the_opposite(action, index, frames):
    clips = [
        clip.sample_clip(CONFIG, "validation", 0, index, frames, one)
        for one in (action, actions.opposite(action))
    ]
    assert [len(one) for one in clips] == [frames, frames]
    for first, second in zip(clips[0], reversed(clips[1])):
        np.testing.assert_allclose(numbers(first), numbers(second), atol=1e-9)
        assert [t.category for t in first.things] == [t.category for t in second.things]


def test_deterministic_and_different_by_seed_split_index_and_action():
    def draw(split="train", seed=0, index=0, action=4):
        return numbers(clip.sample_clip(CONFIG, split, seed, index, 8, action)[0])

    np.testing.assert_array_equal(draw(), draw())
    others = [draw("test"), draw(seed=1), draw(index=1), draw(action=6)]
    for other in others:
        assert other.shape != draw().shape or np.abs(other - draw()).max() > 1e-3


def test_action_by_lot_is_told_and_all_come_as_often():
    drawn = [clip.draw_action("train", 0, index) for index in range(2200)]
    counts = np.bincount(drawn, minlength=len(NAMES))
    assert counts.min() > 65 and counts.max() < 140  # 100 with deviation 9.8
    for index in range(5):
        given_, lot = (
            clip.sample_clip(CONFIG, "train", 0, index, 2, action)
            for action in (drawn[index], None)
        )
        np.testing.assert_array_equal(numbers(given_[0]), numbers(lot[0]))


@pytest.mark.parametrize("difficulty", sorted(DIFFICULTIES))
def test_every_action_at_every_difficulty_can_be_drawn(difficulty):
    """And its middle lies in the image: frame 4 of 9; frames differ, noise included."""
    config = DIFFICULTIES[difficulty]._replace(height=40, width=48, min_objects=0)
    for action in range(0, len(NAMES), 2):
        frames = clip.sample_clip(config, "test", 1, action, 9, action)
        images = [render(frame)["images"] for frame in frames[3:6]]
        assert np.abs(np.diff(np.int32(images), axis=0)).max(axis=(1, 2, 3)).min() > 5
        motion, occlusion = flow(*frames[4:6])
        assert np.isfinite(motion).all() and (occlusion == 0).mean() > 0.5


def test_two_frames_are_as_fast_as_eight():
    """Between frames of a pair lies the middle one of seven steps."""
    sizes = []
    for frames in (2, 8):
        clips = clip.sample_clip(CONFIG, "train", 0, 3, frames, NAMES.index("grow"))
        middle = len(clips) // 2
        sizes.append(
            [frame.things[-1].size for frame in clips[middle - 1 : middle + 1]]
        )
    np.testing.assert_allclose(*sizes)
    slow = clip.sample_clip(CONFIG, "train", 0, 3, 15, NAMES.index("grow"))
    fast = clip.sample_clip(CONFIG, "train", 0, 3, 8, NAMES.index("grow"))
    np.testing.assert_allclose(numbers(slow[0]), numbers(fast[0]))
    np.testing.assert_allclose(numbers(slow[-1]), numbers(fast[-1]))


@pytest.mark.parametrize("action", [0, 3, 5, 6], ids=lambda action: NAMES[action])
def test_what_starts_anew_is_out_of_sight(action):
    """At both ends of its range a picture with the thing is one without it."""
    config = CONFIG._replace(noise=0.0, blur=0.0, people=(1, 1), bend=0.3)
    axis, count = action // 2 % 2, 0
    for index in range(24):
        frames = clip.sample_clip(config, "train", 9, index, 8, action)
        places = np.array([[t.center[axis] for t in f.things] for f in frames])
        for frame, i in np.argwhere(np.abs(np.diff(places, axis=0)) > 24):
            count += 1
            for one in frames[frame : frame + 2]:
                without = one._replace(things=one.things[:i] + one.things[i + 1 :])
                np.testing.assert_array_equal(
                    render(one)["images"], render(without)["images"]
                )
    assert count > 5


def test_wrong_arguments():
    with pytest.raises(ValueError, match="frames=0"):
        clip.sample_clip(CONFIG, "train", 0, 0, 0)
    with pytest.raises(ValueError, match=r"action 22 is not within 0\.\.21"):
        clip.sample_clip(CONFIG, "train", 0, 0, 2, 22)
    with pytest.raises(ValueError, match="'dev' is not one of train"):
        clip.sample_clip(CONFIG, "dev", 0, 0)
