import keras
import numpy as np
import pytest

from kcv.train import checkpoint


def variables(seed=0, shape=(3, 2)):
    rng = np.random.default_rng(seed)
    return [
        keras.Variable(rng.normal(size=shape).astype("float32"), name="kernel"),
        keras.Variable(np.uint32([seed, 7]), dtype="uint32", name="seed"),
    ]


def test_round_trip_and_only_two_are_kept(tmp_path):
    for step in range(1, 5):
        checkpoint.save(tmp_path, step, variables(step), {"epoch": step, "a": [1.5]})
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["step_00000003.npz", "step_00000004.npz"]
    restored = variables(0)
    assert checkpoint.restore(tmp_path, restored) == {"epoch": 4, "a": [1.5]}
    for variable, expected in zip(restored, variables(4)):
        np.testing.assert_array_equal(variable.numpy(), expected.numpy())


def test_nothing_there(tmp_path):
    assert checkpoint.restore(tmp_path / "none", variables()) is None
    assert checkpoint.describe(tmp_path) == "no checkpoint was written yet"


@pytest.mark.parametrize("damage", ["truncate", "flip", "empty"])
def test_a_damaged_one_gives_way_to_the_one_before(tmp_path, damage):
    checkpoint.save(tmp_path, 1, variables(1), {"epoch": 1})
    path = checkpoint.save(tmp_path, 2, variables(2), {"epoch": 2})
    content = bytearray(path.read_bytes())
    if damage == "truncate":
        content = content[: len(content) // 2]
    elif damage == "flip":
        place = content.find(variables(2)[0].numpy().tobytes())
        content[place + 3] ^= 255
    else:
        content = b""
    path.write_bytes(content)
    restored = variables(0)
    assert checkpoint.restore(tmp_path, restored) == {"epoch": 1}
    np.testing.assert_array_equal(restored[0].numpy(), variables(1)[0].numpy())


def test_all_damaged_is_an_error(tmp_path):
    checkpoint.save(tmp_path, 1, variables(), {}).write_bytes(b"PK")
    with pytest.raises(checkpoint.CheckpointError, match="damaged .* no other one"):
        checkpoint.restore(tmp_path, variables())


def test_infinite_weights_are_not_saved(tmp_path):
    checkpoint.save(tmp_path, 1, variables(1), {"epoch": 1})
    bad = variables(2)
    bad[0].assign(bad[0].numpy() * np.float32(np.inf))
    with pytest.raises(
        checkpoint.CheckpointError, match="kernel is not finite at step 2"
    ):
        checkpoint.save(tmp_path, 2, bad, {})
    assert checkpoint.restore(tmp_path, variables()) == {"epoch": 1}


def test_another_shape_and_another_list_are_refused(tmp_path):
    checkpoint.save(tmp_path, 1, variables(), {})
    with pytest.raises(checkpoint.CheckpointError, match=r"kernel is \(3, 2\) there"):
        checkpoint.restore(tmp_path, variables(shape=(3, 3)))
    with pytest.raises(checkpoint.CheckpointError, match="2 variables there, 1 here"):
        checkpoint.restore(tmp_path, variables()[:1])


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(checkpoint.CheckpointError, match="cannot write .*file"):
        checkpoint.save(tmp_path / "file" / "checkpoints", 1, variables(), {})
