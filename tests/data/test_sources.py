import pytest

from kcv import data


def test_unknown_names():
    known = "'digts': 'digits', 'scenes/VIEW', .*'tfds:NAME'"
    with pytest.raises(ValueError, match=known):
        data.source("digts", "train")
    with pytest.raises(ValueError, match="split 'dev' is not one of train, val"):
        data.source("digits", "dev")
    with pytest.raises(FileNotFoundError, match="no folder '/no/such/place'"):
        data.source("/no/such/place", "train")


def test_load_for_fit():
    dataset = data.load("digits", "validation", 50, (64, 64, 3), (-1, 1))
    images, labels = next(iter(dataset))
    assert images.shape == (50, 64, 64, 3) and labels.shape == (50,)
    dicts = data.load("digits", "test", 50, (8, 8, 1), (0, 1), as_supervised=False)
    assert set(dicts.element_spec) == {"images", "labels"}
