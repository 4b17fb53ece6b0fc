import numpy as np
import pytest
from PIL import Image
from scipy import ndimage
from skimage import data
from still_scenes import still

from kcv.data import scenes
from kcv.data.scenes import Background, Camera, backgrounds, camera, scene

RAMP = np.linspace(0, 1.2, 256 * 3, dtype=np.float32).reshape(3, 16, 16)


def test_light_becomes_the_nearest_srgb_level():
    light = np.moveaxis(RAMP, 0, -1).astype(float).clip(0, 1)
    curve = np.where(
        light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055
    )
    image = camera.take(RAMP, Camera(), (0, 0, 0))
    assert np.abs(image - 255 * curve).max() < 1
    assert image.dtype == np.uint8 and image[-1, -1, 2] == 255


def test_levels_and_light_are_inverse():
    light = backgrounds.LINEAR.reshape(1, 16, 16).repeat(3, axis=0)
    image = camera.take(light, Camera(), (0, 0, 0))
    assert np.abs(image[..., 0].ravel() - np.arange(256.0)).max() <= 1


def test_exposure_is_a_factor_on_light():
    bright = camera.take(RAMP, Camera(exposure=2.0), (0, 0, 0))
    assert np.array_equal(bright, camera.take(2 * RAMP, Camera(), (0, 0, 0)))


def test_noise_has_its_strength_and_its_key():
    grey = np.full((3, 64, 64), 0.2, np.float32)
    clean = camera.take(grey, Camera(), (1, 2, 3))[0, 0, 0]
    noisy = [camera.take(grey, Camera(noise=6.0), (1, 2, n)) for n in (3, 3, 4)]
    assert np.array_equal(noisy[0], noisy[1])
    error = noisy[0].astype(float) - clean
    assert error.std() == pytest.approx(6, rel=0.03) and abs(error.mean()) < 0.6
    other = noisy[2].astype(float) - clean
    assert abs(np.corrcoef(error.ravel(), other.ravel())[0, 1]) < 0.04


@pytest.mark.parametrize("sigma", [0.3, 0.8, 1.7])
def test_blur_is_scipy_s(sigma):
    image = np.random.default_rng(0).random((3, 20, 17), np.float32)
    reach = max(1, int(np.ceil(3 * sigma)))
    truth = ndimage.gaussian_filter(
        image.astype(float), (0, sigma, sigma), mode="nearest", radius=(0, reach, reach)
    )
    assert np.abs(camera.blur(image, sigma) - truth).max() < 1e-6


def photograph(matrix, side=48):
    files = [file for _, file in backgrounds._FILES["photograph"]]
    index = files.index("coffee.png")
    behind = Background("photograph", index, np.array(matrix, float), np.ones((2, 3)))
    return backgrounds.draw(behind, side, side), backgrounds.size("photograph", index)


def test_a_photograph_is_shown_where_its_matrix_says():
    """The file, made smaller by Pillow as a whole, holds the same pixels."""
    drawn, size = photograph([[1, 0, 30], [0, 1, 20]])
    file = Image.fromarray(data.coffee())
    file.thumbnail((512, 512))
    assert size == (341, 512) == file.size[::-1]
    truth = np.asarray(file)[20:68, 30:78]
    assert np.abs(camera.take(drawn, Camera(), (0,)) - truth.astype(float)).max() <= 1


def test_a_photograph_is_mirrored_beyond_its_border():
    drawn, (height, width) = photograph([[1, 0, 512 - 24], [0, 1, 341 - 24]])
    assert np.array_equal(drawn[:, :, :24], drawn[:, :, 47:23:-1])
    assert np.array_equal(drawn[:, :24], drawn[:, 47:23:-1])
    assert drawn.std() > 0.003


def test_a_mirrored_photograph_is_the_mirror_image():
    drawn, _ = photograph([[1, 0, 30], [0, 1, 20]])
    mirrored, _ = photograph([[-1, 0, 30 + 48], [0, 1, 20]])
    assert np.abs(drawn - mirrored[:, :, ::-1]).max() < 1e-6


def test_a_shrunken_photograph_is_a_mean_of_its_pixels():
    """Four pixels to one: no single pixel is picked."""
    large, _ = photograph([[1, 0, 40], [0, 1, 40]], side=128)
    small, _ = photograph([[4, 0, 40], [0, 4, 40]], side=32)
    levels = [np.asarray(camera.take(x, Camera(), (0,)), float) for x in (large, small)]
    mean = levels[0].reshape(32, 4, 32, 4, 3).mean(axis=(1, 3))
    assert np.abs(mean - levels[1]).mean() < 2


def test_a_gradient_runs_between_its_colours():
    ramp = np.array([[1 / 64, 0, 0], [0, 0, 0]])
    colours = np.array([[0.1, 0.2, 0.3], [0.5, 0.4, 0.1]])
    behind = Background("gradient", 0, ramp, colours)
    drawn = scenes.render(still()._replace(background=behind), {"albedo"})["albedo"]
    assert drawn[5, 0] == pytest.approx(colours[0] + np.diff(colours, axis=0)[0] / 128)
    assert drawn[9, 63] == pytest.approx(colours[1], abs=0.01)


def test_every_picture_opens_and_fills_an_image():
    for kind in ("photograph", "texture"):
        for split in scene.SPLITS:
            for index in backgrounds.of_split(kind, split):
                height, width = backgrounds.size(kind, index)
                assert min(height, width) >= 256 and max(height, width) <= 512
                behind = Background(kind, index, np.eye(2, 3) * 3, np.full((2, 3), 0.5))
                drawn = backgrounds.draw(behind, 64, 64)
                assert drawn.shape == (3, 64, 64) and drawn.std() > 0.01
