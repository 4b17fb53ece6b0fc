import io

import fuzz_worker
import numpy as np
import pytest
from PIL import Image

import kcv.edge
from kcv.edge import preprocess
from kcv.edge.interpreter import Tensor, dequantize, quantize

RNG = np.random.default_rng(0)
PICTURE = RNG.integers(0, 256, (37, 52, 3)).astype("uint8")

# Orientation -> what a camera held that way stores of an upright picture.
STORED = {
    1: lambda upright: upright,
    2: lambda upright: upright[:, ::-1],
    3: lambda upright: upright[::-1, ::-1],
    4: lambda upright: upright[::-1],
    5: lambda upright: upright.swapaxes(0, 1),
    6: lambda upright: np.rot90(upright),
    7: lambda upright: np.rot90(upright, 2).swapaxes(0, 1),
    8: lambda upright: np.rot90(upright, -1),
}


def save(path, image, **options):
    if isinstance(image, np.ndarray):
        image = Image.fromarray(image)
    image.save(path, **options)
    return path


def tensor(dtype, scale=0.0, zero_point=0):
    return Tensor(0, (1, 4, 4, 3), np.dtype(dtype), scale, zero_point)


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("suffix", ["png", "tif", "webp"])
def test_exif_orientation_is_applied(tmp_path, orientation, suffix):
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = np.ascontiguousarray(STORED[orientation](PICTURE))
    lossless = {"lossless": True} if suffix == "webp" else {}
    path = save(tmp_path / f"photo.{suffix}", stored, exif=exif, **lossless)
    np.testing.assert_array_equal(preprocess.open_image(path), PICTURE)


def test_resizing_averages_what_it_leaves_out():
    """Pencil: a triangle 32 wide sees as much black as white; a point sees one."""
    stripes = np.zeros((64, 64), "uint8")
    stripes[:, ::2] = 255
    pixels = preprocess.to_pixels(stripes, (4, 4, 1))
    assert pixels.shape == (4, 4, 1)
    assert np.abs(pixels.astype(int) - 127).max() <= 3  # the edges cut the triangle


def test_the_whole_image_is_resized_whatever_its_aspect():
    """Left half black, right half white: so are the halves of the tall result."""
    image = np.zeros((10, 400, 3), "uint8")
    image[:, 200:] = 255
    pixels = preprocess.to_pixels(image, (30, 8, 3))
    assert pixels.shape == (30, 8, 3)
    assert (pixels[:, :3] == 0).all()
    assert (pixels[:, 5:] == 255).all()


def test_model_sized_images_are_not_changed(tmp_path):
    path = save(tmp_path / "a.png", PICTURE)
    for image in (path, str(path), PICTURE, Image.fromarray(PICTURE)):
        np.testing.assert_array_equal(preprocess.to_pixels(image, (37, 52, 3)), PICTURE)


@pytest.mark.parametrize(
    ("mode", "color", "expected"),
    [
        ("1", 1, (255, 255, 255)),
        ("L", 70, (70, 70, 70)),
        ("LA", (0, 51), (204, 204, 204)),  # 20 % black over white
        ("RGBA", (255, 0, 0, 0), (255, 255, 255)),
        ("RGBA", (255, 0, 0, 51), (255, 204, 204)),
        ("CMYK", (0, 0, 0, 0), (255, 255, 255)),
        ("CMYK", (255, 0, 0, 0), (0, 255, 255)),
        ("CMYK", (0, 0, 0, 255), (0, 0, 0)),
        ("YCbCr", (120, 128, 128), (120, 120, 120)),
        ("I;16", 100 * 257, (100, 100, 100)),
        ("I;16", 65535, (255, 255, 255)),
        ("I", 100 * 257 + 128, (100, 100, 100)),
        ("F", 99.6, (100, 100, 100)),
        ("F", 300.0, (255, 255, 255)),
    ],
)
def test_modes(mode, color, expected):
    image = Image.new(mode, (5, 4), color)
    found = np.asarray(preprocess.open_image(image))
    assert found.shape == (4, 5, 3)
    assert (found == expected).all()
    grey = np.asarray(preprocess.open_image(image, channels=1))
    assert grey.shape == (4, 5)
    luma = np.dot(expected, (0.299, 0.587, 0.114))
    assert np.abs(grey - luma).max() <= 1


