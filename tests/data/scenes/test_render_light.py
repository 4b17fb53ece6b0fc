import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from still_scenes import still, thing

from kcv.data import scenes
from kcv.data.scenes import materials, poses, scene

LIGHT = np.array([0.6, 0.0, 0.8])
INTRINSIC = {"albedo", "normals", "depth", "instance"}
SHINY = scene.MATERIALS.index("shiny")


def body(**changes):
    joints, behind = poses.random_pose(np.random.default_rng(4).random)
    values = {"joints": joints, "behind": behind, "accent": np.full(3, 0.3)}
    return thing("person", 64.0, 64.0, 60.0, **{**values, **changes})


@settings(max_examples=20, deadline=None)
@given(
    name=st.sampled_from(["square", "circle", "person"]),
    turn=st.floats(-3, 3),
    relief=st.floats(0.1, 0.8),
    bend=st.floats(-0.3, 0.3),
    squeeze=st.floats(0.7, 1.3),
)
def test_normals_are_the_slope_of_the_depth(name, turn, relief, bend, squeeze):
    """Central differences of the depth map, times the pixels a unit of depth has."""
    if name == "person":
        one = body(relief=relief)
    else:
        one = thing(name, 64.0, 64.0, 34.0, turn=turn, relief=relief, bend=bend)
    one.matrix[:, 0] *= squeeze
    drawn = still(one, side=128)
    truth = scenes.render(drawn, {*INTRINSIC, "keypoints"})
    depth, normals = truth["depth"][..., 0], truth["normals"]
    by_x = -np.gradient(depth, axis=1) * drawn.unit
    by_y = -np.gradient(depth, axis=0) * drawn.unit
    slope = np.stack([-by_x, -by_y, np.ones_like(by_x)], axis=-1)
    slope /= np.linalg.norm(slope, axis=-1, keepdims=True)
    smooth = truth["instance"] == 0
    if name == "person":  # limbs meet in creases
        label = truth["parts"]
        near = [np.roll(label, step, axis) for step in (-1, 1) for axis in (0, 1)]
        smooth &= np.all([label == other for other in near], axis=0)
    else:
        near = [np.roll(smooth, step, axis) for step in (-1, 1) for axis in (0, 1)]
        smooth &= np.all(near, axis=0)
    error = np.abs(slope - normals).max(axis=-1)[smooth]
    assert smooth.sum() > 200
    if name == "person":  # between a hand and an arm is a crease, too
        assert np.quantile(error, 0.85) < 0.01
    else:
        assert error.max() < 0.01
    assert np.abs(np.linalg.norm(normals, axis=-1) - 1).max() < 1e-5
    assert (normals[..., 2] > 0).all() and (depth > 0).all()


def test_light_is_albedo_times_shading_and_highlight():
    for i in range(12):
        config = scenes.Config(height=64, width=64, people=(0, 1))
        drawn = scenes.sample(config, "train", 2, i)
        truth = scenes.render(drawn, {"albedo"})
        product = truth["albedo"] * truth["shading"] + truth["specular"]
        assert np.abs(product - truth["linear"]).max() < 1e-6
        assert truth["albedo"].min() > -1e-5 and truth["albedo"].max() <= 1.2 + 1e-5
        assert truth["shading"].min() > 0 and truth["shading"].max() <= 1 + 1e-6
        assert truth["specular"].min() >= 0


def test_pencil_shading_of_a_dome():
    """A dome of slope 1 at 1: at u = -0.5, towards the left, its normal is (-1, 0, 2).

    With light (-0.6, 0, 0.8) the cosine is (0.6 + 1.6) / sqrt(5), and the shading 0.3
    + 0.7 times that.
    """
    one = thing("square", x=32.5, y=32.5, size=20.0, relief=1.0)
    drawn = still(one, light=LIGHT * (-1, 1, 1))
    truth = scenes.render(drawn, INTRINSIC)
    assert truth["normals"][32, 22] == pytest.approx(
        np.array([-1, 0, 2]) / np.sqrt(5), abs=1e-5
    )
    shading = 0.3 + 0.7 * 2.2 / np.sqrt(5)
    assert truth["shading"][32, 22, 0] == pytest.approx(shading, abs=1e-5)
    assert truth["albedo"][32, 22] == pytest.approx([0.6, 0.4, 0.2], abs=1e-5)
    assert truth["shading"][0, 0, 0] == pytest.approx(0.3 + 0.7 * 0.8, abs=1e-5)
    assert truth["albedo"][0, 0] == pytest.approx([0.1] * 3, abs=1e-5)


