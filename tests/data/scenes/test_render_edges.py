import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from still_scenes import SIDE, still, thing

from kcv.data import scenes
from kcv.data.scenes import scene, shapes, surfaces

FINE = 8  # samples a pixel, each way

AREAS = {  # in units of the frame, from the shapes' definitions
    "circle": np.pi,
    "square": 1.8**2,
    "triangle": 3 * np.sqrt(3) / 4,
    "ring": np.pi * (1 - 0.55**2),
    "cross": 2**2 - 4 * 0.7**2,
    "hexagon": 3 * np.sqrt(3) / 2,
    "diamond": 4 * 0.6 / 2,
    "arrow": 1.1 * 0.6 + 1.6 * 0.9 / 2,
    "star": 10 * 0.42 * np.sin(np.pi / 5) / 2,
}


def coverage(drawn):
    """How much of each pixel a white thing covers, drawn on black."""
    return scenes.render(drawn, {"albedo"})["linear"][..., 0]


def white(name, **places):
    return still(thing(name, albedo=np.ones(3), **places), behind=0.0)


def inside(loops, points):
    """Whether points (n, 2) lie within an odd number of polygons (even-odd rule)."""
    found = np.zeros(len(points), bool)
    for loop in loops:
        for (x1, y1), (x2, y2) in zip(loop, np.roll(loop, -1, axis=0)):
            if y1 != y2:
                crossed = (y1 <= points[:, 1]) != (y2 <= points[:, 1])
                at = x1 + (points[:, 1] - y1) * (x2 - x1) / (y2 - y1)
                found ^= crossed & (points[:, 0] < at)
    return found


def super_sampled(one):
    """Share of `FINE` x `FINE` samples in each pixel that the shape's polygon has."""
    samples = (np.arange(SIDE * FINE) + 0.5) / FINE
    points = np.stack(np.meshgrid(samples, samples), axis=-1).reshape(-1, 2)
    hit = inside(shapes.loops(one.name), scene.to_frame(one, points))
    return hit.reshape(SIDE, FINE, SIDE, FINE).mean(axis=(1, 3))


@pytest.mark.parametrize("name", scene.SHAPES)
def test_coverage_is_that_of_many_samples(name):
    drawn = white(name, x=31.3, y=32.6, size=22.0, turn=0.4)
    error = coverage(drawn) - super_sampled(drawn.things[0])
    # A straight edge is off by 0.1 at worst, and corners by more.
    assert np.abs(error).max() < 0.35
    assert np.sqrt((error**2).mean()) < 0.012
    assert abs(error.sum()) < 0.004 * 22**2


@pytest.mark.parametrize("name", list(AREAS))
@pytest.mark.parametrize("turn", [0.0, 0.5])
def test_area_is_the_analytic_one(name, turn):
    size = 21.7
    drawn = white(name, x=32.2, y=31.9, size=size, turn=turn)
    truth = AREAS[name] * size**2
    assert coverage(drawn).sum() == pytest.approx(truth, rel=0.006)
    assert surfaces.area(drawn.things[0]) == pytest.approx(truth, rel=0.004)


def test_pencil_a_square_with_edges_inside_pixels():
    """A square of side 1.8 * 10 = 18 around (32.25, 32): from 23.25 to 41.25."""
    cover = coverage(white("square", x=32.25, y=32.0, size=10.0))
    row = cover[32]
    assert row[22:25] == pytest.approx([0, 0.75, 1], abs=0.02)
    assert row[40:43] == pytest.approx([1, 0.25, 0], abs=0.02)
    truths = scenes.render(white("square", x=32.25, size=10.0), {"boxes"})
    for name in ("boxes", "full_boxes"):
        assert truths[name][0] == pytest.approx([23.25, 23, 41.25, 41], abs=0.01)


@settings(max_examples=40, deadline=None)
@given(
    name=st.sampled_from([*scene.SHAPES, "digit_5"]),
    turn=st.floats(-3, 3),
    stretch=st.floats(0.7, 1.4),
    bend=st.floats(-0.3, 0.3),
    x=st.floats(30, 34),
)
def test_full_box_ends_where_the_coverage_ends(name, turn, stretch, bend, x):
    one = thing(name, x=x, size=17.0, turn=turn, albedo=np.ones(3), bend=bend)
    one = one._replace(sprite=15 if name == "digit_5" else -1)
    one.matrix[:, 1] *= stretch
    drawn = still(one, behind=0.0)
    cover = coverage(drawn)
    x1, y1, x2, y2 = scenes.render(drawn, {"boxes"})["full_boxes"][0]
    for low, high, most in ((x1, x2, cover.max(axis=0)), (y1, y2, cover.max(axis=1))):
        touched = np.flatnonzero(most > 0.1)
        assert abs(touched[0] + 0.5 - low) < 1.3 and abs(touched[-1] + 0.5 - high) < 1.3


@pytest.mark.parametrize("name", scene.SHAPES)
def test_full_box_is_that_of_the_polygon(name):
    one = thing(name, x=31.4, y=33.1, size=25.0, turn=0.7)
    points = np.concatenate([scene.to_image(one, loop) for loop in shapes.loops(name)])
    truth = [*points.min(axis=0), *points.max(axis=0)]
    # Tips are drawn a little blunt.
    assert np.abs(np.array(surfaces.extent(one)) - truth).max() < 0.025 * 25
    if name in ("circle", "ring"):
        assert surfaces.extent(one) == pytest.approx(truth, abs=0.01)


@pytest.mark.parametrize("behind", [0.9, 0.2])
@pytest.mark.parametrize("name", ["circle", "star", "digit_8", "person"])
def test_no_edge_is_darker_or_brighter_than_both_sides(name, behind):
    albedo, front = np.array([0.95, 0.9, 0.85]), 1.0
    joints = None
    if name == "person":
        joints = (
            scenes.sample(
                scenes.Config(min_objects=0, max_objects=0, people=(1, 1)),
                "train",
                0,
                0,
            )
            .things[0]
            .joints
        )
    one = thing(name, turn=0.3, albedo=albedo, sprite=8 if "digit" in name else -1)
    one = one._replace(joints=joints, accent=albedo)
    linear = scenes.render(still(one, behind=behind), {"albedo"})["linear"]
    if name != "person":  # whose trousers, hair and shoes are dark
        assert (linear >= np.minimum(albedo, behind) * front - 1e-5).all()
    assert (linear <= np.maximum(albedo, behind) * front + 1e-5).all()


@pytest.mark.parametrize("name", scene.DIGITS)
def test_a_digit_is_drawn_as_it_was_written(name):
    """Averaged over its 8 x 8 cells, the drawn digit goes with the scanned pixels."""
    from sklearn import datasets

    data = datasets.load_digits()
    digit = scene.DIGITS.index(name)
    for sprite in np.flatnonzero(data.target == digit)[:5]:
        cover = coverage(white(name, x=32.0, y=32.0, size=32.0, sprite=int(sprite)))
        cells = cover.reshape(8, 8, 8, 8).mean(axis=(1, 3))
        pixels = data.images[sprite]
        assert np.corrcoef(cells.ravel(), pixels.ravel())[0, 1] > 0.9
