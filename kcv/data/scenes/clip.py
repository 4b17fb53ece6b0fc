"""Clips: scenes that move smoothly, and the action that is seen."""

import numpy as np

from kcv.data.scenes import actions, motions, scene
from kcv.data.scenes.sample import sample

_DRAWS = 0xC11B  # sets a clip's random numbers apart from its scene's


def sample_clip(
    config, split: str, seed: int, index: int, frames: int = 8, action=None
) -> tuple[scene.Scene, ...]:
    """Draws a clip by lot.

    Clips of an action and of its opposite, drawn with the same numbers, are the same
    scenes in opposite order. Motion is as fast as if there were eight frames, slower
    when there are more.

    Args:
        config: `Config`; what the action needs is added, see `actions.needs`.
        split: "train", "validation" or "test".
        seed: Of the data set.
        index: Of the clip.
        frames: How many.
        action: Index into `actions.ACTIONS`; by default that of `draw_action`.

    Returns:
        A `Scene` a frame. Things keep their places in `things`.

    Raises:
        ValueError: There are no frames, or no such action.
    """
    if frames < 1:
        raise ValueError(f"frames={frames}: a clip needs at least one")
    if action is None:
        action = draw_action(split, seed, index)
    if not 0 <= action < len(actions.ACTIONS):
        raise ValueError(f"action {action} is not within 0..{len(actions.ACTIONS) - 1}")
    first = sample(actions.needs(config, action), split, seed, index)
    rng = np.random.default_rng((*first.key, _DRAWS, action // 2))
    play = actions.stage(_movable(first), action, rng)
    time = np.arange(frames) - (frames - 1) / 2
    time = time / max(frames - 1, actions.STEPS) * (1 - 2 * (action % 2))
    ease = rng.uniform(-actions.EASE, actions.EASE) / (2 * np.pi)
    time = time + ease * np.sin(2 * np.pi * time)
    return tuple(motions.at(play, when, frame) for frame, when in enumerate(time))


def draw_action(split: str, seed: int, index: int) -> int:
    """Returns the action of a clip, an index into `actions.ACTIONS`; all are alike."""
    if split not in scene.SPLITS:
        raise ValueError(f"split {split!r} is not one of {', '.join(scene.SPLITS)}")
    key = (seed, scene.SPLITS.index(split), index, _DRAWS)
    return int(np.random.default_rng(key).integers(len(actions.ACTIONS)))


def _movable(first):
    """Completes a gradient's matrix, so that it says where every point moves."""
    background = first.background
    if background.kind != "gradient":
        return first
    along = background.matrix[0]
    if not along[:2].any():
        along = np.array((1e-9, 0.0, along[2]))  # one colour all over
    across = (-along[1], along[0], 0.0)
    matrix = np.array([along, across])
    return first._replace(background=background._replace(matrix=matrix))