def test_pencil_albedo_of_an_edge_is_the_mean_of_both_by_coverage():
    """A square from 23.25: its column 23 is 0.75 square and 0.25 background."""
    truth = scenes.render(still(thing("square", x=32.25, size=10.0)), {"albedo"})
    mixed = 0.75 * np.array([0.6, 0.4, 0.2]) + 0.25 * 0.1
    assert truth["albedo"][32, 23] == pytest.approx(mixed, abs=0.01)


def test_a_highlight_is_where_the_dome_mirrors_the_light():
    one = thing("square", x=32.5, y=32.5, size=25.0, relief=0.7, material=SHINY)
    truth = scenes.render(still(one, light=LIGHT), {"albedo"})
    specular = truth["specular"][..., 0]
    row, column = np.unravel_index(specular.argmax(), specular.shape)
    half = materials.half_vector(LIGHT)
    # The dome's normal leans by 0.7 * u there.
    assert row == 32
    assert column == pytest.approx(32 + 25 * half[0] / half[2] / 0.7, abs=1)
    matt = scenes.render(still(one._replace(material=0), light=LIGHT), {"albedo"})
    assert matt["specular"].max() == 0


def test_pencil_a_shadow_falls_away_from_the_light():
    """Light from the right at a slope of 3/4; a gap of 8 counts 8 * 32 / 40 pixels."""
    one = thing("square", x=40.0, size=10.0, depth=2.0, albedo=np.full(3, 0.1))
    lit = scenes.render(still(one, light=LIGHT), {"albedo"})["shading"][32, :, 0]
    dark = still(one, light=LIGHT, shadow=0.5)
    ratio = scenes.render(dark, {"albedo"})["shading"][32, :, 0] / lit
    shift = 0.75 * 8 * 32 * 0.025  # 4.8 pixels to the left
    soft = 1 + 0.3 * shift
    left = 40 - 9 - shift
    assert ratio[: int(left - soft)] == pytest.approx(1)
    assert ratio[31:49] == pytest.approx(1)  # the thing does not shade itself
    assert ratio[50:] == pytest.approx(1)
    assert ratio[30] == pytest.approx(0.5, abs=0.02)
    half = np.interp(-0.75, -ratio[24:31], np.arange(24, 31) + 0.5)
    assert half == pytest.approx(left, abs=0.15)


def test_a_shadow_is_nearer_on_what_is_nearer():
    caster = thing("square", x=40.0, size=10.0, depth=2.0)
    wall = thing("square", x=32.0, size=30.0, depth=4.0, albedo=np.ones(3))

    def shift(*things):
        drawn = still(*things, light=LIGHT, shadow=0.5)
        shading = scenes.render(drawn, {"albedo"})["shading"][32, :31, 0]
        return 31 - np.interp(
            -0.75, -(shading / shading.max())[10:], np.arange(10, 31) + 0.5
        )

    assert shift(caster) == pytest.approx(4.8, abs=0.2)
    assert shift(wall, caster) == pytest.approx(4.8 / 4, abs=0.2)


@pytest.mark.parametrize(
    ("name", "share"), [("striped", 0.45), ("checked", 0.5), ("dotted", np.pi * 0.09)]
)
def test_marks_take_their_share(name, share):
    u, v = np.meshgrid(*2 * (np.linspace(0, 2.2, 441, dtype=np.float32)[:-1],))
    marks = materials.marks(name, u.ravel(), v.ravel(), 100.0)
    assert marks.mean() == pytest.approx(share, abs=0.01)
    assert marks.min() == 0 and marks.max() == 1


def test_colours_stay_apart_under_light():
    """The nearest of all colours, by chromaticity and lightness, is the thing's own."""
    config = scenes.Config(
        height=64, width=64, max_objects=1, textures=("plain",), sizes=(0.5, 0.8)
    )
    colours = np.array(list(scene.COLOURS.values()))
    right = 0
    for i in range(100):
        drawn = scenes.sample(config, "train", 7, i)
        image = scenes.render(drawn, {"instance"})
        pixels = image["images"][image["instance"] == 0] / 255
        light = np.median(pixels, axis=0) ** 2.2 / drawn.camera.exposure
        right += np.abs(colours - light).sum(axis=1).argmin() == drawn.things[0].colour
    assert right >= 85
