import numpy as np
import pytest
from PIL import Image

from kcv.edge import detected, draw, instances

RNG = np.random.default_rng(0)
SURE = 20.0  # a logit


def test_a_full_mask_is_the_pixels_whose_middles_are_in_the_box():
    mask = instances.paste(np.full((4, 4), SURE), (1.4, 0.6, 4.5, 2.5), (5, 6))
    wanted = np.zeros((5, 6))
    wanted[1:2, 1:4] = 1  # 1.5, but not 0.5 and 2.5; 1.5 to 3.5, but not 4.5
    np.testing.assert_array_equal(mask, wanted)
    assert mask.dtype == np.uint8


def test_between_bins_the_mask_ends_halfway():
    """Left bin sure, right bin sure not: half of the box's 8 pixels, and the upper."""
    logits = np.float32([[SURE, -SURE], [SURE, -SURE]])
    mask = instances.paste(logits, (2, 0, 10, 4), (4, 12))
    np.testing.assert_array_equal(mask, [[0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0]] * 4)
    mask = instances.paste(logits.T, (0, 0, 4, 4), (4, 4))
    np.testing.assert_array_equal(mask.sum(axis=1), [4, 4, 0, 0])


@pytest.mark.parametrize("box", [(0, 0, 0, 0), (9, 9, 20, 20), (3, 5, 3, 8)])
def test_boxes_without_pixels_have_no_mask(box):
    assert not instances.paste(np.full((4, 4), SURE), box, (8, 8)).any()


def test_masks_are_those_that_training_is_judged_by():
    from kcv.train import instances as graphs

    logits = RNG.normal(0, 3, (8, 14, 14)).astype("float32")
    corners = np.sort(RNG.uniform(-8, 40, (8, 2, 2)), axis=1).reshape(8, 4)
    shares = 1 / (1 + np.exp(-logits.astype("float64")))
    wanted = graphs.pasted(shares, corners, (30, 36))
    pairs = zip(logits, corners)
    found = np.stack([instances.paste(*pair, (30, 36)) for pair in pairs])
    assert np.mean(found != wanted) < 1e-3 and 0.05 < found.mean() < 0.6


def test_keypoints_are_in_the_middle_of_their_bins():
    """Box from 10, 20 of 8 x 4 pixels, with 4 x 4 bins of 2 x 1."""
    logits = np.zeros((4, 4, 2), "float32")
    logits[1, 3, 0], logits[2, 0, 1] = np.log(15), SURE
    found = instances.keypoints(logits, (10, 20, 18, 24))
    np.testing.assert_allclose(found, [[17, 21.5, 0.5], [11, 22.5, 1]], atol=1e-5)


def test_pictures_have_masks_and_keypoints():
    image = Image.new("RGB", (40, 20), "white")
    mask = np.zeros((20, 40), "uint8")
    mask[8:16, 12:28] = 1
    box = (10.0, 6.0, 30.0, 18.0)
    thing = detected.Segmented("cat", 0, 0.9, box, mask)
    picture = draw.detection(image, [thing])
    tint = picture.getpixel((160, 100))  # 8 times as large
    assert tint not in ((255, 255, 255), (0, 0, 0))
    assert picture.getpixel((88, 120)) == (255, 255, 255)  # in the box, not the mask
    other = draw.detection(image, [thing._replace(score=0.8), thing])
    assert other.getpixel((160, 100)) != tint  # the second thing has another colour

    points = np.float32([[20, 10, 0.9], [26, 14, 0.01]])
    thing = detected.Posed("dog", 0, 0.9, box, points)
    picture = draw.detection(image, [thing])
    assert picture.getpixel((160, 80)) != (255, 255, 255)
    assert picture.getpixel((208, 112)) == (255, 255, 255)  # far less likely
