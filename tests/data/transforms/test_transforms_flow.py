import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from scipy import ndimage
from transform_samples import H, W, change, draw, grid, homography, moved, texture

from kcv.data.transforms import Transforms, occlude

SEEDS = st.integers(0, 2**31)
ALL = Transforms(
    flip=True, flip_vertical=True, rotate=20, shear=5, zoom=0.2, translate=0.1
)._replace(perspective=0.08, crop_scale=0.7)
few = hypothesis.settings(max_examples=10, deadline=None)
MOTION = np.array([[1.03, -0.04, 2.6], [0.05, 0.98, -1.3], [0, 0, 1]])


def flow_sample():
    """Two pictures of a texture that moves as `MOTION` says, both known everywhere."""
    x, y = grid()
    to_x, to_y = moved(MOTION, x, y)
    from_x, from_y = moved(np.linalg.inv(MOTION), x, y)
    flow = np.stack([to_x - x, to_y - y], axis=-1)
    back = np.stack([from_x - x, from_y - y], axis=-1)
    leaves = (to_x < 0) | (to_x >= W) | (to_y < 0) | (to_y >= H)
    return {
        "images": texture(x, y)[..., None].astype(np.float32),
        "next_images": texture(from_x, from_y)[..., None].astype(np.float32),
        "flow": flow.astype(np.float32),
        "flow_backward": back.astype(np.float32),
        "occlusion": leaves[..., None].astype(np.uint8),
    }


@few
@hypothesis.given(SEEDS)
def test_flow_leads_to_the_same_texture(seed):
    """Looked up along its flow, the second transformed picture is the first."""
    out = change(ALL, flow_sample(), seed=seed)
    x, y = grid()
    valid = ndimage.binary_erosion(out["flow_valid"][..., 0], iterations=2)
    for flow, one, other in (
        ("flow", "images", "next_images"),
        ("flow_backward", "next_images", "images"),
    ):
        to_x, to_y = x + out[flow][..., 0], y + out[flow][..., 1]
        where = [to_y - 0.5, to_x - 0.5]
        found = ndimage.map_coordinates(out[other][..., 0], where, order=1, cval=-999)
        known = ndimage.binary_erosion(out[other][..., 0] > 0, iterations=2)
        known = ndimage.map_coordinates(known.astype(float), where, order=1) == 1
        sure = valid & known & (out[one][..., 0] > 0)
        assert np.abs(found - out[one][..., 0])[sure].max(initial=0) < 5


@few
@hypothesis.given(SEEDS)
def test_flow_is_exact_through_the_map(seed):
    """Both ends of a flow that is linear, in NumPy."""
    out = change(ALL, flow_sample(), seed=seed)
    x, y = grid()
    matrix = homography(ALL, seed=seed)
    from_x, from_y = moved(np.linalg.inv(matrix), x, y)
    to_x, to_y = moved(matrix, *moved(MOTION, from_x, from_y))
    valid = out["flow_valid"][..., 0] == 1
    # At the picture's border the nearest pixel's flow counts, half a pixel off.
    expected = np.stack([to_x - x, to_y - y], axis=-1)[valid]
    assert np.abs(out["flow"][valid] - expected).max(initial=0) < 0.1
    assert not out["flow"][~valid].any()
    leaves = (to_x < 0) | (to_x >= W) | (to_y < 0) | (to_y >= H)
    near = np.minimum(np.abs(to_x), np.abs(to_x - W)) < 0.2
    near |= np.minimum(np.abs(to_y), np.abs(to_y - H)) < 0.2
    assert (out["occlusion"][..., 0] >= leaves)[valid & ~near].all()


def test_pencil_quarter_turn_and_zoom_of_flow():
    """Turned clockwise, flow to the right leads down; zoomed 1.5, it is 1.5 longer."""
    sample = {
        "images": np.zeros((8, 8, 1), np.uint8),
        "flow": np.full((8, 8, 2), (3.0, 1.0), np.float32),
    }
    out = change(Transforms(rotate=90), sample, rotate=1)
    np.testing.assert_allclose(out["flow"], np.full((8, 8, 2), (-1, 3)), atol=1e-5)
    out = change(Transforms(zoom=0.5), sample, zoom=1)
    np.testing.assert_allclose(out["flow"], np.full((8, 8, 2), (4.5, 1.5)), atol=1e-5)


