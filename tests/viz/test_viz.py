import numpy as np
import pytest
from PIL import Image, ImageColor

from kcv.viz import curves, style
from kcv.viz.confusion import save_confusion
from kcv.viz.curves import save_curves
from kcv.viz.gallery import save_gallery

ROWS = [
    {
        "epoch": epoch,
        "loss": 1 / epoch,
        "validation_loss": 1.2 / epoch,
        "accuracy": 1 - 0.5 / epoch,
        "validation_accuracy": "",
        "learning_rate": 0.1 / epoch,
        "seconds": 3.0,
    }
    for epoch in range(1, 6)
]


def _pixels(path):
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


def _area(path, color):
    """Number of pixels within 3 levels of a colour."""
    distance = np.abs(_pixels(path) - ImageColor.getrgb(color)).max(axis=-1)
    return int((distance <= 3).sum())


def test_curves_have_one_panel_a_quantity(tmp_path):
    panels = curves._panels(ROWS)
    assert panels == ["loss", "accuracy", "learning_rate"]
    picture = _pixels(save_curves(ROWS, tmp_path / "curves.png"))
    assert picture.shape[1] / picture.shape[0] == pytest.approx(3 * 4.2 / 3.4, rel=0.01)


def test_curves_draw_training_and_validation(tmp_path):
    both = save_curves(ROWS, tmp_path / "both.png")
    rows = [{k: v for k, v in row.items() if "validation" not in k} for row in ROWS]
    training = save_curves(rows, tmp_path / "training.png")
    assert _area(both, style.BLUE) > 500 and _area(training, style.BLUE) > 500
    assert _area(both, style.ORANGE) > 500 and _area(training, style.ORANGE) == 0


@pytest.mark.parametrize("lower", [True, False])
def test_curves_mark_the_best_validation_value(lower, tmp_path, monkeypatch):
    """The highest accuracy and the lowest loss, whatever training says."""
    name = "loss" if lower else "accuracy"
    values = [3.0, 1.0, 2.0] if lower else [0.1, 0.9, 0.5]
    rows = [{name: 0.0, f"val_{name}": v, "epoch": i} for i, v in enumerate(values)]
    titles = []
    monkeypatch.setattr(
        "matplotlib.axes.Axes.set_title", lambda self, text, **_: titles.append(text)
    )
    save_curves(rows, tmp_path / "curves.png")
    assert titles == [name, f"best {values[1]:g}, epoch 1"]


def test_curves_of_one_epoch_and_of_text(tmp_path):
    """csv.DictReader gives texts; a single epoch is points, not lines."""
    row = {"epoch": "1", "loss": "2.5", "val_loss": "nan", "accuracy": ""}
    assert curves._panels([row]) == ["loss"]
    assert _area(save_curves([row], tmp_path / "one.png"), style.BLUE) > 50


@pytest.mark.parametrize("rows", [[], [{"epoch": 1, "loss": ""}], [{"seconds": 1.0}]])
def test_curves_of_nothing_are_refused(rows, tmp_path):
    with pytest.raises(ValueError, match="no column to draw"):
        save_curves(rows, tmp_path / "curves.png")
    assert not list(tmp_path.iterdir())


def test_gallery_enlarges_without_smoothing(tmp_path):
    """A 2 x 2 chequer stays black and white; red and blue keep their places."""
    image = np.zeros((2, 2, 3), "uint8")
    image[0, 0], image[1, 1] = (255, 0, 0), (0, 0, 255)
    picture = _pixels(save_gallery([image], ["chequer"], tmp_path / "g.png"))
    assert picture[18 + 40, 18 + 40].tolist() == [255, 0, 0]
    assert picture[18 + 120, 18 + 120].tolist() == [0, 0, 255]
    assert picture[18 + 40, 18 + 120].tolist() == [0, 0, 0]


def test_gallery_of_floats_equals_uint8(tmp_path):
    """Grey in (-1, 1), NaN black and values beyond the range clipped."""
    pixels = np.arange(256, dtype="uint8").reshape(1, 16, 16, 1)
    floats = pixels / 127.5 - 1
    floats[0, 0, 0], floats[0, -1, -1] = np.nan, 7.0
    one = save_gallery(pixels, ["a"], tmp_path / "1.png")
    two = save_gallery(floats, ["a"], tmp_path / "2.png", pixel_range=(-1, 1))
    np.testing.assert_array_equal(_pixels(one), _pixels(two))


