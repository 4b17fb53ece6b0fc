"""Sets of TensorFlow Datasets whose records say more than a label."""

import numpy as np
import pytest
import tensorflow_datasets as tfds

from kcv import data

SPLITS = {"train": 6, "validation": 3, "test": 2}


class Things(tfds.core.GeneratorBasedBuilder):
    """In the layout of coco/2017 with captions; its test has no objects."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        objects = {
            "bbox": tfds.features.BBoxFeature(),
            "label": tfds.features.ClassLabel(names=["cat", "dog"]),
            "is_crowd": np.bool_,
        }
        features = {
            "image": tfds.features.Image(encoding_format="png"),
            "image/filename": tfds.features.Text(),
            "objects": tfds.features.Sequence(objects),
            "captions": tfds.features.Sequence({"text": tfds.features.Text()}),
            "segmentation_mask": tfds.features.Image(shape=(None, None, 1)),
        }
        return tfds.core.DatasetInfo(
            builder=self, features=tfds.features.FeaturesDict(features)
        )

    def _split_generators(self, dl_manager):
        return {name: self._generate_examples(name) for name in SPLITS}

    def _generate_examples(self, split):
        for number in range(SPLITS[split]):
            box = tfds.features.BBox(ymin=0.1, xmin=0.25, ymax=0.6, xmax=0.75)
            one = {"bbox": box, "label": number % 2, "is_crowd": number == 2}
            objects = [] if split == "test" else [one] * (number % 3)
            yield (
                number,
                {
                    "image": np.full((10, 20, 3), number, np.uint8),
                    "image/filename": f"{number}.jpg",
                    "objects": objects,
                    "captions": [{"text": "a"}, {"text": "b"}],
                    "segmentation_mask": np.full((10, 20, 1), 7, np.uint8),
                },
            )


class Numbers(tfds.core.GeneratorBasedBuilder):
    """No pictures."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        features = tfds.features.FeaturesDict({"number": np.int32})
        return tfds.core.DatasetInfo(builder=self, features=features)

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples()}

    def _generate_examples(self):
        yield 0, {"number": 1}


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    path = tmp_path_factory.mktemp("tfds")
    Things(data_dir=path).download_and_prepare()
    Numbers(data_dir=path).download_and_prepare()
    return path


def test_records_have_our_keys(data_dir):
    options = {"data_dir": data_dir}
    records, source = data.examples("tfds:things", "train", None, None, **options)
    assert source.num_examples == 5  # a tenth is for validation
    assert source.class_names == ("cat", "dog")
    assert set(source.keys) == {
        *("images", "semantic", "boxes", "classes", "crowd", "captions", "image_id")
    }
    for record in records:
        number = int(record["images"][0, 0, 0])
        assert record["image_id"].decode() == f"{number}.jpg"
        assert len(record["boxes"]) == len(record["classes"]) == number % 3
        np.testing.assert_array_equal(record["crowd"], [number == 2] * (number % 3))
        if number % 3:
            np.testing.assert_allclose(record["boxes"][0], [5, 1, 15, 6])
            assert record["classes"][0] == number % 2
        assert list(record["captions"]) == [b"a", b"b"]
        assert np.all(record["semantic"] == 7)


def test_batches_of_a_stream(data_dir):
    source = data.source("tfds:things", "train", data_dir=data_dir)
    options = {"epoch": 0, "slots": data.Slots(objects=4, captions=1)}
    whole = list(data.structured_batches(source, 4, (8, 8, 3), (0, 1), **options))
    assert [len(batch["images"]) for batch in whole] == [4, 1]
    assert whole[0]["boxes"].shape == (4, 4, 4)
    rest = list(
        data.structured_batches(source, 4, (8, 8, 3), (0, 1), start_step=1, **options)
    )
    np.testing.assert_array_equal(rest[0]["images"], whole[1]["images"])


def test_a_test_split_without_truth_is_not_used(data_dir):
    sizes = [
        data.source("tfds:things", split, data_dir=data_dir).num_examples
        for split in ("train", "validation", "test")
    ]
    assert sizes == [5, 1, 3]


def test_a_set_without_pictures(data_dir):
    with pytest.raises(ValueError, match="neither images nor videos: .* are number"):
        data.source("tfds:numbers", "train", data_dir=data_dir)
