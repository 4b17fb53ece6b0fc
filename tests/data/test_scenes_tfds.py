import socket
import threading

import numpy as np
import pytest
import tensorflow_datasets as tfds

from kcv.data import scenes_shards, scenes_source, scenes_tfds
from kcv.data.scenes import Config, views

COUNTS = {"train": 12, "validation": 2, "test": 3}


@pytest.fixture(autouse=True)
def small_files(monkeypatch):
    monkeypatch.setattr(scenes_shards, "RECORDS", 5)
    monkeypatch.setattr(scenes_shards, "_WORTH", 10**9)  # all in this process


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*args):
        raise AssertionError(f"tried to connect: {args}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def small(folder, setting="detection_64", **options):
    config = scenes_tfds.scene_config(setting, counts=COUNTS, **options)
    return scenes_tfds.Scenes(config=config, data_dir=folder)


def contents(builder):
    shards = builder.data_path.glob("*array_record*")
    return {path.name: path.read_bytes() for path in shards}


def test_builders_are_found_by_name(tmp_path):
    builder = tfds.builder("scenes/pose_hard_256", data_dir=tmp_path)
    assert builder.info.features["images"].shape == (256, 256, 3)
    assert builder.info.features["keypoints"].shape == (None, 14, 3)
    assert tfds.builder("scenes", data_dir=tmp_path).builder_config.name == "detection"
    assert set(scenes_tfds.Scenes.builder_configs) == set(views.SETTINGS)


@pytest.mark.parametrize("setting", ["detection_64", "questions_64", "flow_64"])
def test_files_have_what_is_drawn(tmp_path, no_network, setting):
    builder = small(tmp_path, setting)
    builder.download_and_prepare()
    assert {n: s.num_examples for n, s in builder.info.splits.items()} == COUNTS
    config = builder.builder_config
    for split, count in COUNTS.items():
        stored = builder.as_data_source(split)
        assert len(stored) == count
        for index in (count - 1, 0):
            drawn = views.record(config.view, config.scenes, split, 0, index)
            for key, value in stored[index].items():
                if isinstance(drawn[key], str):
                    value = value.decode()
                elif np.asarray(drawn[key]).dtype == object:
                    value = [text.decode() for text in value]
                np.testing.assert_array_equal(value, drawn[key], key)


def test_tf_data_reads_every_record_once(tmp_path, monkeypatch):
    import tensorflow as tf

    builder = small(tmp_path, "attributes_64")
    builder.download_and_prepare()

    def labels(**options):
        data = builder.as_dataset(**options)
        return [int(row["labels"]) for row in data.as_numpy_iterator()]

    plain = labels(split="train")
    assert plain == [row["labels"] for row in builder.as_data_source("train")]
    assert labels(split="train[50%:]") == plain[6:]
    config = tfds.ReadConfig(shuffle_seed=1)
    mixed = labels(split="train", shuffle_files=True, read_config=config)
    assert mixed != plain and sorted(mixed) == sorted(plain)
    shares = []
    for i in (0, 1):
        config = tfds.ReadConfig(input_context=tf.distribute.InputContext(2, i))
        shares += labels(split="train", read_config=config)
    assert sorted(shares) == sorted(plain)
    part = tfds.decode.PartialDecoding({"images": True})
    assert set(builder.as_dataset(split="test", decoders=part).element_spec) == {
        "images"
    }
    monkeypatch.setattr(scenes_shards, "RECORDS", 250)
    data = tfds.load(
        "scenes/pairs_real", split="test", data_dir=tmp_path, as_supervised=True
    )
    assert len(data) == views.VIEWS["pairs_real"].counts["test"]
    image, label = next(iter(builder.as_dataset(split="test", as_supervised=True)))
    assert image.shape == (64, 64, 3) and label.shape == ()


def test_the_same_numbers_give_the_same_bytes(tmp_path):
    builders = [small(tmp_path / "a"), small(tmp_path / "b")]
    builders += [small(tmp_path / "a", seed=1)]
    for builder in builders:
        builder.download_and_prepare()
    first, second, other = map(contents, builders)
    assert len(first) == 3 + 1 + 1 and first == second
    assert set(first) == set(other) and not set(first.values()) & set(other.values())


def test_a_stopped_run_is_continued(tmp_path, monkeypatch):
    builder, written = small(tmp_path), []
    write = scenes_shards.write

    def stop_after_two(shard, drawn):
        if len(written) == 2:
            raise KeyboardInterrupt
        write(shard, drawn)
        written.append(shard.path)

    monkeypatch.setattr(scenes_shards, "write", stop_after_two)
    with pytest.raises(KeyboardInterrupt):
        builder.download_and_prepare()
    assert not builder.is_prepared() and not builder.data_path.exists()
    monkeypatch.setattr(
        scenes_shards, "write", lambda *job: (write(*job), written.append(job[0].path))
    )
    partial = scenes_tfds._partial(builder.data_path)
    (partial / ".1.scenes-train.array_record-00002-of-00003").write_bytes(b"half")
    small(tmp_path).download_and_prepare()
    assert len(written) == len(set(written)) == 5
    whole = small(tmp_path / "other")
    whole.download_and_prepare()
    assert contents(builder) == contents(whole)
    left = [path.name for path in builder.data_path.iterdir()]
    assert not [name for name in left if name.startswith(".")]


def test_two_at_once_draw_once(tmp_path, monkeypatch):
    write, written = scenes_shards.write, []
    monkeypatch.setattr(
        scenes_shards, "write", lambda *job: (write(*job), written.append(job[0].path))
    )
    builders = [small(tmp_path), small(tmp_path)]
    threads = [threading.Thread(target=b.download_and_prepare) for b in builders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(written) == 5
    assert [len(b.as_data_source("train")) for b in builders] == [12, 12]


def test_drawing_anew_replaces_the_files(tmp_path):
    builder = small(tmp_path, "pairs_synthetic")
    builder.download_and_prepare()
    before = contents(builder)
    path = next(builder.data_path.glob("*train*00000*"))
    path.write_bytes(b"broken")
    builder.download_and_prepare()
    assert path.read_bytes() == b"broken"
    mode = tfds.GenerateMode.REUSE_CACHE_IF_EXISTS
    config = tfds.download.DownloadConfig(download_mode=mode)
    builder.download_and_prepare(download_config=config)
    assert contents(builder) == before


def test_another_generator_has_other_files(monkeypatch):
    before = scenes_tfds.scene_config("flow")
    monkeypatch.setattr(views, "GENERATOR", views.GENERATOR + 1)
    after = scenes_tfds.scene_config("flow")
    assert before.name == after.name and before.version != after.version
    assert scenes_tfds.scene_config("flow", seed=1).name != after.name
    other = scenes_tfds.scene_config("flow", scenes=Config(noise=0.0))
    assert other.version != after.version and other.name != after.name


def test_a_process_that_fails_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(scenes_shards, "_WORTH", 1)
    monkeypatch.setattr(scenes_shards, "_COMMAND", "raise OSError('disk is full')")
    with pytest.raises(OSError, match="drawing .* failed .*: OSError: disk is full"):
        small(tmp_path).download_and_prepare()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"setting": "poses"}, "unknown scenes 'poses': VIEW"),
        ({"counts": {"trains": 3}}, "counts has 'trains': 3; train, validation"),
        ({"counts": {"train": 0}}, "counts has 'train': 0"),
    ],
)
def test_impossible_configs_are_told(options, message):
    with pytest.raises(ValueError, match=message):
        scenes_tfds.scene_config(**options)


