"""Draws the files of a data set of scenes, each in one piece, in several processes.

A file is complete or not there, so that a run that was killed loses no more than those
being written. The processes are started afresh: a process that has started TensorFlow's
threads cannot be copied safely, and `multiprocessing` would run the user's script again
where it has no `if __name__ == "__main__"`.
"""

import concurrent.futures
import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow_datasets as tfds
from array_record.python import array_record_module
from tensorflow_datasets.core import example_serializer

from kcv import files
from kcv.data.scenes import views
from kcv.data.scenes.config import Config

RECORDS = 250  # in a file
_WORTH = 500  # records that make up for the seconds that another process needs to start
_COMMAND = "from kcv.data import scenes_shards; scenes_shards.main()"


class Shard(NamedTuple):
    """One file.

    Parameters:
        view: A key of `views.VIEWS`.
        config: Of its scenes.
        split: "train", "validation" or "test".
        seed: Of the data set.
        start: Index of the first record.
        stop: One more than that of the last.
        path: Of the file.
    """

    view: str
    config: Config
    split: str
    seed: int
    start: int
    stop: int
    path: str


def features(view: str, config: Config):
    """Returns the `tfds.features.FeaturesDict` of a view's records.

    Arrays are stored as they are; array_record compresses them.
    """
    found = {}
    for key, (shape, dtype) in views.keys(view, config).items():
        if dtype == "str":
            found[key] = tfds.features.Tensor(shape=shape, dtype=np.str_)
        else:
            encoding = "bytes" if shape else "none"
            found[key] = tfds.features.Tensor(
                shape=shape, dtype=np.dtype(dtype), encoding=encoding
            )
    return tfds.features.FeaturesDict(found)


def write(shard: Shard, drawn: Callable) -> None:
    """Draws one file; calls `drawn(1)` after every record."""
    spec = features(shard.view, shard.config)
    serializer = example_serializer.ExampleSerializer(spec.get_serialized_info())
    with files.replacing(shard.path) as hidden:
        writer = array_record_module.ArrayRecordWriter(str(hidden), "group_size:1")
        for index in range(shard.start, shard.stop):
            record = views.record(*shard[:4], index)
            example = serializer.get_tf_example(spec.encode_example(record))
            # Or the order of the keys would differ from process to process.
            writer.write(example.SerializeToString(deterministic=True))
            drawn(1)
        writer.close()


def write_all(shards: Sequence[Shard], drawn: Callable, processes=None) -> None:
    """Draws files in as many processes as pay.

    Args:
        shards: What to draw.
        drawn: `drawn(n)` is called, from any thread, after every n records.
        processes: How many at most; by default one a CPU core.

    Raises:
        OSError: A process failed; the files that are complete stay.
    """
    total = sum(shard.stop - shard.start for shard in shards)
    processes = min(processes or os.cpu_count(), total // _WORTH, len(shards))
    if processes < 2:
        for shard in shards:
            write(shard, drawn)
        return
    with concurrent.futures.ThreadPoolExecutor(processes) as pool:
        parts = [shards[i::processes] for i in range(processes)]
        for done in [pool.submit(_in_process, part, drawn) for part in parts]:
            done.result()


def _in_process(shards, drawn):
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "OMP_NUM_THREADS": "1",  # there is a process for each core already
        "CUDA_VISIBLE_DEVICES": "-1",
    }
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            [sys.executable, "-c", _COMMAND],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=environment,
        )
        with process:
            process.stdin.write(pickle.dumps(shards))
            process.stdin.close()
            while process.stdout.read(1):
                drawn(1)
        if process.returncode:
            errors.seek(0)
            lines = errors.read().decode(errors="replace").strip().splitlines()
            raise OSError(
                f"drawing {os.path.dirname(shards[0].path)} failed (exit status"
                f" {process.returncode}): {lines[-1] if lines else 'no message'}"
            )


def main() -> None:
    """Draws the shards that are given, pickled, on standard input.

    Writes a byte per record to standard output. When nobody reads them any more,
    because the process that started this one was killed, writing fails and this ends.
    """
    shards = pickle.load(sys.stdin.buffer)

    def drawn(count):
        os.write(1, b"." * count)

    for shard in shards:
        write(shard, drawn)
