import pytest

from kcv.models.image_input import image_input


def test_shape_and_name():
    images = image_input((32, 48, 3), minimum=32)
    assert (images.shape, images.name) == ((None, 32, 48, 3), "images")


@pytest.mark.parametrize(
    "shape", [(32, 32), (1, 32, 32, 3), (None, None, 3), (32, 32, 0), (32.0, 32, 3)]
)
def test_wrong_form_is_refused(shape):
    with pytest.raises(ValueError, match="three positive integers"):
        image_input(shape)


@pytest.mark.parametrize("shape", [(31, 64, 3), (64, 31, 3)])
def test_too_small_is_refused(shape):
    with pytest.raises(ValueError, match=f"{shape[0]}.* at least 32 pixels"):
        image_input(shape, minimum=32)
