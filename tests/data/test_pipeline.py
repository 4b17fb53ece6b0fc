import hypothesis
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies as st

from kcv import data
from kcv.data import shares, sources

GEOMETRY = data.Augment(rotate=20, zoom=0.2, translate=0.1)
MIX = data.Augment(mixup=0.4, cutmix=1.0)


def tiny_source(num_examples, stream=False):
    """Images that tell their number: pixel = number, label = number % 7."""
    number = np.arange(num_examples)
    images = np.broadcast_to(
        number[:, None, None, None].astype(np.uint8), (num_examples, 4, 5, 1)
    )
    source = sources.source_in_memory(
        "tiny",
        {"images": images, "labels": (number % 7).astype(np.int32)},
        lambda record, size=None: record,
        [str(name) for name in range(7)],
        "0",
    )
    return source._replace(records=None) if stream else source


def run(source, batch_size, **options):
    options = {"image_shape": (4, 5, 1), "pixel_range": (0, 255), **options}
    dataset = data.batches(source, batch_size, **options)
    batches = [
        {name: rows.numpy() for name, rows in batch.items()} for batch in dataset
    ]
    assert len(batches) == dataset.cardinality()
    return batches


def numbers(batches):
    return [batch["images"][:, 0, 0, 0].astype(int).tolist() for batch in batches]


def assert_equal(batches, expected):
    assert len(batches) == len(expected)
    for batch, other in zip(batches, expected):
        assert batch.keys() == other.keys()
        for name in batch:
            np.testing.assert_array_equal(batch[name], other[name])


def test_natural_order_and_values():
    batches = run(tiny_source(7), 3)
    assert numbers(batches) == [[0, 1, 2], [3, 4, 5], [6]]
    assert batches[2]["labels"].tolist() == [6]
    assert batches[0]["images"].dtype == np.float32
    assert batches[0]["labels"].dtype == np.int32


@pytest.mark.parametrize("stream", [False, True])
def test_labels_of_all_examples(stream):
    assert data.labels(tiny_source(9, stream)).tolist() == [0, 1, 2, 3, 4, 5, 6, 0, 1]


def test_pixel_range():
    batches = run(tiny_source(256), 256, pixel_range=(-1, 1))
    pixels = batches[0]["images"][:, 0, 0, 0]
    assert pixels[0] == -1 and pixels[255] == pytest.approx(1)
    np.testing.assert_allclose(pixels, np.arange(256) / 127.5 - 1, atol=1e-6)


@pytest.mark.parametrize("stream", [False, True])
def test_epochs_are_permutations_that_differ(stream):
    source = tiny_source(30, stream)
    orders = [sum(numbers(run(source, 8, epoch=epoch)), []) for epoch in (0, 1, 0)]
    assert sorted(orders[0]) == list(range(30))
    assert orders[0] != list(range(30))
    assert orders[0] != orders[1]
    assert orders[0] == orders[2]
    assert orders[0] != sum(numbers(run(source, 8, epoch=0, seed=1)), [])


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("epoch", [None, 2])
def test_start_step_gives_the_rest(stream, epoch):
    source = tiny_source(23, stream)
    whole = run(source, 5, epoch=epoch, augment=MIX)
    for start in range(6):
        rest = run(source, 5, epoch=epoch, start_step=start, augment=MIX)
        assert_equal(rest, whole[start:])
    rows = tiny_source(21, stream)  # the last batch has 6 rows
    whole = run(rows, 5, epoch=epoch, augment=MIX)
    assert_equal(run(rows, 5, epoch=epoch, start_step=2, augment=MIX), whole[2:])


