import os
import pathlib
import signal
import time

import programs
import pytest

from kcv.data import scenes_shards, scenes_tfds

COUNTS = {"train": 300, "validation": 30, "test": 30}
PROGRAM = f"""
import sys
from kcv.data import scenes_shards, scenes_tfds
scenes_shards.RECORDS, scenes_shards._WORTH = 30, 1
config = scenes_tfds.scene_config("detection_64", counts={COUNTS})
scenes_tfds.Scenes(config=config, data_dir=sys.argv[1]).download_and_prepare()
"""


def wait_for(condition, seconds=90):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)


def children(pid):
    path = pathlib.Path(f"/proc/{pid}/task")
    found = [(task / "children").read_text().split() for task in path.iterdir()]
    return [int(child) for task in found for child in task]


def is_running(pid):
    try:  # of a process that ended but was not waited for it is empty
        return bool(pathlib.Path(f"/proc/{pid}/cmdline").read_bytes())
    except FileNotFoundError:
        return False


@pytest.mark.slow
@pytest.mark.skipif(not pathlib.Path("/proc/self/task").exists(), reason="no /proc")
def test_killed_in_the_middle_and_continued(tmp_path, monkeypatch):
    monkeypatch.setattr(scenes_shards, "RECORDS", 30)
    config = scenes_tfds.scene_config("detection_64", counts=COUNTS)
    builder = scenes_tfds.Scenes(config=config, data_dir=tmp_path)
    folder = pathlib.Path(builder.data_dir)
    partial = scenes_tfds._partial(folder)
    program = programs.Program(["-c", PROGRAM, tmp_path])
    wait_for(lambda: len(list(partial.glob("scenes-*"))) >= 2)
    workers = children(program.pid)
    os.kill(program.pid, signal.SIGKILL)
    assert program.wait() == -signal.SIGKILL and len(workers) > 1
    wait_for(lambda: not any(map(is_running, workers)), 20)

    complete = {path.name: path.stat() for path in partial.glob("scenes-*")}
    assert 2 <= len(complete) < 12 and not builder.is_prepared()
    builder.download_and_prepare()
    for name, before in complete.items():
        after = (folder / name).stat()
        assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    whole = scenes_tfds.Scenes(config=config, data_dir=tmp_path / "whole")
    whole.download_and_prepare()
    names = sorted(
        path.name for path in pathlib.Path(whole.data_dir).glob("*array_record*")
    )
    assert len(names) == 12
    for name in names:
        drawn, expected = folder / name, pathlib.Path(whole.data_dir, name)
        assert drawn.read_bytes() == expected.read_bytes(), name
    left = [path.name for path in folder.iterdir()]
    assert not [name for name in left if name.startswith(".")]
