"""The loop as processes: spread over devices and workers, killed, interrupted.

Every run is tests/train/run_loop.py, which prints its history and a digest of its
weights.
"""

import json
import os
import pathlib
import signal
import socket
import time

import numpy as np
import programs
import pytest

SCRIPT = pathlib.Path(__file__).with_name("run_loop.py")
# Replicas add the same numbers in another order: float32 keeps six digits of that.
TOLERANCE = 1e-5

pytestmark = pytest.mark.slow


def start(folder, env=None, **options):
    arguments = [f"{key}={value}" for key, value in options.items()]
    return programs.Program(
        [SCRIPT, folder, *arguments], env={**os.environ, **(env or {})}
    )


def result(process, code=0):
    """The JSON line of a process that must end with `code`."""
    out, err = process.communicate(timeout=240)
    assert process.returncode == code, err[-3000:]
    return json.loads(out.splitlines()[-1]) if out.strip() else None


def run(folder, code=0, **options):
    return result(start(folder, **options), code)


def workers(folder, **options):
    """Starts two workers that talk over loopback."""
    sockets = [socket.socket() for _ in range(2)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    addresses = [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]
    for each in sockets:
        each.close()
    tasks = [{"type": "worker", "index": index} for index in range(2)]
    configs = [
        json.dumps({"cluster": {"worker": addresses}, "task": task}) for task in tasks
    ]
    return [
        start(folder, {"TF_CONFIG": config}, strategy="multi_worker", **options)
        for config in configs
    ]


def assert_same_curve(actual, expected):
    assert len(actual["history"]) == len(expected["history"])
    for row, other in zip(actual["history"], expected["history"]):
        assert row.keys() == other.keys()
        for name in row:
            np.testing.assert_allclose(row[name], other[name], TOLERANCE, err_msg=name)
    np.testing.assert_allclose(actual["total"], expected["total"], TOLERANCE)


@pytest.fixture(scope="module")
def single(tmp_path_factory):
    return run(tmp_path_factory.mktemp("single"))


@pytest.mark.parametrize("devices", [2, 4])
def test_several_devices_equal_one(single, tmp_path, devices):
    """Batch norm, weight decay, an L2 penalty and batches that do not divide evenly."""
    spread = run(tmp_path, strategy="mirrored", devices=devices)
    assert_same_curve(spread, single)
    assert spread["digest"] != single["digest"]  # or nothing was spread


def test_clipping_is_of_the_whole_gradient(tmp_path):
    expected = run(tmp_path / "one", clip_norm=0.3)
    spread = run(tmp_path / "two", clip_norm=0.3, strategy="mirrored", devices=2)
    assert_same_curve(spread, expected)


def test_two_workers_equal_one_process(single, tmp_path):
    processes = workers(tmp_path)
    answers = [result(process) for process in processes]
    assert_same_curve(answers[0], single)
    assert answers[1] is None  # only the first writes
    assert sorted(p.name for p in (tmp_path / "checkpoints").iterdir()) == [
        "step_00000009.npz",
        "step_00000010.npz",
    ]


def test_a_killed_worker_ends_the_other_and_both_go_on(single, tmp_path):
    first, second = workers(tmp_path, die_at=7, die_rank=1)
    second.wait(timeout=240)
    assert second.returncode == -signal.SIGKILL
    died = time.monotonic()
    answer = result(first, code=1)
    assert time.monotonic() - died < 60  # TensorFlow's heartbeat needs about 10 s
    assert "another worker is gone (epoch 2, step 3)" in answer["error"]
    assert "step_00000007.npz" in answer["error"]
    answers = [result(process) for process in workers(tmp_path)]
    assert_same_curve(answers[0], single)


def test_kill_9_within_an_epoch_costs_nothing(tmp_path):
    """Bit-equal weights, with dropout and Adam, whose states must come back as well."""
    options = {"dropout": 0.5, "optimizer": "adam", "rate": 0.01, "epochs": 3}
    expected = run(tmp_path / "whole", **options)
    for step in (3, 10, 13):  # within an epoch, at the end of one, within the last
        process = start(tmp_path / "killed", die_at=step, **options)
        process.wait(timeout=240)
        assert process.returncode == -signal.SIGKILL
    resumed = run(tmp_path / "killed", **options)
    assert resumed["digest"] == expected["digest"]
    assert resumed["history"] == expected["history"]


def test_interrupt_saves_and_goes_on(tmp_path):
    expected = run(tmp_path / "whole", dropout=0.5)
    process = start(
        tmp_path / "stopped", dropout=0.5, pause=1.0, checkpoint_seconds=1e9
    )
    while not list((tmp_path / "stopped").glob("**/*.npz")):  # the first epoch's
        assert process.poll() is None
        time.sleep(0.1)
    time.sleep(1.5)
    process.send_signal(signal.SIGINT)
    answer = result(process, code=130)
    assert answer["kind"] == "Interrupted"
    assert "the same command goes on from here" in answer["error"]
    assert "epoch 2" in answer["error"]
    resumed = run(tmp_path / "stopped", dropout=0.5)
    assert resumed["digest"] == expected["digest"]


def test_a_loss_that_is_not_a_number_stops(tmp_path):
    answer = run(tmp_path, code=1, poison=6)
    assert answer["kind"] == "TrainingError"
    assert "the loss was inf at step 7" in answer["error"]
    assert "learning rate 0.079" in answer["error"]
    assert "the last good checkpoint is" in answer["error"]
    assert "step_00000006.npz" in answer["error"]


def test_a_loss_that_explodes_stops(tmp_path):
    answer = run(tmp_path, code=1, optimizer="sgd", rate=3e4)
    assert answer["kind"] in ("TrainingError", "CheckpointError")
    assert "step" in answer["error"]


def test_full_disk_keeps_the_last_checkpoint(tmp_path):
    """A file-size limit below a checkpoint's size is the disk that fills up."""
    run(tmp_path, epochs=1)
    before = {p.name: p.read_bytes() for p in (tmp_path / "checkpoints").iterdir()}

    answer = run(tmp_path, code=1, file_bytes=2000)
    assert answer["kind"] == "CheckpointError"
    assert "File too large" in answer["error"]
    assert "the last good checkpoint is" in answer["error"]
    after = {p.name: p.read_bytes() for p in (tmp_path / "checkpoints").iterdir()}
    assert after == before
