import numpy as np
import pytest
import tensorflow_datasets as tfds

from kcv import data
from kcv.data import tfds as tfds_source

LABELS = ["ash", "birch", "cedar"]


class TreeConfig(tfds.core.BuilderConfig):
    def __init__(self, *, splits, encoding="png", shape=(12, 10, 3), **options):
        super().__init__(**options)
        self.splits, self.encoding, self.shape = splits, encoding, shape


class Trees(tfds.core.GeneratorBasedBuilder):
    """Pixel = number of the example, label = number % 3; -1 in "blind"."""

    VERSION = tfds.core.Version("1.0.0")
    BUILDER_CONFIGS = [
        TreeConfig(name="full", splits={"train": 30, "validation": 6, "test": 9}),
        TreeConfig(name="train_test", splits={"train": 30, "test": 9}),
        TreeConfig(name="train_validation", splits={"train": 30, "validation": 6}),
        TreeConfig(name="alone", splits={"train": 40}),
        TreeConfig(name="blind", splits={"train": 30, "validation": 6, "test": 9}),
        TreeConfig(name="no_train", splits={"test": 9}),
        TreeConfig(
            name="jpeg", splits={"train": 30}, encoding="jpeg", shape=(None, None, 3)
        ),
        TreeConfig(name="rgba", splits={"train": 30}, shape=(12, 10, 4)),
        TreeConfig(name="grey", splits={"train": 30}, shape=(12, 10, 1)),
    ]

    def _info(self):
        config = self.builder_config
        image = tfds.features.Image(shape=config.shape, encoding_format=config.encoding)
        label = tfds.features.ClassLabel(names=LABELS)
        features = tfds.features.FeaturesDict({"image": image, "label": label})
        return tfds.core.DatasetInfo(builder=self, features=features)

    def _split_generators(self, dl_manager):
        splits = self.builder_config.splits
        return {name: self._generate_examples(name) for name in splits}

    def _generate_examples(self, split):
        config = self.builder_config
        large = config.name == "jpeg"
        shape = (120, 100, 3) if large else config.shape
        for number in range(config.splits[split]):
            image = np.full(shape, number * 3, np.uint8)
            if shape[-1] == 4:
                image[..., 3] = 255
            blind = config.name == "blind" and split == "test"
            yield number, {"image": image, "label": -1 if blind else number % 3}


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    path = tmp_path_factory.mktemp("tfds")
    for config in Trees.BUILDER_CONFIGS:
        Trees(config=config, data_dir=path).download_and_prepare()
    return path


def numbers(source, seed=None):
    rows = source.elements(seed).map(source.decode).as_numpy_iterator()
    return [int(np.round(row["images"][0, 0, 0] / 3)) for row in rows]


def test_splits_and_names(data_dir):
    for split, size in (("train", 30), ("validation", 6), ("test", 9)):
        source = data.source("tfds:trees/full", split, data_dir=data_dir)
        assert source.num_examples == size
        assert sorted(numbers(source)) == list(range(size))
        assert source.class_names == tuple(LABELS)
        for row in source.elements(None).map(source.decode).as_numpy_iterator():
            assert row["labels"] == row["images"][0, 0, 0] // 3 % 3
            assert row["labels"].dtype == np.int32
            assert row["images"].dtype == np.uint8


@pytest.mark.parametrize(
    ("config", "sizes"),
    [
        ("train_test", [27, 3, 9]),
        ("train_validation", [27, 3, 6]),
        ("blind", [27, 3, 6]),
        ("alone", [32, 4, 4]),
    ],
)
def test_missing_splits(data_dir, config, sizes):
    sources = [
        data.source(f"tfds:trees/{config}", split, data_dir=data_dir)
        for split in ("train", "validation", "test")
    ]
    assert [source.num_examples for source in sources] == sizes
    assert len({source.fingerprint for source in sources}) == 3
    train, validation, test = map(numbers, sources)
    cut = train + validation + (test if config == "alone" else [])
    assert sorted(cut) == list(range(40 if config == "alone" else 30))


@pytest.mark.parametrize("stream", [False, True])
def test_batches(data_dir, monkeypatch, stream):
    """In memory or streamed: orders repeat with the seed; start_step skips."""
    if stream:
        monkeypatch.setattr(tfds_source, "MEMORY_BYTES", 0)
    source = data.source("tfds:trees/full", "train", data_dir=data_dir)
    assert (source.records is None) == stream
    assert sorted(data.labels(source)) == [0] * 10 + [1] * 10 + [2] * 10

    def run(epoch, **options):
        batches = data.batches(source, 8, (12, 10, 1), (0, 255), epoch=epoch, **options)
        return [
            np.round(batch["images"][:, 0, 0, 0].numpy() / 3).tolist()
            for batch in batches
        ]

    first, again, other = run(0), run(0), run(1)
    assert [len(batch) for batch in first] == [8, 8, 8, 6]
    assert sorted(sum(first, [])) == list(range(30))
    assert first == again != other
    assert run(1, start_step=2) == other[2:]
    halves = [run(1, replicas=(r, 1, 2)) for r in (0, 1)]
    assert [a + b for a, b in zip(*halves)] == other


def test_kinds_of_images(data_dir):
    for config, channels in (("rgba", 3), ("grey", 1), ("jpeg", 3)):
        source = data.source(f"tfds:trees/{config}", "test", data_dir=data_dir)
        assert source.num_examples == 3  # of TFDS's own order
        row = next(iter(source.elements(None).map(source.decode)))
        assert row["images"].shape[-1] == channels
        number = round(float(row["images"][0, 0, 0]) / 3)
        assert number in range(30) and row["labels"] == number % 3
    small = source.decode(next(iter(source.elements(None))), (25, 25))
    assert small["images"].shape == (30, 25, 3)  # a quarter of 120 x 100
    batch = next(iter(data.batches(source, 3, (25, 25, 3), (0, 255), epoch=0)))
    assert batch["images"].shape == (3, 25, 25, 3)


def test_stock_sets_on_mock_data():
    with tfds.testing.mock_data(num_examples=20):
        for name in ("mnist", "cifar10", "imagenet2012", "tf_flowers"):
            source = data.source(f"tfds:{name}", "train")
            batches = list(
                data.batches(source, 8, (32, 32, 3), (-1, 1), epoch=0).take(2)
            )
            assert [batch["images"].shape[0] for batch in batches] == [8, 8]
            assert int(batches[0]["labels"].numpy().max()) < len(source.class_names)


def test_sets_that_cannot_be_used(data_dir, tmp_path, monkeypatch):
    def check(name, message, **options):
        with pytest.raises(ValueError, match=message) as caught:
            data.source(name, "train", **{"data_dir": data_dir, **options})
        assert "\n" not in str(caught.value)

    check("tfds:no_such_set", "unknown TFDS data set 'tfds:no_such_set': see https")
    check("tfds:", "'tfds:' cannot be opened: ")
    check("tfds:trees/pine", "'tfds:trees/pine' cannot be opened: .*pine")
    check("tfds:trees/no_train", "has no split 'train', only test")
    check(
        "tfds:trees/full",
        "full is not in .*: prepare it where there is a network",
        data_dir=tmp_path,
        download=False,
    )

    def no_network(self, *args, **kwargs):
        raise ConnectionError("host not found\nand more")

    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", no_network)
    check(
        "tfds:trees/full",
        r"cannot be made \(ConnectionError: host not found and more\): prepare it",
        data_dir=tmp_path,
    )
