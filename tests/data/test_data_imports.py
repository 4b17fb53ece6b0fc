"""What may be used where TensorFlow is not installed, or not worth its seconds."""

import subprocess
import sys

import pytest

from kcv import data
from kcv.data import digit_splits
from kcv.data.scenes import sprites


def test_scenes_need_no_tensorflow():
    code = (
        "import sys\n"
        "sys.modules['tensorflow'] = sys.modules['keras'] = None\n"
        "from kcv.data import scenes\n"
        "from kcv.data.scenes import views\n"
        "scene = scenes.sample(scenes.Config(), 'train', 0, 0)\n"
        "print(scenes.render(scene)['images'].shape)\n"
    )
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "(128, 128, 3)"


def test_names_are_found_and_listed():
    for name in data.__all__:
        assert getattr(data, name).__name__ == name
        assert name in dir(data)
    with pytest.raises(AttributeError, match="'kcv.data' has no attribute 'loadd'"):
        data.loadd  # noqa: B018


def test_scenes_and_digits_have_the_same_splits():
    """Or a network trained on digits would meet them again in a test on scenes."""
    for split in ("train", "validation", "test"):
        rows = {row for digit in sprites.of_split(split) for row in digit}
        assert rows == set(digit_splits.rows(split).tolist())
        _, labels = digit_splits.scans()
        found = data.labels(data.source("digits", split))
        assert sorted(found) == sorted(labels[sorted(rows)])
