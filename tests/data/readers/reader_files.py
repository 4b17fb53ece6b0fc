import json

import numpy as np
import pytest
from PIL import Image

ORIENTATION = 0x0112


def write_picture(path, height=20, width=30, mode="RGB", orientation=None, colour=None):
    """Writes a picture that is black but for its top left quarter."""
    path.parent.mkdir(parents=True, exist_ok=True)
    colour = colour or (200, 30, 60)
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[: height // 2, : width // 2] = colour
    image = Image.fromarray(pixels).convert(mode)
    options = {"quality": 95, "subsampling": 0} if path.suffix == ".jpg" else {}
    if orientation:
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        options["exif"] = exif
    image.save(path, **options)
    return path


def write_map(path, labels, mode="L"):
    """Writes numbers as a grey, palette or 16-bit PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if mode == "I;16":
        Image.fromarray(np.asarray(labels, np.uint16)).save(path)
        return path
    image = Image.fromarray(np.asarray(labels, np.uint8))
    if mode == "P":
        image.putpalette([value for n in range(256) for value in (n, 255 - n, n // 2)])
    image.save(path)
    return path


def write_json(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def read_all(records):
    return [records.read(index) for index in range(records.count)]


def check_keys(records):
    """Holds every record to the shapes and dtypes that `records.keys` promises."""
    for record in read_all(records):
        assert set(record) == set(records.keys)
        for key, (shape, dtype) in records.keys.items():
            value = np.asarray(record[key])
            assert value.ndim == len(shape), key
            assert all(w is None or w == n for w, n in zip(shape, value.shape)), key
            assert dtype == "str" or value.dtype == dtype, key
        sizes = {record["images"].shape[:2]}
        sizes |= {record[k].shape[-2:] for k in ("masks", "semantic") if k in record}
        assert len(sizes) == 1
        numbers = {len(record[k]) for k in ("boxes", "classes", "crowd") if k in record}
        assert len(numbers) <= 1


def assert_skipped(open_split, match, others):
    """The malformed record is left out by name, and stops the run where none may be."""
    records = open_split(max_bad_share=1.0)
    assert len(records.bad) == 1
    assert records.count == others
    assert match in records.bad[0]
    read_all(records)
    with pytest.raises(ValueError, match="more than max_bad_share=0.0%") as error:
        open_split(max_bad_share=0.0)
    assert match in str(error.value)
    assert "\n" not in str(error.value)