def test_transparent_palette_shows_white(tmp_path):
    image = Image.new("P", (4, 4), 0)
    image.putpalette([255, 0, 0, 0, 255, 0])
    image.putpixel((0, 0), 1)
    path = save(tmp_path / "a.gif", image, transparency=1)
    found = np.asarray(preprocess.open_image(path))
    assert tuple(found[0, 0]) == (255, 255, 255)
    assert tuple(found[1, 1]) == (255, 0, 0)


def test_sixteen_bit_png_is_not_clipped(tmp_path):
    ramp = (np.arange(256, dtype="uint16") * 257).reshape(16, 16)
    path = save(tmp_path / "a.png", ramp)
    np.testing.assert_array_equal(
        preprocess.open_image(path, channels=1), ramp // np.uint16(257)
    )


def test_arrays_with_alpha_or_one_channel():
    grey = PICTURE[..., :1]
    np.testing.assert_array_equal(
        preprocess.to_pixels(grey, (37, 52, 3)), np.repeat(grey, 3, -1)
    )
    clear = np.dstack([PICTURE, np.zeros((37, 52), "uint8")])
    assert (preprocess.to_pixels(clear, (37, 52, 3)) == 255).all()


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (PICTURE.astype("float32"), "uint8 with levels 0..255, not float32"),
        (PICTURE.astype("int64"), "not int64"),
        (PICTURE[None], r"not \(1, 37, 52, 3\); pass images of a batch one by one"),
        (PICTURE[..., :2], r"not \(37, 52, 2\)"),
        (PICTURE[0, 0], r"not \(3,\)"),
        (PICTURE[:0], r"not \(0, 52, 3\)"),
    ],
)
def test_arrays_that_are_no_image(array, message):
    with pytest.raises(kcv.edge.EdgeError, match=message):
        preprocess.open_image(array)


def jpeg():
    stream = io.BytesIO()
    Image.fromarray(PICTURE).save(stream, "JPEG")
    return stream.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cannot be read as an image"),
        (b"hello", "cannot be read as an image"),
        (jpeg()[:400], "cannot be read as an image"),
        (b"\x89PNG\r\n\x1a\n" + bytes(50), "cannot be read as an image"),
    ],
)
def test_files_that_are_no_image(tmp_path, content, message):
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    with pytest.raises(kcv.edge.EdgeError, match=message) as caught:
        preprocess.open_image(path)
    assert str(caught.value).startswith(str(path))


@pytest.mark.filterwarnings("ignore::UserWarning:PIL", "ignore::Warning:PIL")
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF"])
def test_damaged_images_are_refused_or_read(tmp_path, kind):
    stream = io.BytesIO()
    Image.fromarray(PICTURE).save(stream, kind)
    path = tmp_path / "a.jpg"  # the suffix decides nothing
    refused = 0
    for seed in range(80):
        path.write_bytes(fuzz_worker.mutate(stream.getvalue(), seed))
        try:
            pixels = preprocess.to_pixels(path, (5, 6, 3))
        except kcv.edge.EdgeError as error:
            assert str(error).startswith(str(path))
            refused += 1
        else:
            assert pixels.shape == (5, 6, 3)
    assert 10 <= refused < 80


def test_missing_files_and_folders_and_other_types(tmp_path):
    with pytest.raises(kcv.edge.EdgeError, match="no such file"):
        preprocess.open_image(tmp_path / "a.jpg")
    with pytest.raises(kcv.edge.EdgeError, match="is a folder"):
        preprocess.open_image(tmp_path)
    with pytest.raises(kcv.edge.EdgeError, match="not <class 'list'>"):
        preprocess.open_image([1, 2])


@pytest.mark.parametrize("zero_point", [127, 128])
def test_uint8_pixels_are_fed_straight_over_half_a_level(zero_point):
    """127.5 falls between two levels: (p - 127.5) / 127.5 is level p -+ 0.5 of both."""
    pixels = np.arange(256, dtype="uint8").reshape(1, 16, 16, 1)
    to = tensor("uint8", 2 / 255, zero_point)
    levels = preprocess.to_tensor(pixels, [127.5], [127.5], to)
    np.testing.assert_array_equal(levels, pixels)
    to = tensor("int8", 2 / 255, zero_point - 128)
    levels = preprocess.to_tensor(pixels, [127.5], [127.5], to)
    assert levels.dtype == np.int8
    np.testing.assert_array_equal(levels.astype(int), pixels.astype(int) - 128)