@pytest.mark.parametrize(
    ("num_examples", "batch_size", "splits", "start", "stream", "mixed"),
    [
        (15, 8, [1, 1, 1], 0, False, True),  # with pairs the last part is larger
        (13, 12, [1, 3], 0, True, False),  # one batch of 13
        (26, 12, [1, 3], 0, True, True),  # 12 and 14
        (16, 12, [1, 3], 0, True, False),  # 12 and 4: a row each
        (11, 5, [2, 1], 1, True, True),
    ],
)
def test_replicas_make_up_the_batch(
    num_examples, batch_size, splits, start, stream, mixed
):
    """Workers with 1 to 3 replicas each; their rows in turn are the global batch."""
    check_replicas(num_examples, batch_size, splits, start, stream, mixed)


@pytest.mark.slow
@hypothesis.settings(max_examples=30, deadline=None)
@hypothesis.given(
    num_examples=st.integers(1, 40),
    batch_size=st.integers(1, 12),
    splits=st.lists(st.integers(1, 3), min_size=1, max_size=3),
    start=st.integers(0, 3),
    stream=st.booleans(),
    mixed=st.booleans(),
)
def test_any_replicas_make_up_the_batch(**case):
    steps = shares.num_steps(case["num_examples"], case["batch_size"])
    last_size = case["num_examples"] - (steps - 1) * case["batch_size"]
    hypothesis.assume(min(case["batch_size"], last_size) >= sum(case["splits"]))
    check_replicas(**case)


def check_replicas(num_examples, batch_size, splits, start, stream, mixed):
    source = tiny_source(num_examples, stream)
    steps = data.num_steps(source, batch_size)
    options = {
        "epoch": 3,
        "start_step": min(start, steps),
        "augment": MIX if mixed else None,
    }
    whole = run(source, batch_size, **options)
    total = sum(splits)
    firsts = np.cumsum([0, *splits[:-1]])
    workers = [
        run(source, batch_size, replicas=(int(first), count, total), **options)
        for first, count in zip(firsts, splits)
    ]
    for step, expected in enumerate(whole):
        parts = [
            batch
            for worker, count in zip(workers, splits)
            for batch in worker[step * count : (step + 1) * count]
        ]
        rows = np.array_split(expected["images"], total)
        assert [len(part["images"]) for part in parts] == [len(row) for row in rows]
        for name in expected:
            joined = np.concatenate([part[name] for part in parts])
            np.testing.assert_array_equal(joined, expected[name])
            assert joined.dtype == expected[name].dtype


def test_shares_are_those_of_array_split():
    for size in range(12):
        rows = np.array_split(np.arange(size), 5)
        for first in range(5):
            share = shares.share_of(size, (first, 1, 5))
            assert list(range(share.start, share.stop)) == rows[first].tolist()


def test_a_replica_without_an_image_is_an_error():
    with pytest.raises(ValueError, match="leave one of 4 replicas without an image"):
        run(tiny_source(5), 2, replicas=(2, 2, 4))


def test_what_is_left_over():
    """13 = 8 + 5; 17 = 8 + 9: one row is less than a quarter of 8; 18 = 8 + 8 + 2."""
    for num_examples, sizes in {3: [3], 13: [8, 5], 17: [8, 9], 18: [8, 8, 2]}.items():
        for stream in (False, True):
            batches = run(tiny_source(num_examples, stream), 8, epoch=0)
            assert [len(batch["images"]) for batch in batches] == sizes
            rows = np.concatenate([batch["images"] for batch in batches])
            assert len(np.unique(rows[:, 0, 0])) == num_examples


@pytest.mark.parametrize("cache_bytes", [0, 2**20])
def test_augmented_pixels_are_the_same_anywhere(cache_bytes):
    """Digits, turned and blended: resumed, and on 3 replicas of 2 workers."""
    augment = GEOMETRY._replace(mixup=0.3, contrast=0.3, crop_scale=0.5)
    if cache_bytes:
        augment = augment._replace(crop_scale=0.0)
    source = data.source("digits", "validation")
    options = {
        "image_shape": (20, 24, 1),
        "pixel_range": (-1, 1),
        "augment": augment,
        "epoch": 1,
        "cache_bytes": cache_bytes,
    }
    whole = run(source, 33, **options)
    assert_equal(run(source, 33, start_step=2, **options), whole[2:])
    first = run(source, 33, replicas=(0, 1, 3), **options)
    others = run(source, 33, replicas=(1, 2, 3), **options)
    for step, expected in enumerate(whole):
        parts = [first[step], others[2 * step], others[2 * step + 1]]
        for name in expected:
            joined = np.concatenate([part[name] for part in parts])
            np.testing.assert_array_equal(joined, expected[name])


