"""Loads mutated copies of a .tflite file, in a process that may die of it.

    python fuzz_worker.py MODEL SCRATCH FIRST_SEED COUNT

Prints "seed" before and "seed outcome" after each: "refused" (EdgeError), "equal" (the
answers are those of the unmutated file) or what else happened.
"""

import pathlib
import random
import sys

import numpy as np

import kcv.edge

MUTATIONS = ("flip", "bytes", "truncate", "splice", "zeros", "insert", "zip", "noise")


def mutate(content, seed):
    """A damaged copy of bytes, the same for a seed."""
    rng = random.Random(seed)
    kind = MUTATIONS[seed % len(MUTATIONS)]
    data, size = bytearray(content), len(content)
    start = rng.randrange(size)
    length = min(rng.choice((1, 16, 256, 4096)), size - start)
    if kind == "flip":
        for _ in range(rng.choice((1, 1, 8))):
            data[rng.randrange(size)] ^= 1 << rng.randrange(8)
    elif kind == "bytes":
        for _ in range(rng.choice((1, 20))):
            data[rng.randrange(size)] = rng.randrange(256)
    elif kind == "truncate":
        del data[start:]
    elif kind == "splice":
        data[start : start + length] = data[rng.randrange(size) :][:length]
    elif kind == "zeros":
        data[start : start + length] = bytes(length)
    elif kind == "insert":
        data[start:start] = rng.randbytes(length)
    elif kind == "zip":  # the last few hundred bytes hold the ZIP's directory
        for _ in range(rng.choice((1, 1, 3))):
            data[-rng.randrange(1, 250)] = rng.randrange(256)
    elif kind == "noise":
        data = bytearray(rng.choice((b"", content[:8])) + rng.randbytes(length))
    return bytes(data)


def main(model, scratch, first_seed, count):
    content = pathlib.Path(model).read_bytes()
    classifier = kcv.edge.load(model)
    pixels = np.random.default_rng(0).integers(0, 256, (3, *classifier.image_shape))
    pixels = pixels.astype("uint8")
    expected = classifier.probabilities(pixels)
    path = pathlib.Path(scratch) / "mutated.tflite"
    for seed in range(int(first_seed), int(first_seed) + int(count)):
        print(seed, flush=True)
        path.write_bytes(mutate(content, seed))
        try:
            found = kcv.edge.load(path).probabilities(pixels)
        except kcv.edge.EdgeError as error:
            one_line = "\n" not in str(error) and str(error).startswith(str(path))
            outcome = "refused" if one_line else f"unclear: {error!r}"
        except BaseException as error:  # the defect this program looks for
            outcome = f"raised {error!r}"
        else:
            same = np.array_equal(found, expected)
            outcome = "equal" if same else "other answers"
        print(seed, outcome, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