def test_unknown_flow_is_not_mixed_in():
    """Half a pixel beside a border of what is known, the flow is the known one."""
    valid = np.zeros((6, 8, 1), np.uint8)
    valid[:, :4] = 1
    sample = {
        "images": np.zeros((6, 8, 1), np.uint8),
        "flow": np.where(valid == 1, 0.25, 777.0).repeat(2, axis=2).astype(np.float32),
        "flow_valid": valid,
    }
    out = change(
        Transforms(translate=0.1), sample, translate_x=0.8
    )  # 0.48 to the right
    assert out["flow_valid"][0, :, 0].tolist() == [1, 1, 1, 1, 0, 0, 0, 0]
    expected = np.where(out["flow_valid"] == 1, [0.25, 0.25], 0)
    np.testing.assert_allclose(out["flow"], expected, atol=1e-6)


def test_depth_is_not_mixed_over_an_edge_and_scales_only_if_asked():
    depth = np.full((6, 8, 1), 2.0, np.float32)
    depth[:, 4:] = 9
    sample = {"images": np.zeros((6, 8, 1), np.uint8), "depth": depth}
    out = change(Transforms(translate=0.05), sample, translate_x=1)["depth"]  # 0.4
    assert set(np.unique(out)) == {2.0, 9.0}
    out = change(Transforms(zoom=0.5), sample, zoom=1)["depth"]
    assert set(np.unique(out)) == {2.0, 9.0}
    out = change(Transforms(zoom=0.5, zoom_depth=True), sample, zoom=1)["depth"]
    np.testing.assert_allclose(np.unique(out), [2 / 1.5, 6], rtol=1e-6)
    out = change(Transforms(zoom=0.5), sample, zoom=0)["depth"]
    assert out[0, 0] == 0 and out[3, 4] == 9  # unknown outside


def test_a_slope_of_depth_is_bilinear():
    x, _ = grid()
    sample = {
        "images": np.zeros((H, W, 1), np.uint8),
        "depth": (20 + 0.1 * x[..., None]).astype(np.float32),
    }
    knobs = Transforms(rotate=20)
    out = change(knobs, sample, rotate=1)["depth"][..., 0]
    from_x, _ = moved(np.linalg.inv(homography(knobs, rotate=1)), *grid())
    inside = (out > 0) & (from_x > 0.5) & (from_x < W - 0.5)
    np.testing.assert_allclose(out[inside], (20 + 0.1 * from_x)[inside], atol=1e-3)


@pytest.mark.parametrize("side", [0.3, 0.6])
def test_cutmix_of_flow_loses_what_crosses_the_border(side):
    """By hand, pixel by pixel."""
    rng = np.random.default_rng(0)
    samples = []
    for _ in range(2):
        sample = flow_sample() | {
            "flow": rng.integers(-6, 7, (H, W, 2)).astype(np.float32),
            "occlusion": np.zeros((H, W, 1), np.uint8),
        }
        samples.append(sample)
    region = np.zeros((H, W, 1), bool)
    region[5 : 5 + int(side * H), 9 : 9 + int(side * W)] = True
    out = occlude.paste(Transforms(), *samples, region)
    flow = np.where(region, samples[1]["flow"], samples[0]["flow"])
    np.testing.assert_array_equal(out["flow"], flow)
    for row in range(H):
        for column in range(W):
            to = row + int(flow[row, column, 1]), column + int(flow[row, column, 0])
            inside = 0 <= to[0] < H and 0 <= to[1] < W
            there = region[to] if inside else False
            assert out["occlusion"][row, column] == (there != region[row, column])


def test_cutout_marks_flow_and_depth_as_unknown():
    sample = flow_sample() | {"depth": np.ones((H, W, 1), np.float32)}
    knobs = Transforms(cutout=0.5)
    out = occlude.cutout(knobs, sample, draw(cutout_x=0.5, cutout_y=0.5))
    covered = np.asarray(out["flow_valid"]) == 0
    assert covered.mean() == pytest.approx(0.25)
    assert (np.asarray(out["images"])[covered] == occlude.GREY).all()
    np.testing.assert_array_equal(out["depth"], ~covered)
    np.testing.assert_array_equal(out["next_images"], sample["next_images"])