@pytest.mark.parametrize(
    ("dtype", "scale", "zero_point", "mean", "std"),
    [
        ("uint8", 0.01, 120, [127.5], [127.5]),
        ("int8", 0.02, -3, [124.0, 117.0, 104.0], [58.0, 57.0, 57.5]),
        ("int16", 1 / 32767, 0, [127.5], [127.5]),
        ("uint8", 2 / 255, 129, [127.5], [127.5]),  # one level off: not straight
    ],
)
def test_other_ranges_are_quantized(dtype, scale, zero_point, mean, std):
    pixels = RNG.integers(0, 256, (2, 4, 4, 3)).astype("uint8")
    to = tensor(dtype, scale, zero_point)
    levels = preprocess.to_tensor(pixels, mean, std, to)
    assert levels.dtype == np.dtype(dtype)
    limits = np.iinfo(dtype)
    means, stds = np.resize(mean, 3), np.resize(std, 3)
    for index in np.ndindex(pixels.shape):
        real = (float(pixels[index]) - means[index[-1]]) / stds[index[-1]]
        level = min(max(real / scale + zero_point, limits.min), limits.max)
        assert abs(levels[index] - level) <= 0.501


def test_float_models_take_normalised_pixels():
    pixels = np.array([0, 51, 255], "uint8").reshape(1, 1, 1, 3)
    values = preprocess.to_tensor(pixels, [127.5], [127.5], tensor("float32"))
    assert values.dtype == np.float32
    np.testing.assert_allclose(values.ravel(), [-1, -0.6, 1], atol=1e-6)
    values = preprocess.to_tensor(pixels, [0, 51, 5], [1, 2, 250], tensor("float32"))
    np.testing.assert_allclose(values.ravel(), [0, 0, 1], atol=1e-6)


@pytest.mark.parametrize("zero_point", [127, 128])
def test_pixels_as_numbers_are_the_levels_of_pixels(zero_point):
    """Those of [-1, 1] lie in the middle of two levels."""
    to = Tensor(0, (1,), np.dtype("uint8"), 2 / 255, zero_point)
    numbers = (np.arange(256, dtype="float32") - 127.5) / 127.5
    assert quantize(numbers, to).tolist() == list(range(256))


def test_quantize_rounds_clips_and_comes_back():
    to = tensor("int8", 0.5, 10)
    levels = quantize([-1e9, -5.1, 0.0, 0.26, 1e9], to)
    np.testing.assert_array_equal(levels, [-128, 0, 10, 11, 127])
    np.testing.assert_array_equal(dequantize(levels, to), [-69, -5, 0, 0.5, 58.5])


@pytest.mark.slow  # TensorFlow's import
@pytest.mark.parametrize("channels", [1, 3])
def test_training_and_edge_prepare_the_same_pixels(channels):
    """One definition of preprocessing: kcv.data's own, on every kind of image."""
    from kcv.data import preprocess as training

    y, x = np.mgrid[:90, :120]
    smooth = np.stack([x + y, 255 - x, 2 * y], -1).clip(0, 255).astype("uint8")
    color = Image.fromarray(smooth)
    alpha = color.copy()
    alpha.putalpha(Image.fromarray((x * 2).astype("uint8")))
    wide = Image.fromarray((x * 500).astype("uint16"))
    images = [color.convert(mode) for mode in ("RGB", "L", "1", "P", "CMYK", "YCbCr")]
    images += [alpha, alpha.convert("LA"), alpha.convert("PA"), wide, wide.convert("I")]
    for image in images:
        ours = preprocess.to_pixels(image, (32, 48, channels))
        theirs = training.pillow_preprocess(image, (32, 48, channels))
        np.testing.assert_array_equal(ours, theirs, err_msg=image.mode)
    theirs = training.resize(training.to_channels(smooth[None], channels)[0], (32, 48))
    ours = preprocess.to_pixels(smooth, (32, 48, channels))
    assert np.abs(ours.astype(int) - np.asarray(theirs).astype(int)).max() <= 1
    scaled = preprocess.to_tensor(ours[None], [127.5], [127.5], tensor("float32"))
    np.testing.assert_array_equal(scaled[0], training.normalize(ours, (-1.0, 1.0)))
