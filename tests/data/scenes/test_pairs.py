import numpy as np
import pytest
from sklearn import svm

from kcv.data.scenes import pairs

SPLITS = ("train", "validation", "test")


def printed(count, split="train", seed=0):
    return stacked(pairs.synthetic(split, seed, index) for index in range(count))


def written(count, split="train"):
    return stacked(pairs.real(split, index) for index in range(count))


def stacked(records):
    records = list(records)
    return tuple(np.stack([r[key] for r in records]) for key in ("images", "labels"))


def test_both_domains_have_one_form_and_the_same_classes():
    for images, labels in (printed(300), written(300)):
        assert images.shape == (300, 32, 32, 3) and images.dtype == np.uint8
        assert labels.dtype == np.int32
        assert np.bincount(labels, minlength=10).min() > 12
        assert len(np.bincount(labels)) == 10


def test_printed_digits_depend_on_seed_split_and_index_alone():
    first = pairs.synthetic("train", 3, 5)
    np.testing.assert_array_equal(
        first["images"], pairs.synthetic("train", 3, 5)["images"]
    )
    for other in (("train", 3, 6), ("train", 4, 5), ("test", 3, 5)):
        assert (first["images"] != pairs.synthetic(*other)["images"]).any()


def test_splits_are_disjoint_and_complete():
    assert sum(pairs.num_real(split) for split in SPLITS) == 1797
    assert pairs.num_real("train") > 1000 and pairs.num_real("validation") > 100
    seen = {}
    for split in SPLITS:
        for index in range(pairs.num_real(split)):
            image = pairs.real(split, index)["images"].tobytes()
            seen.setdefault(image, set()).add(split)
        for index in range(100):
            image = pairs.synthetic(split, 0, index)["images"].tobytes()
            seen.setdefault(image, set()).add(split)
    assert max(len(splits) for splits in seen.values()) == 1


def test_ink_shows_everywhere():
    """Each glyph covers a part of the image, and no font lacks a digit."""
    for font in range(len(pairs.FONTS)):
        shares = [np.asarray(pairs._glyph(font, d)).mean() / 255 for d in range(10)]
        assert min(shares) > 0.02 and max(shares) < 0.5
    digits = [np.asarray(pairs._glyph(0, digit)) for digit in range(10)]
    assert len({digit.tobytes() for digit in digits}) == 10


def test_domains_differ_and_printed_digits_teach_something():
    """Without adaptation: far better on its own domain than on the other one.

    A support vector machine on contrast with the border, which forgets most of the
    colours, learns from 2000 printed digits: 0.91 of others, 0.56 of written ones.
    """
    images, labels = printed(2000)
    model = svm.SVC(C=10).fit(features(images), labels)
    own, other = (
        model.score(features(x), y)
        for x, y in (printed(300, "test"), written(342, "test"))
    )
    assert own == pytest.approx(0.907, abs=0.02)
    assert other == pytest.approx(0.556, abs=0.03)


def features(images):
    grey = images.astype(np.float32).mean(axis=-1)
    border = np.median(grey[:, [0, -1]], axis=(1, 2))[:, None, None]
    small = np.abs(grey - border).reshape(-1, 16, 2, 16, 2).mean(axis=(2, 4))
    small = small.reshape(len(images), -1)
    small -= small.mean(axis=1, keepdims=True)
    return small / np.linalg.norm(small, axis=1, keepdims=True)


def test_wrong_arguments():
    with pytest.raises(ValueError, match="'dev' is not one of train"):
        pairs.synthetic("dev", 0, 0)
    with pytest.raises(ValueError, match="'dev' is not one of train"):
        pairs.num_real("dev")
    count = pairs.num_real("validation")
    with pytest.raises(
        ValueError, match=rf"no handwritten digit {count} in validation"
    ):
        pairs.real("validation", count)
    with pytest.raises(ValueError, match="no handwritten digit -1"):
        pairs.real("test", -1)
