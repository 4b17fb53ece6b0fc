import numpy as np
import pytest
from PIL import Image
from reader_files import write_map, write_picture

from kcv.data.readers import pictures
from kcv.data.readers.records import BadRecord


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_modes_of_jpeg(tmp_path, mode):
    image = pictures.read_image(write_picture(tmp_path / "a.jpg", mode=mode))
    assert image.shape == (20, 30, 3)
    assert image.dtype == np.uint8
    expected = [87, 87, 87] if mode == "L" else [200, 30, 60]
    # The quarter is no multiple of JPEG's blocks: far from its edges.
    np.testing.assert_allclose(image[1, 1], expected, atol=12)
    np.testing.assert_allclose(image[-2, -2], 0, atol=12)


def test_transparent_shows_white_and_16_bits_become_8(tmp_path):
    pixels = np.zeros((4, 5, 4), np.uint8)
    pixels[0, 0] = (9, 8, 7, 255)
    Image.fromarray(pixels).save(tmp_path / "alpha.png")
    image = pictures.read_image(tmp_path / "alpha.png")
    assert image[0, 0].tolist() == [9, 8, 7]
    assert image[1, 1].tolist() == [255, 255, 255]
    write_map(tmp_path / "deep.png", np.full((4, 5), 257 * 100), "I;16")
    assert (pictures.read_image(tmp_path / "deep.png") == 100).all()


@pytest.mark.parametrize(
    ("size", "orientation", "shape"),
    [
        (None, "stored", (20, 30, 3)),
        (None, "upright", (30, 20, 3)),
        ((20, 30), "stored", (20, 30, 3)),
        ((30, 20), "stored", (30, 20, 3)),  # the annotation says which one it means
        ((20, 30), "upright", (20, 30, 3)),
        ((30, 20), "upright", (30, 20, 3)),
    ],
)
def test_orientation_is_the_one_of_the_annotation(tmp_path, size, orientation, shape):
    """6 is stored lying on its left side: the top left is top right when upright."""
    path = write_picture(tmp_path / "a.jpg", orientation=6)
    image = pictures.read_image(path, size, orientation)
    assert image.shape == shape
    red = image[1, 1] if shape[0] == 20 else image[1, -2]
    np.testing.assert_allclose(red, [200, 30, 60], atol=12)


@pytest.mark.parametrize("orientation", ["stored", "upright"])
def test_a_half_turn_follows_the_argument_alone(tmp_path, orientation):
    path = write_picture(tmp_path / "a.jpg", orientation=3)
    image = pictures.read_image(path, (20, 30), orientation)
    red = image[1, 1] if orientation == "stored" else image[-2, -2]
    np.testing.assert_allclose(red, [200, 30, 60], atol=12)


def test_picture_of_another_size(tmp_path):
    path = write_picture(tmp_path / "a.png")
    with pytest.raises(BadRecord, match="a.png: 30 x 20 pixels .* has 31 x 20: keep"):
        pictures.read_image(path, (20, 31))
    with pytest.raises(BadRecord, match="30 x 20 pixels .* has 20 x 30"):
        pictures.read_image(path, (30, 20))  # no EXIF says that it may be turned


@pytest.mark.parametrize("read", [pictures.read_image, pictures.read_label_map])
@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", "a.png: empty file: copy"),
        (b"no picture at all", "a.png: not a picture: copy"),
        (None, "a.png: no such file: copy"),
        (60, "a.png: .*(truncated|broken).*: copy"),
    ],
)
def test_damaged_files(tmp_path, read, content, match):
    path = tmp_path / "a.png"
    if content == 60:
        content = write_map(path, np.random.default_rng(0).integers(0, 99, (40, 40)))
        content = content.read_bytes()[:-400]
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadRecord, match=match) as error:
        read(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("mode", ["L", "P", "I;16"])
def test_label_maps_give_numbers_not_colours(tmp_path, mode):
    numbers = np.arange(200).reshape(10, 20) * (100 if mode == "I;16" else 1)
    path = write_map(tmp_path / "a.png", numbers, mode)
    found = pictures.read_label_map(path, (10, 20))
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, numbers)


def test_label_maps_of_few_bits(tmp_path):
    numbers = np.arange(200).reshape(10, 20) % 2
    Image.fromarray(numbers.astype(bool)).save(tmp_path / "bits.png")
    np.testing.assert_array_equal(
        pictures.read_label_map(tmp_path / "bits.png"), numbers
    )
    image = Image.fromarray((numbers * 3).astype(np.uint8))
    image.putpalette([0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3])
    image.save(tmp_path / "two.png", bits=2)
    np.testing.assert_array_equal(
        pictures.read_label_map(tmp_path / "two.png"), numbers * 3
    )


def test_masks_that_are_none(tmp_path):
    with pytest.raises(BadRecord, match="mask of mode RGB.*save it as grey or palette"):
        pictures.read_label_map(write_picture(tmp_path / "a.png"))
    with pytest.raises(BadRecord, match="5 x 4 pixels.*its picture has 30 x 20"):
        pictures.read_label_map(write_map(tmp_path / "b.png", np.eye(4, 5)), (20, 30))


def test_numbers_beyond_the_table():
    table = np.array([255, 0, -1, 1])
    labels = np.array([[0, 1], [3, 0]])
    assert pictures.map_labels("a.png", labels, table).tolist() == [[255, 0], [1, 255]]
    with pytest.raises(BadRecord, match="a.png: number 2, 4 is no label"):
        pictures.map_labels("a.png", np.array([[2, 1, 4]]), table)