def test_other_formats_are_refused(tmp_path):
    with pytest.raises(ValueError, match="stored as array_record, not as tfrecord"):
        small(tmp_path).download_and_prepare(file_format="tfrecord")


def test_a_source_reads_what_it_would_draw(tmp_path, monkeypatch, no_network):
    monkeypatch.setattr(scenes_shards, "RECORDS", 250)
    name = "scenes/pairs_real"
    stored = scenes_source.open_split(name, "test", data_dir=tmp_path)
    drawn = scenes_source.open_split(name, "test", draw=True)
    assert stored.count == drawn.count == views.VIEWS["pairs_real"].counts["test"]
    assert stored[3:] == drawn[3:]  # keys, classes, fingerprint
    for index in (0, 99, stored.count - 1):
        first, second = stored.read(index), drawn.read(index)
        assert first["labels"] == second["labels"]
        np.testing.assert_array_equal(first["images"], second["images"])
        first["images"][0] = 0  # may be written to
    fewer = scenes_source.open_split(name, "test", data_dir=tmp_path, count=7)
    assert fewer.count == 7 and fewer.fingerprint != stored.fingerprint

    view = views.VIEWS["pairs_real"]

    def changed(*arguments):
        record = view.read(*arguments)
        return record | {"images": 255 - record["images"]}

    monkeypatch.setitem(views.VIEWS, "pairs_real", view._replace(read=changed))
    with pytest.raises(ValueError, match="drawn by another version of kcv.data.scenes"):
        scenes_source.open_split(name, "test", data_dir=tmp_path)


def test_more_records_than_usual_are_drawn(tmp_path, monkeypatch):
    view = views.VIEWS["pairs_synthetic"]._replace(counts=COUNTS)
    monkeypatch.setitem(views.VIEWS, "pairs_synthetic", view)
    records = scenes_source.open_split(
        "scenes/pairs_synthetic", "train", data_dir=tmp_path, count=20
    )
    assert records.count == 20
    labels = {int(records.read(index)["labels"]) for index in range(20)}
    assert len(labels) > 3


def test_drawing_needs_no_files_and_has_no_end():
    records = scenes_source.open_split(
        "scenes/captions_64", "train", 5, "/no", 10, True
    )
    assert records.count == 10 and len(records.read(10**7)["captions"]) == 5
    other = scenes_source.open_split("scenes/captions_64", "train", 6, draw=True)
    assert not np.array_equal(records.read(0)["images"], other.read(0)["images"])
    plain = Config(height=64, width=48, backgrounds=("gradient",))
    own = scenes_source.open_split("scenes/depth", "test", draw=True, scenes=plain)
    assert own.read(0)["depth"].shape == own.keys["depth"][0] == (64, 48, 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("scenes/detections", "train"), "unknown scenes 'detections'"),
        (("scenes/detection", "val"), "split 'val' is not one of train"),
        (("scenes/pairs_real", "test", 0, None, 9999), "digits in test, not count"),
        (("scenes/detection", "test", 0, None, 0), "needs a count of 1 or more, not 0"),
    ],
)
def test_impossible_sources_are_told(arguments, message):
    with pytest.raises(ValueError, match=message):
        scenes_source.open_split(*arguments)
