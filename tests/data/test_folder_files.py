import io
import pathlib

import numpy as np
import pytest
import tensorflow as tf
from absl import logging
from data_pictures import names_of
from PIL import Image

from kcv import data
from kcv.data import preprocess


def encoded(picture, **options):
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, **{"format": "JPEG", **options})
    return buffer.getvalue()


def decoded(source):
    """Returns {file name: exact uint8 image} of a source."""
    rows = source.elements(None).map(
        lambda record: (record["paths"], source.decode(record)["images"])
    )
    return {
        pathlib.Path(path.decode()).name: image
        for path, image in rows.as_numpy_iterator()
    }


@pytest.fixture
def all_train(make_folder, picture):
    """Makes PATH/train/a with the given files, and a class b; returns the source."""

    def make(files, **options):
        files = {f"train/a/{name}": content for name, content in files.items()}
        root = make_folder({**files, "train/b/0.png": picture}, **options)
        for split in ("validation", "test"):
            make_folder({f"{split}/{c}/0.png": picture for c in "ab"})
        return data.source(root, "train", max_bad_share=0.9)

    return make


def test_plain_formats(all_train, picture):
    names = ["0.png", "1.bmp", "2.webp", "3.PNG", "4.jpg", "5.JPEG"]
    images = decoded(all_train(dict.fromkeys(names, picture), quality=95))
    for name in names:
        lossy = name[0] in "245"
        error = np.abs(images[name].astype(int) - picture)
        assert error.mean() <= (4 if lossy else 0), name


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(all_train, picture, orientation):
    """However the camera was held, the picture comes out upright."""
    turns = {  # from upright to what the camera stores
        1: lambda p: p,
        2: lambda p: p[:, ::-1],
        3: lambda p: p[::-1, ::-1],
        4: lambda p: p[::-1],
        5: lambda p: p.transpose(1, 0, 2),
        6: lambda p: np.rot90(p, 1),
        7: lambda p: p[::-1, ::-1].transpose(1, 0, 2),
        8: lambda p: np.rot90(p, -1),
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = np.ascontiguousarray(turns[orientation](picture))
    files = {
        f"0.{kind}": encoded(stored, format=kind, exif=exif, quality=95)
        for kind in ("jpeg", "webp", "png")
    }
    for image in decoded(all_train(files)).values():
        assert image.shape == picture.shape
        assert np.abs(image.astype(int) - picture).mean() < 3


def test_sizes_follow_the_turned_picture(all_train, picture):
    """A turned JPEG that is decoded small is still large enough."""
    exif = Image.Exif()
    exif[0x0112] = 6
    large = np.asarray(Image.fromarray(picture).resize((640, 480)))
    source = all_train({"0.jpg": encoded(np.rot90(large), exif=exif, quality=95)})
    record = next(iter(source.elements(None)))
    image = source.decode(record, (60, 80))["images"].numpy()
    assert image.shape[0] >= 60 and image.shape[1] >= 80
    assert image.shape[1] < 640
    small = preprocess.resize(tf.constant(image), (60, 80)).numpy().astype(int)
    expected = np.asarray(Image.fromarray(picture).resize((80, 60)))
    assert np.abs(small - expected).mean() < 4


def test_grey_16_bits_cmyk(all_train, picture):
    grey = np.asarray(Image.fromarray(picture).convert("L"))
    deep = (np.arange(48 * 64) * 21 % 65536).reshape(48, 64).astype(np.uint16)
    images = decoded(
        all_train(
            {
                "grey.png": grey,
                "grey.jpg": encoded(grey, quality=95),
                "deep.png": Image.fromarray(deep),
                "bits.png": Image.fromarray(grey > 127),
                "cmyk.jpg": encoded_cmyk(picture),
            }
        )
    )
    assert all(image.shape == picture.shape for image in images.values())
    np.testing.assert_array_equal(images["grey.png"], np.repeat(grey[..., None], 3, 2))
    assert np.abs(images["grey.jpg"][..., 0].astype(int) - grey).mean() < 2
    np.testing.assert_array_equal(images["deep.png"][..., 1], np.rint(deep / 257))
    np.testing.assert_array_equal(images["bits.png"][..., 2], (grey > 127) * 255)
    assert np.abs(images["cmyk.jpg"].astype(int) - picture).mean() < 4


def encoded_cmyk(picture):
    buffer = io.BytesIO()
    Image.fromarray(picture).convert("CMYK").save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


def test_transparent_parts_show_white(all_train):
    """Left half red, right half transparent (with green below)."""
    rgba = np.zeros((6, 8, 4), np.uint8)
    rgba[:, :4] = 255, 0, 0, 255
    rgba[:, 4:] = 0, 255, 0, 0
    half = rgba.copy()
    half[..., 3] = 128
    palette = Image.fromarray(rgba[..., :3]).quantize(4)
    green = palette.getpixel((7, 0))
    images = decoded(
        all_train(
            {
                "rgba.png": rgba,
                "rgba.webp": encoded(rgba, format="WEBP", lossless=True),
                "half.png": half,
                "grey.png": Image.fromarray(rgba).convert("LA"),
                "palette.png": with_options(palette, "PNG", transparency=green),
                "palette.gif": with_options(palette, "GIF", transparency=green),
            }
        )
    )
    for name in ("rgba.png", "rgba.webp", "palette.png", "palette.gif"):
        assert (images[name][:, :4] == (255, 0, 0)).all(), name
        assert (images[name][:, 4:] == 255).all(), name
    assert np.abs(images["half.png"][0, 0].astype(int) - (255, 127, 127)).max() <= 1
    assert (images["grey.png"][:, 4:] == 255).all()


def with_options(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def test_of_an_animation_the_first_frame_counts(all_train):
    frames = [Image.new("RGB", (8, 6), colour) for colour in ("red", "lime", "blue")]
    images = decoded(
        all_train(
            {
                "0.gif": with_options(
                    frames[0], "GIF", save_all=True, append_images=frames[1:]
                ),
                "0.webp": with_options(
                    frames[0],
                    "WEBP",
                    save_all=True,
                    append_images=frames[1:],
                    lossless=True,
                ),
            }
        )
    )
    for name in ("0.gif", "0.webp"):
        assert (images[name] == (255, 0, 0)).all(), name


def test_name_and_content_may_differ(all_train, picture):
    """A PNG that is called .jpg is a PNG."""
    images = decoded(all_train({"0.jpg": encoded(picture, format="PNG")}))
    np.testing.assert_array_equal(images["0.jpg"], picture)


# Broken files.


def broken_files(picture):
    png, jpeg = encoded(picture, format="PNG"), encoded(picture)
    gif, webp = (encoded(picture, format=kind) for kind in ("GIF", "WEBP"))
    damaged = bytearray(png)
    damaged[len(png) // 2] ^= 255
    return {
        "empty.jpg": b"",
        "text.jpg": b"I am no picture, I only have the name of one.",
        "head.jpg": jpeg[:20],
        "body.jpg": jpeg[: len(jpeg) // 2],
        "end.jpg": jpeg[:-30],
        "body.png": png[: len(png) // 2],
        "damaged.png": bytes(damaged),
        "body.gif": gif[: len(gif) // 2],
        "body.webp": webp[: len(webp) // 2],
        "body.bmp": encoded(picture, format="BMP")[:3000],
    }


def test_broken_files_are_named_and_skipped(all_train, picture, caplog):
    broken = broken_files(picture)
    with caplog.at_level("WARNING"):
        source = all_train({"good.jpg": encoded(picture), **broken})
    assert names_of(source) == [["a", "good.jpg"], ["b", "0.png"]]
    (message,) = [r.message for r in caplog.records if "skipped" in r.message]
    assert f"skipped {len(broken)} of 16 images" in message
    for name in broken:
        assert f"{name} (" in message
    assert "empty.jpg (empty file)" in message
    assert "text.jpg (not an image)" in message
    # And what is left trains, augmented.
    batches = data.batches(
        source,
        2,
        (16, 16, 3),
        (0, 1),
        epoch=0,
        augment=data.Augment(crop_scale=0.5),
        cache_bytes=0,
    )
    assert [batch["images"].shape for batch in batches] == [(2, 16, 16, 3)]


def test_at_most_ten_are_named(all_train, picture, caplog):
    with caplog.at_level("WARNING"):
        all_train({f"{i:02}.jpg": b"" for i in range(13)} | {"good.png": picture})
    (message,) = [r.message for r in caplog.records if "skipped" in r.message]
    assert "train/a/09.jpg" in message and "train/a/10.jpg" not in message
    assert message.endswith("and 3 more")


logging.use_python_logging()  # absl's own handler would hide messages from caplog
