import pytest
from data_pictures import smooth_picture
from PIL import Image

from kcv.data import survey


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    survey._SURVEYS.clear()


@pytest.fixture
def picture():
    """A smooth picture without symmetry, uint8 (48, 64, 3)."""
    return smooth_picture(48, 64)


@pytest.fixture
def make_folder(tmp_path):
    """Writes a folder of class folders: {"class/name.ext": array or bytes}."""

    def make(files, root="pictures", **save_options):
        for name, content in files.items():
            path = tmp_path / root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, bytes):
                path.write_bytes(content)
            else:
                if not isinstance(content, Image.Image):
                    content = Image.fromarray(content)
                content.save(path, **save_options)
        return tmp_path / root

    return make
