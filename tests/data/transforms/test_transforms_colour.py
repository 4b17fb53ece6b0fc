import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageEnhance, ImageFilter, ImageOps
from scipy import ndimage
from skimage import data as photographs
from transform_samples import H, W, change, draw, grid, moved

from kcv.data.transforms import Transforms, colour, colour_axes, rand_augment

CAT = photographs.chelsea()[60:124, 100:180]


def test_colour_axes_are_those_of_the_covariance():
    images = [CAT, photographs.coffee()[:40, :50]]
    pixels = np.concatenate([image.reshape(-1, 3) / 255 for image in images])
    covariance = np.cov(pixels.T, bias=True)
    axes = np.array(colour_axes(images))
    lengths = np.linalg.norm(axes, axis=1)
    assert (np.diff(lengths) < 0).all()
    for axis, length in zip(axes, lengths):
        np.testing.assert_allclose(covariance @ axis, length * axis, atol=1e-9)


def test_colour_axes_need_colours():
    with pytest.raises(ValueError, match=r"\(4, 4, 1\): colour axes need"):
        colour_axes([np.zeros((4, 4, 1), np.uint8)])
    with pytest.raises(ValueError, match="at least one image"):
        colour_axes([])


def test_pca_shifts_as_alexnet_s():
    """Their spread is 0.1 of each axis: measured over many samples."""
    axes = colour_axes([CAT])
    knobs = Transforms(pca=0.1, pca_axes=axes)
    rng = np.random.default_rng(0)
    columns = [f"pca_{i}" for i in range(3)]
    shifts = np.array(
        [
            colour.pca_shift(knobs, draw(**dict(zip(columns, rng.random(3)))))
            for _ in range(1000)
        ]
    )
    expected = (25.5**2) * np.array(axes).T @ np.array(axes)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(np.cov(shifts.T), expected, atol=0.1 * scale)
    one = colour.pca_shift(knobs, draw(pca_0=0.8413447))  # one standard deviation
    np.testing.assert_allclose(one, 25.5 * np.array(axes[0]), rtol=1e-4)


def test_pencil_intensity_and_gamma():
    image = np.full((2, 2, 3), 100, np.uint8)
    out = change(Transforms(intensity=0.2), {"images": image}, intensity=1.0)
    assert (out["images"] == 151).all()
    out = change(Transforms(gamma=1.0), {"images": image}, gamma=1.0)
    assert (out["images"] == round(255 * (100 / 255) ** 2)).all()
    out = change(Transforms(gamma=1.0), {"images": image}, gamma=0.0)
    assert (out["images"] == round(255 * (100 / 255) ** 0.5)).all()


@pytest.mark.parametrize("sigma", [0.0, 0.7, 1.5])
def test_blur_equals_scipy(sigma):
    image = CAT.astype(np.float32)[None]
    ours = colour.gaussian_blur(tf.constant(image), sigma, 1.5)
    expected = image[0]
    for axis in (0, 1) if sigma else ():
        expected = ndimage.gaussian_filter1d(
            expected, sigma, axis, mode="reflect", radius=5
        )
    np.testing.assert_allclose(ours[0], expected, atol=1e-3)


def test_noise_is_normal_and_repeats():
    image = np.full((64, 64, 3), 128, np.float32)
    values = {"noise": 0.5, "noise_seed": 0.3}
    one, again = (
        change(Transforms(noise=20), {"images": image}, **values)["images"] - 128
        for _ in range(2)
    )
    np.testing.assert_array_equal(one, again)
    assert one.std() == pytest.approx(10, rel=0.03) and abs(one.mean()) < 0.4
    assert np.mean(np.abs(one) < 10) == pytest.approx(0.683, abs=0.02)
    assert abs(np.corrcoef(one[:-1].ravel(), one[1:].ravel())[0, 1]) < 0.04
    assert abs(np.corrcoef(one[..., 0].ravel(), one[..., 1].ravel())[0, 1]) < 0.06
    other = change(Transforms(noise=20), {"images": image}, noise=0.5, noise_seed=0.31)
    assert not np.array_equal(other["images"] - 128, one)