def test_gallery_frames_say_right_and_wrong(tmp_path):
    images = np.zeros((3, 8, 8, 1), "uint8")
    path = save_gallery(images, list("abc"), tmp_path / "g.png", [True, True, False])
    frame = 160**2 - 150**2
    assert _area(path, style.GREEN) == 2 * frame
    assert frame < _area(path, style.VERMILION) < 1.25 * frame  # and the cross
    plain = save_gallery(images, list("abc"), tmp_path / "plain.png")
    assert _area(plain, style.GREEN) == _area(plain, style.VERMILION) == 0


def test_gallery_keeps_the_aspect_of_wide_pictures(tmp_path):
    white = np.full((50, 100, 3), 255, "uint8")
    picture = _pixels(save_gallery([white], ["wide"], tmp_path / "g.png"))
    column = picture[18 : 18 + 160, 18 + 80].min(axis=-1)
    assert abs((column == 255).sum() - 80) <= 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([], []), "at least one"),
        ((np.zeros((2, 4, 4, 3)), ["a"]), "2 images but 1 titles"),
        ((np.zeros((1, 4, 4, 2)), ["a"]), r"shape \(4, 4, 2\)"),
    ],
)
def test_gallery_names_wrong_input(arguments, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        save_gallery(*arguments, tmp_path / "gallery.png")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("classes", [2, 10, 100])
def test_confusion_is_blue_on_the_diagonal_and_orange_off_it(classes, tmp_path):
    right = 9 * np.eye(classes, dtype=int)
    names = [f"class {i}" for i in range(classes)]
    path = save_confusion(right, names, tmp_path / "right.png")
    assert _area(path, style.BLUE) > 3000
    wrong = np.roll(right, 1, axis=1)
    path = save_confusion(wrong, names, tmp_path / "wrong.png")
    assert _area(path, style.BLUE) == 0
    assert _area(path, "#B34A00") > 3000


def test_confusion_shows_one_mistake_of_a_thousand(tmp_path):
    matrix = 1000 * np.eye(3, dtype=int)
    clean = _pixels(save_confusion(matrix, list("abc"), tmp_path / "clean.png"))
    matrix[0, 2] = 1
    one = _pixels(save_confusion(matrix, list("abc"), tmp_path / "one.png"))
    cell = (slice(70, 150), slice(-150, -80))
    assert np.abs(clean[cell] - one[cell]).max() > 100  # the number
    assert (clean[cell] != one[cell]).any(axis=-1).mean() > 0.9  # the colour


def test_confusion_is_in_shares_of_the_truth(tmp_path):
    """The only b was taken for a: all of b is wrong, though one of 101 answers a."""
    path = save_confusion([[100, 0], [1, 0]], list("ab"), tmp_path / "b.png")
    assert _area(path, "#B34A00") > 3000


def test_confusion_of_nothing_and_of_a_class_without_examples(tmp_path):
    save_confusion(np.zeros((3, 3), int), list("abc"), tmp_path / "none.png")
    save_confusion(np.diag([5, 0, 5]), list("abc"), tmp_path / "gap.png")
    assert len(list(tmp_path.iterdir())) == 2


def test_confusion_of_a_thousand_classes_names_none(tmp_path):
    """Whatever they are called, the picture is the same."""
    matrix, pictures = np.eye(1000, dtype=int), []
    for i, name in enumerate(("a", "a much longer name")):
        path = save_confusion(matrix, [name] * 1000, tmp_path / f"{i}.png")
        pictures.append(path.read_bytes())
    assert pictures[0] == pictures[1]


@pytest.mark.parametrize("names", [["a"], ["a", "b", "c"], []])
def test_confusion_names_wrong_names(names, tmp_path):
    with pytest.raises(ValueError, match=f"{len(names)} class names"):
        save_confusion(np.eye(2), names, tmp_path / "confusion.png")


def test_pictures_are_the_same_bytes_every_time(tmp_path):
    for name in ("1.png", "2.png"):
        save_confusion(np.eye(4), list("abcd"), tmp_path / name)
    assert (tmp_path / "1.png").read_bytes() == (tmp_path / "2.png").read_bytes()


def test_failed_write_leaves_the_old_picture(tmp_path, monkeypatch):
    path = save_gallery(np.zeros((1, 4, 4, 1)), ["old"], tmp_path / "g.png")
    old = path.read_bytes()

    def full(*_, **__):
        raise OSError("No space left on device")

    monkeypatch.setattr("PIL.Image.Image.save", full)
    with pytest.raises(OSError, match="No space left"):
        save_gallery(np.ones((1, 4, 4, 1)), ["new"], path)
    assert path.read_bytes() == old
    assert [p.name for p in tmp_path.iterdir()] == ["g.png"]
