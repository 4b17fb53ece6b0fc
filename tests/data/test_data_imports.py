"""What may be used where TensorFlow is not installed, or not worth its seconds."""

import subprocess
import sys

import pytest

from kcv import data


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
        data.loadd
