import numpy as np
import pytest

from kcv.boxes import anchors, clusters, default_boxes

RNG = np.random.default_rng(0)


def test_grid_by_pencil():
    """Two places of stride 8 and two shapes: centres 4, 4 and 12, 4."""
    found = anchors.grid((1, 2), 8, [(8, 8), (4, 16)])
    expected = [[0, 0, 8, 8], [2, -4, 6, 12], [8, 0, 16, 8], [10, -4, 14, 12]]
    np.testing.assert_array_equal(found, expected)


def test_grid_is_a_head_made_flat():
    """Trap: rows and columns; what stands at [y, x, k] has that centre and shape."""
    shapes = anchors.shapes((8, 32))
    boxes = anchors.grid((3, 5), 4, shapes).reshape(3, 5, 6, 4)
    for y, x, k in ((0, 0, 0), (2, 4, 5), (1, 3, 2)):
        box = boxes[y, x, k]
        np.testing.assert_allclose((box[:2] + box[2:]) / 2, [4 * x + 2, 4 * y + 2])
        np.testing.assert_allclose(box[2:] - box[:2], shapes[k], rtol=1e-6)


def test_shapes_have_area_and_ratio():
    found = anchors.shapes((10, 20), (2, 1, 0.5))
    np.testing.assert_allclose(found.prod(axis=1), [100] * 3 + [400] * 3, rtol=1e-6)
    np.testing.assert_allclose(found[:, 0] / found[:, 1], [2, 1, 0.5] * 2, rtol=1e-6)


def test_counts_of_the_papers():
    """Faster R-CNN's "roughly 20000 (60 x 40 x 9)"; RetinaNet: 9 x (64^2 + ... 4^2)."""
    assert len(anchors.faster_rcnn((40 * 16, 60 * 16))) == 60 * 40 * 9
    levels = anchors.retinanet((512, 512))
    assert [len(level) for level in levels] == [9 * 4**k for k in (6, 5, 4, 3, 2)]
    assert sum(map(len, levels)) == 49_104
    sides = [np.sqrt((a[0, 2] - a[0, 0]) * (a[0, 3] - a[0, 1])) for a in levels]
    np.testing.assert_allclose(sides, [32, 64, 128, 256, 512], rtol=1e-5)
    levels = anchors.faster_rcnn_fpn((256, 250))
    assert [len(level) for level in levels] == [
        *(64 * 63 * 3, 32 * 32 * 3, 16 * 16 * 3, 8 * 8 * 3, 4 * 4 * 3)
    ]
    middle = levels[0].reshape(64, 63, 3, 4)[0, 0, 1]
    np.testing.assert_allclose(middle, [2 - 16, 2 - 16, 2 + 16, 2 + 16])


def test_default_boxes_of_ssd():
    """8732 and 24564 of the paper; the first map's by pencil: sqrt(30 * 60) = 42.43."""
    maps = default_boxes.default_boxes()
    assert [len(boxes) for boxes in maps] == [5776, 2166, 600, 150, 36, 4]
    assert sum(map(len, maps)) == 8732
    large = default_boxes.default_boxes(default_boxes.SSD512)
    assert sum(map(len, large)) == 24_564
    sizes = maps[0][:4, 2:] - maps[0][:4, :2]
    long, short = 30 * 2**0.5, 30 / 2**0.5
    expected = [(30, 30), (1800**0.5, 1800**0.5), (long, short), (short, long)]
    np.testing.assert_allclose(sizes, expected, rtol=1e-6)
    np.testing.assert_allclose(maps[-1][0], [150 - 132, 18, 282, 282], rtol=1e-6)
    centre = (maps[4][:, :2] + maps[4][:, 2:]) / 2
    np.testing.assert_allclose(np.unique(centre), [50, 150, 250], rtol=1e-5)


@pytest.mark.parametrize("maps", ["SSD300", "SSD512"])
def test_a_small_square_follows_the_other(maps):
    """Trap of a table: each map's larger side is the next map's smaller one."""
    maps = getattr(default_boxes, maps)
    for first, second in zip(maps, maps[1:]):
        assert first.larger == second.smaller
    image = {38: 300, 64: 512}[maps[0].side]
    assert all(m.side * m.stride >= image for m in maps)


def test_scales_of_eq_4():
    np.testing.assert_allclose(
        default_boxes.scales(6), [0.2, 0.34, 0.48, 0.62, 0.76, 0.9]
    )


def test_clusters_are_found():
    """Three kinds of boxes, each within 10 %, in a unit of pixels."""
    kinds = np.array([[20, 60], [50, 50], [200, 80]])
    sizes = (kinds[:, None] * RNG.uniform(0.9, 1.1, (3, 50, 2))).reshape(-1, 2)
    found = clusters.anchor_shapes(sizes, 3)
    np.testing.assert_allclose(found, kinds, rtol=0.05)
    assert clusters.mean_best_iou(sizes, found) > 0.85
    np.testing.assert_array_equal(clusters.anchor_shapes(sizes, 3), found)


def test_clusters_beat_those_of_euclid_on_small_boxes():
    """The paper's reason: squared distance spends its centres on large boxes."""
    from scipy.cluster.vq import kmeans2

    sizes = np.exp(RNG.normal(3, 1, (400, 2)))
    ours = clusters.mean_best_iou(sizes, clusters.anchor_shapes(sizes, 5))
    euclid, _ = kmeans2(sizes, 5, seed=0, minit="++")
    assert ours > clusters.mean_best_iou(sizes, euclid) + 0.02
    more = clusters.mean_best_iou(sizes, clusters.anchor_shapes(sizes, 9))
    assert more > ours


def test_as_many_clusters_as_boxes():
    sizes = np.array([[1, 2], [3, 4], [3, 4], [9, 5.0]])
    found = clusters.anchor_shapes(sizes, 3)
    np.testing.assert_allclose(found, [[1, 2], [3, 4], [9, 5]])
    assert clusters.mean_best_iou(sizes, found) == 1


def test_errors():
    with pytest.raises(ValueError, match=r"ratios must be positive, got \[1.0, 0.0\]"):
        anchors.shapes((8,), (1, 0))
    with pytest.raises(ValueError, match=r"sides must be positive, got \[-8.0\]"):
        anchors.shapes((-8,))
    with pytest.raises(ValueError, match="smaller = 60 and larger = 30 must rise"):
        default_boxes.shapes(60, 30, (2,))
    with pytest.raises(ValueError, match="2 maps or more, got 1"):
        default_boxes.scales(1)
    with pytest.raises(ValueError, match="3 shapes wanted of 2 different sizes"):
        clusters.anchor_shapes([[1, 2], [1, 2], [2, 1]], 3)
    with pytest.raises(
        ValueError, match=r"1 of 2 sizes are not .* \[0.0, 0.0\]: leave"
    ):
        clusters.anchor_shapes([[1, 2], [0, 0]], 1)
