import numpy as np
from sklearn import datasets

from kcv import data
from kcv.data import digits


def test_split_sizes_and_names():
    sizes = [data.source("digits", split).num_examples for split in SPLITS]
    assert sizes == [1295, 160, 342]  # 72, 9 and 19 % of 1797: hashes, not quotas
    assert data.source("digits", "test").class_names == tuple("0123456789")


SPLITS = ("train", "validation", "test")


def test_no_image_in_two_splits():
    seen = {}
    for split in SPLITS:
        for record in data.source("digits", split).elements(None).as_numpy_iterator():
            seen.setdefault(record["images"].tobytes(), set()).add(split)
    assert all(len(splits) == 1 for splits in seen.values())


def test_images_are_enlarged_originals():
    images, labels = digits._digits()
    original = datasets.load_digits()
    assert images.shape == (1797, 64, 64, 1) and images.dtype == np.uint8
    np.testing.assert_array_equal(labels, original.target)
    # The mean of an 8 x 8 block is about the original pixel, 16 levels to 255.
    blocks = images.reshape(1797, 8, 8, 8, 8).mean(axis=(2, 4))
    correlation = np.corrcoef(blocks.ravel(), original.images.ravel())[0, 1]
    assert correlation > 0.98
    assert images[:, 0, 0].mean() < 10  # white on black


def test_every_class_in_every_split():
    for split in SPLITS:
        labels = [
            int(record["labels"])
            for record in data.source("digits", split).elements(None)
        ]
        assert np.bincount(labels, minlength=10).min() >= 8


def test_fingerprint_tells_splits_apart():
    prints = {data.source("digits", split).fingerprint for split in SPLITS}
    assert len(prints) == 3
    assert data.source("digits", "test").fingerprint in prints  # and it is stable
