"""What single frames tell of an action: nothing."""

import numpy as np
import pytest
from scipy import stats

from kcv.data.scenes import Config, actions, backgrounds, clip, render, scene

CONFIG = Config(32, 40, max_objects=3, backgrounds=("photograph",))
NAMES, PAIRS = actions.ACTIONS, [pair[0] for pair in actions.PAIRS]
CLIPS = 120  # of each action


def describe(first, action):
    """Numbers of one frame that the action's motion changes, (n,)."""
    actors, back = first.things[-2:], first.background
    angles = [np.arctan2(t.matrix[1, 0], t.matrix[0, 0]) for t in actors[-1:]]
    apart = actors[-1].center - actors[0].center
    angles += [np.arctan2(apart[1], apart[0])] if len(actors) > 1 else [0.0]
    size = np.array(backgrounds.size(back.kind, back.index))[::-1]
    place = back.matrix[:, 2] / size % 2
    joints = actors[-1].joints
    arms = 0.0 if joints is None else joints[scene.JOINTS.index("left_wrist"), 1]
    zoom = abs(np.linalg.det(back.matrix[:, :2])) / size.prod()
    own = [*actors[-1].center, actors[-1].size, abs(actors[-1].bend)]
    return np.array(
        [*own, *np.mod(angles, 2 * np.pi), np.hypot(*apart), *place, arms, zoom]
    )


def frames_of(action, first_index, frames):
    """Numbers (clips, frames, n) of clips with indices that no other action uses."""
    clips = [
        clip.sample_clip(CONFIG, "train", 0, first_index + i, frames, action)
        for i in range(CLIPS)
    ]
    return np.array([[describe(frame, action) for frame in one] for one in clips])


def least_chance(first, second):
    """The least p value, times the number of columns, that two samples are alike."""
    values = [
        stats.ks_2samp(first[:, i], second[:, i]).pvalue for i in range(first.shape[1])
    ]
    return min(values) * len(values)


@pytest.mark.parametrize("pair", range(len(PAIRS)), ids=PAIRS)
def test_frames_of_both_actions_are_distributed_alike(pair):
    forward = frames_of(2 * pair, 0, 9)
    backward = frames_of(2 * pair + 1, CLIPS, 9)
    assert least_chance(forward[:, 4], backward[:, 4]) > 0.01  # the middle one
    row, any_ = np.arange(CLIPS), np.random.default_rng(pair).integers(9, size=CLIPS)
    assert least_chance(forward[row, any_], backward[row, any_]) > 0.01
    if PAIRS[pair] in actions.ENDLESS:
        for frame in (0, 1, 8):
            assert least_chance(forward[:, frame], backward[:, frame]) > 0.01
    else:  # the test would notice what an end makes differ, and how little it is
        assert least_chance(forward[:, 0], forward[:, 8]) < 1e-3


def test_first_pictures_do_not_tell_left_from_right():
    """Ridge regression on pixels stays at chance, on the step it does not.

    The step is what one row of column sums does to the next, a crude flow.
    """
    right, left = NAMES.index("pan_right"), NAMES.index("pan_left")
    pictures, labels = [], []
    for index in range(240):
        action = (right, left)[index % 2]
        frames = clip.sample_clip(CONFIG, "train", 1, index, 8, action)[:2]
        pictures.append([render(frame)["images"].mean(axis=-1) for frame in frames])
        labels.append(1 - 2 * (index % 2))
    pictures, labels = np.array(pictures) / 255 - 0.5, np.array(labels)
    single = pictures[:, 0].reshape(240, -1)
    train, test = slice(0, 160), slice(160, 240)
    kernel = single[train] @ single[train].T + 10 * np.eye(160)
    weights = np.linalg.solve(kernel, labels[train]) @ single[train]
    right_ones = (np.sign(single[test] @ weights) == labels[test]).mean()
    assert abs(right_ones - 0.5) < 0.18  # 3.2 deviations of chance
    ahead, behind = (
        np.abs(
            pictures[:, 1, :, 4:-4] - np.roll(pictures[:, 0], by, -1)[..., 4:-4]
        ).mean(axis=(1, 2))
        for by in (-3, 3)
    )
    assert (np.sign(behind - ahead) == labels).mean() > 0.9