def test_both_pictures_of_a_flow_and_all_frames_change_alike():
    image = np.random.default_rng(0).integers(0, 256, (8, 8, 3)).astype(np.uint8)
    knobs = Transforms(brightness=0.4, contrast=0.4, hue=0.2, rand_augment=2, rotate=30)
    sample = {"images": image, "next_images": image, "frames": np.stack([image] * 3)}
    out = change(knobs, sample, seed=3)
    np.testing.assert_array_equal(out["images"], out["next_images"])
    for frame in out["frames"]:
        np.testing.assert_array_equal(frame, out["images"])


# RandAugment, against Pillow.


def chosen(name):
    names = (*rand_augment.MOVES, *rand_augment.COLOURS)
    return (names.index(name) + 0.5) / len(names)


PILLOW = {
    "identity": lambda image: image,
    "autocontrast": ImageOps.autocontrast,
    "equalize": ImageOps.equalize,
    "solarize": lambda image: ImageOps.solarize(image, 128),
    "posterize": lambda image: ImageOps.posterize(image, 6),
    "saturation": lambda image: ImageEnhance.Color(image).enhance(1.45),
    "contrast": lambda image: ImageEnhance.Contrast(image).enhance(1.45),
    "brightness": lambda image: ImageEnhance.Brightness(image).enhance(1.45),
    "sharpness": lambda image: ImageEnhance.Sharpness(image).enhance(1.45),
}


@pytest.mark.parametrize("name", rand_augment.COLOURS)
def test_rand_augment_colours_equal_pillow(name):
    """At magnitude 5, within a level: Pillow rounds down where we round."""
    knobs = Transforms(rand_augment=1, rand_magnitude=5.0)
    values = {"rand_augment_choice_0": chosen(name), "rand_augment_sign_0": 0.9}
    out = change(knobs, {"images": CAT}, **values)["images"].astype(int)
    expected = np.asarray(PILLOW[name](Image.fromarray(CAT))).astype(int)
    exact = ("identity", "equalize", "solarize", "posterize")
    assert np.abs(out - expected).max() <= (0 if name in exact else 1)
    if name != "identity":
        assert np.abs(out - CAT.astype(int)).max() > 2


def test_soft_is_pillow_s_filter():
    ours = rand_augment.soft(tf.constant(CAT[None].astype(np.float32)))[0]
    expected = np.asarray(Image.fromarray(CAT).filter(ImageFilter.SMOOTH))
    assert np.abs(ours - expected.astype(float)).max() <= 1


@pytest.mark.parametrize("value", [0, 77, 255])
def test_rand_augment_leaves_flat_pictures(value):
    flat = np.full((8, 8, 3), value, np.uint8)
    for name in ("autocontrast", "equalize", "saturation", "contrast", "sharpness"):
        knobs = Transforms(rand_augment=1)
        out = change(knobs, {"images": flat}, rand_augment_choice_0=chosen(name))
        np.testing.assert_array_equal(out["images"], flat)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("rotate", lambda x, y: (W / 2 - (y - H / 2), H / 2 + (x - W / 2))),
        ("shear_x", lambda x, y: (x + 0.3 * (y - H / 2), y)),
        ("shear_y", lambda x, y: (x, y + 0.3 * (x - W / 2))),
        ("translate_x", lambda x, y: (x + 0.45 * W, y)),
        ("translate_y", lambda x, y: (x, y + 0.45 * H)),
    ],
)
def test_pencil_rand_augment_moves(name, expected):
    """At magnitude 10; three turns by 30 degrees are a quarter turn."""
    count = 3 if name == "rotate" else 1
    knobs = Transforms(rand_augment=count, rand_magnitude=10.0)
    values = {f"rand_augment_choice_{i}": chosen(name) for i in range(3)}
    values |= {f"rand_augment_sign_{i}": 0.9 for i in range(3)}
    matrix = rand_augment.random_moves(knobs, draw(**values), (H, W))
    x, y = grid()
    ours = moved(matrix.numpy(), x, y)
    np.testing.assert_allclose(ours, expected(x, y), atol=1e-9)
