"""The training script as people run it, errors included."""

import csv
import json
import pathlib

import numpy as np
import programs
import pytest
from PIL import Image
from script_calls import several

pytestmark = pytest.mark.slow
LENET = ["--model=lenet5", "--data=digits"]


def run(*flags, code=0, script="train_classifier"):
    process = programs.tool(script, *flags)
    assert process.returncode == code, process.stderr[-3000:]
    return process


def error_line(process):
    lines = [x for x in process.stderr.splitlines() if x.startswith("error: ")]
    assert len(lines) == 1
    return lines[0]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Two classes of colours in 24 pictures of three formats, and one broken file."""
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for index in range(48):
        name = ("red apples", "blått")[index % 2]
        (folder / name).mkdir(exist_ok=True)
        pixels = rng.integers(0, 100, (40, 50, 3), dtype=np.uint8)
        pixels[..., 0 if index % 2 == 0 else 2] += 150
        suffix = ("jpg", "png", "webp")[index % 3]
        Image.fromarray(pixels).save(folder / name / f"{index}.{suffix}")
    (folder / "blått" / "broken.jpg").write_bytes(b"\xff\xd8 no picture")
    return folder


@pytest.fixture(scope="module")
def digits_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "digits"
    flags = ["--model=mlp", "--data=digits", "--epochs=12", f"--output_dir={folder}"]
    flags += ["--learning_rate=3e-3"]
    return folder, flags, run(*flags)


def test_digits_leave_everything_behind(digits_run):
    folder, _, process = digits_run
    names = {path.name for path in folder.iterdir()}
    assert names == {
        *("model.keras", "metrics.json", "history.csv", "recipe.json"),
        *("curves.png", "samples.png", "confusion.png", "checkpoints", "tensorboard"),
    }
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["test"]["accuracy"] > 0.85 > 3 * metrics["test"]["majority_accuracy"]
    assert f"test accuracy {metrics['test']['accuracy']:.4f}" in process.stdout
    assert metrics["labels"] == list("0123456789")
    assert metrics["flags"]["optimizer"] == "adam"
    assert metrics["versions"]["keras"]
    with open(folder / "history.csv") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == [str(n + 1) for n in range(12)]
    assert float(rows[-1]["validation_loss"]) < float(rows[0]["validation_loss"])
    for name in ("curves", "samples", "confusion"):
        assert min(Image.open(folder / f"{name}.png").size) > 200
    assert list((folder / "tensorboard" / "all").glob("events.*"))


def test_a_finished_run_is_not_trained_again(digits_run):
    folder, flags, _ = digits_run
    before = (folder / "model.keras").stat().st_mtime_ns
    history = (folder / "history.csv").read_text()
    process = run(*flags)
    assert "12/12" not in process.stderr
    assert (folder / "history.csv").read_text() == history
    assert (folder / "model.keras").stat().st_mtime_ns > before


def test_another_recipe_is_refused(digits_run):
    folder, flags, _ = digits_run
    process = run(*flags, "--learning_rate=0.1", code=1)
    line = error_line(process)
    assert "learning_rate=0.003 there, 0.1 here" in line
    assert "another --output_dir" in line


def test_own_pictures_fine_tuned_in_two_phases(pictures, tmp_path):
    flags = [
        *("--model=mobilenet_v1_025", f"--data={pictures}", "--image_size=32"),
        *("--batch_size=8", "--class_weights=balanced", "--label_smoothing=0.1"),
        *(
            "--flip",
            "--rotate=10",
            "--brightness=0.1",
            "--mixup=0.2",
            "--notensorboard",
        ),
        *("--clip_norm=5", "--optimizer=nesterov", "--learning_rate=0.05"),
    ]
    body = tmp_path / "first" / "model.keras"
    first = run(*flags, "--epochs=1", f"--output_dir={body.parent}")
    assert "broken.jpg" in first.stderr
    process = run(
        *(*flags, "--epochs=2", "--head_epochs=2", "--unfreeze=block12"),
        *(f"--weights={body}", f"--output_dir={tmp_path / 'second'}"),
    )
    assert "mobilenet_v1_025 head 2/2" in process.stderr
    assert "mobilenet_v1_025 body 2/2" in process.stderr
    metrics = json.loads((tmp_path / "second" / "metrics.json").read_text())
    assert metrics["labels"] == ["blått", "red apples"]
    assert sum(metrics["examples"].values()) == 48


def test_auxiliary_heads_and_another_activation_train(pictures, tmp_path):
    """The model that stays has no auxiliary heads, and the activation of the flag."""
    calls = {
        "googlenet": ["--image_size=65", "--auxiliary_weight=0.3"],
        "lenet5": ["--activation=maxout"],
    }
    flags = [f"--data={pictures}", "--batch_size=20", "--epochs=1", "--notensorboard"]
    for model, more in calls.items():
        more += [*flags, f"--model={model}", f"--output_dir={tmp_path / model}"]
    answers = several("train_classifier", calls, eager=True)
    assert "auxiliary_2" in answers["googlenet"][2]
    expected = {  # of two classes, not ten
        "googlenet": 5_983_802 - 8 * 1025,
        "lenet5": 2 * (61_706 - 10 * 85) + 2 * 85,
    }
    for model, parameters in expected.items():
        assert answers[model][0] == 0, answers[model]
        metrics = json.loads((tmp_path / model / "metrics.json").read_text())
        assert metrics["parameters"] == parameters


WRONG = [
    (["--model=mobilenet_v9", "--data=digits"], 2, "mobilenet_v1_025"),
    (["--model=mlp"], 2, "data"),
    (["--model=mlp", "--data=digits", "extra"], 2, "no positional arguments"),
    (["--model=mlp", "--data=digits", "--optimiser=adam"], 2, "optimizer"),
    (["--model=mlp", "--data=digits", "--strategy=cloud"], 2, "mirrored"),
    (["--model=mlp", "--data=digits", "--epochs=0"], 2, "epochs"),
    (["--model=mlp", "--data=/no/such/folder"], 1, "/no/such/folder"),
    (["--model=mlp", "--data=tfds:no_such_set"], 1, "no_such_set"),
    (["--model=mlp", "--data=digits", "--unfreeze=block7"], 1, "its stages are"),
    (["--model=mlp", "--data=digits", "--weights=none.h5"], 1, "none.h5"),
    (["--model=mlp", "--data=digits", "--warmup_epochs=99"], 1, "warm-up of 99"),
    (["--model=mlp", "--data=digits", "--rotate=999"], 1, "rotate=999"),
    ([*LENET, "--auxiliary_weight=0.3"], 2, "has no auxiliary heads"),
    ([*LENET, "--activation=elu", "--weights=x.h5"], 2, "leave out --activation"),
]


@pytest.fixture(scope="module")
def wrong(tmp_path_factory):
    """The answers to WRONG, of one process."""
    folder = tmp_path_factory.mktemp("wrong")
    calls = {
        message: [*flags, f"--output_dir={folder / str(number)}"]
        for number, (flags, _, message) in enumerate(WRONG)
    }
    return several("train_classifier", calls)


@pytest.mark.parametrize(("code", "message"), [case[1:] for case in WRONG])
def test_wrong_usage_is_one_line(wrong, code, message):
    got, _, error = wrong[message]
    (line,) = [x for x in error.splitlines() if x.startswith("error: ")]
    assert got == code and message in line


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    flags = [
        "--model=mlp",
        "--data=digits",
        f"--output_dir={tmp_path / 'file' / 'run'}",
    ]
    assert "give another --output_dir" in error_line(run(*flags, code=1))


def test_two_devices_of_one_machine(tmp_path):
    """`mirrored` on this machine's single CPU device is a run of one replica."""
    flags = ["--model=mlp", "--data=digits", "--epochs=1", "--strategy=mirrored"]
    process = run(*flags, f"--output_dir={tmp_path / 'run'}")
    assert "test accuracy" in process.stdout


def test_every_recipe_parses():
    """A flagfile that names an unknown flag or a wrong value fails here."""
    root = pathlib.Path(__file__).parents[2]
    recipes = sorted((root / "tools" / "recipes").glob("*_digits.flags"))
    recipes = [x for x in recipes if "train_classifier" in x.read_text()]
    assert len(recipes) > 30
    code = (
        "import sys\n"
        "from absl import flags\n"
        "import kcv.tools.train_classifier\n"
        "for path in sys.argv[1:]:\n"
        "    flags.FLAGS.unparse_flags()\n"
        "    flags.FLAGS(['x', '--output_dir=x', '--flagfile=' + path])\n"
        "    data = flags.FLAGS.data.removeprefix('tfds:').replace('net2012', 'net')\n"
        "    assert path.endswith(f'/{flags.FLAGS.model}_{data}.flags'), path\n"
    )
    done = programs.run("-c", code, *recipes)
    assert done.returncode == 0, done.stderr