def test_rows_of_others_are_not_decoded():
    decoded = []

    def decode(record, size=None):
        def note(number):
            decoded.append(int(number))
            return np.int32(number)

        label = tf.numpy_function(note, [record["images"][0, 0, 0]], tf.int32)
        return {"images": record["images"], "labels": tf.ensure_shape(label, ())}

    for stream in (False, True):
        decoded.clear()
        source = tiny_source(20, stream)._replace(decode=decode)
        run(source, 8, start_step=1, replicas=(1, 1, 2), cache_bytes=0)
        assert sorted(decoded) == [12, 13, 14, 15, 18, 19]


def test_small_sources_are_decoded_once():
    calls = []

    def decode(record, size=None):
        def note(image):
            calls.append(1)
            return image

        image = tf.numpy_function(note, [record["images"]], tf.uint8)
        return {"images": tf.ensure_shape(image, (4, 5, 1)), "labels": record["labels"]}

    source = tiny_source(10)._replace(decode=decode)
    first, second = run(source, 4, epoch=0), run(source, 4, epoch=1)
    assert len(calls) == 10
    assert sorted(sum(numbers(first), [])) == sorted(sum(numbers(second), []))
    run(source, 4, epoch=1, cache_bytes=10 * 20 - 1)  # a byte too large to keep
    assert len(calls) == 20


def test_no_augmentation_without_an_epoch():
    source = data.source("digits", "validation")
    plain = run(source, 50, image_shape=(64, 64, 1))
    assert_equal(
        run(source, 50, image_shape=(64, 64, 1), augment=data.Augment(flip=True)), plain
    )


def test_distribute_datasets_from_function():
    """What the training loop does: two logical replicas see the halves in turn."""
    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    source = tiny_source(7)
    dataset = strategy.distribute_datasets_from_function(
        lambda _: data.batches(source, 4, (4, 5, 1), (0, 255))
    )
    seen = [batch["images"][:, 0, 0, 0].numpy().tolist() for batch in dataset]
    assert seen == [[0, 1, 2, 3], [4, 5, 6]]


def test_data_service_gives_every_image_once():
    service = tf.data.experimental.service
    dispatcher = service.DispatchServer()
    address = dispatcher.target.split("://")[1]
    workers = [
        service.WorkerServer(service.WorkerConfig(dispatcher_address=address))
        for _ in range(2)
    ]
    source = tiny_source(23)
    batches = run(source, 5, epoch=0, service=dispatcher.target)
    assert [len(batch["labels"]) for batch in batches] == [5, 5, 5, 5, 3]
    assert sorted(sum(numbers(batches), [])) == list(range(23))
    with pytest.raises(ValueError, match="tiny is a stream"):
        run(tiny_source(5, stream=True), 5, service=dispatcher.target)
    del workers


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size 0"),
        ({"image_shape": (4, 5)}, r"image_shape \(4, 5\)"),
        ({"image_shape": (4, 5, 2)}, r"image_shape \(4, 5, 2\)"),
        ({"pixel_range": (1, 1)}, r"pixel_range \(1, 1\)"),
        ({"start_step": 3}, r"start_step 3 is not within 0\.\.2"),
        ({"replicas": (1, 2, 2)}, r"replicas \(1, 2, 2\)"),
        ({"augment": data.Augment(zoom=1.0), "epoch": 0}, "zoom=1.0 is not within"),
        ({"augment": data.Augment(fill="wrap"), "epoch": 0}, "fill='wrap' is not"),
    ],
)
def test_arguments_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        run(tiny_source(7), **{"batch_size": 4, **options})
