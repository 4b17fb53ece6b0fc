import numpy as np
import pytest
from PIL import Image

from kcv import data
from kcv.data import identities


def batches(source, size=(16, 16, 3)):
    return list(data.batches(source, 16, size, (0.0, 1.0)))


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    """Eight people of 10 pictures; a person's red is its number, the green any."""
    folder = tmp_path_factory.mktemp("people")
    for person in range(8):
        (folder / f"person {person}").mkdir()
        for picture in range(10):
            pixels = np.zeros((20 + picture, 24, 3), "uint8")
            pixels[..., 0], pixels[..., 1] = 30 * person, 20 * picture
            Image.fromarray(pixels).save(folder / f"person {person}" / f"{picture}.png")
    return folder


def test_identities_are_cut_and_no_picture_is_lost(people, tmp_path):
    splits = identities.open_splits(people, unseen=0.3, cache_dir=tmp_path)
    names = [set(split.class_names) for split in splits.values()]
    assert [len(each) for each in names] == [4, 2, 2]
    assert len(set.union(*names)) == 8
    assert [split.num_examples for split in splits.values()] == [40, 20, 20]
    fingerprints = {split.fingerprint for split in splits.values()}
    assert len(fingerprints) == 3


def test_every_picture_has_the_label_of_its_person(people, tmp_path):
    splits = identities.open_splits(people, cache_dir=tmp_path)
    for split in splits.values():
        seen = set()
        for batch in batches(split):
            for image, label in zip(batch["images"].numpy(), batch["labels"].numpy()):
                person = round(image[..., 0].mean() * 255 / 30)
                picture = round(image[..., 1].mean() * 255 / 20)
                assert split.class_names[label] == f"person {person}"
                seen.add((person, picture))
        assert len(seen) == split.num_examples


def test_seed_and_share_decide_who_is_tested():
    first = identities.open_splits("digits")
    again = identities.open_splits("digits")
    others = [identities.open_splits("digits", seed)["test"] for seed in range(5)]
    assert first["test"].class_names == again["test"].class_names
    assert first["test"].fingerprint == again["test"].fingerprint
    assert len({other.class_names for other in others}) > 1
    more = identities.open_splits("digits", unseen=0.5)
    assert [len(split.class_names) for split in more.values()] == [3, 2, 5]
    total = sum(split.num_examples for split in first.values())
    assert total == 1797
    (batch, *_) = batches(first["test"], (64, 64, 1))
    assert batch["labels"].numpy().max() < 3


def test_scenes_that_say_more_than_a_label():
    splits = identities.open_splits("scenes/attributes_64", draw=True, count=60)
    assert [len(split.class_names) for split in splits.values()] == [66, 18, 36]
    assert sum(split.num_examples for split in splits.values()) == 180
    assert batches(splits["validation"])[0]["images"].shape[1:] == (16, 16, 3)


def test_what_cannot_be_cut(monkeypatch):
    with pytest.raises(ValueError, match="5 for the test|leave 1 for training"):
        identities.open_splits("digits", unseen=0.6)
    with pytest.raises(ValueError, match="cannot be cut by identity: that needs"):
        identities.open_splits("scenes/detection_64", draw=True, count=2)
    stream = data.source("digits", "train")._replace(records=None)
    monkeypatch.setattr(identities.sources, "source", lambda *_, **__: stream)
    with pytest.raises(ValueError, match="with random access"):
        identities.open_splits("tfds:faces")
