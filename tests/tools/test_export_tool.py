"""The export script as a user calls it, in one process where nothing is converted."""

import json
import zipfile

import keras
import programs
import pytest
from absl import app
from keras import layers


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory):
    """A run as train_classifier leaves it: 1-nearest class mean of 8x8 digits."""
    from kcv import data

    folder = tmp_path_factory.mktemp("run")
    train = data.source("digits", "train")
    images = keras.Input((8, 8, 1), name="images")
    x = layers.Flatten(name="flatten")(images)
    x = layers.Dense(10, activation="softmax", name="predictions")(x)
    model = keras.Model(images, x, name="means")
    batch = next(iter(data.batches(train, 800, (8, 8, 1), (-1, 1), epoch=0)))
    loss = "sparse_categorical_crossentropy"
    model.compile(keras.optimizers.Adam(1e-2), loss, jit_compile=False)
    model.fit(batch["images"], batch["labels"], epochs=30, verbose=0)
    model.save(folder / "model.keras")
    run = {
        "model": "mlp",
        "data": "digits",
        "labels": list(train.class_names),
        "pixel_range": [-1, 1],
        "data_fingerprint": {"train": train.fingerprint},
        "flags": {"seed": 0},
    }
    (folder / "metrics.json").write_text(json.dumps(run))
    return folder


@pytest.mark.slow
def test_int8_of_a_run(run_dir, tmp_path):
    """The command of the docstring."""
    output = tmp_path / "digits.tflite"
    done = programs.tool(
        "export",
        f"--model={run_dir}/model.keras",
        f"--output={output}",
        "--quantize=int8",
        "--budget=0.02",
    )
    assert done.returncode == 0, done.stderr
    assert f"wrote {output}" in done.stdout
    with zipfile.ZipFile(output) as archive:
        manifest = json.loads(archive.read("kcv.json"))
    assert manifest["model"] == "mlp"
    assert manifest["quantization"] == "int8"
    assert manifest["labels"] == [str(i) for i in range(10)]
    assert manifest["normalization"] == {"mean": [127.5], "std": [127.5]}
    assert manifest["metrics"]["file"] > 0.85


@pytest.mark.slow
def test_reports(main, run_dir, tmp_path):
    """A model from elsewhere, with flags in place of metrics.json; then one refused."""
    model, output = tmp_path / "model.keras", tmp_path / "x.tflite"
    model.write_bytes((run_dir / "model.keras").read_bytes())
    told = {"data": "digits", "pixel_range": ["-1", "1"], "quantize": "int8"}
    report = tmp_path / "report.json"
    main(model=str(model), output=str(output), report=str(report), **told, budget=0.02)
    measured = json.loads(report.read_text())
    assert measured["metrics"]["keras"] > 0.85
    assert measured["ranges"]
    output.unlink()
    with pytest.raises(ValueError, match="of the file is worse than 0.999"):
        main(output=str(output), report=str(tmp_path / "x.md"), min_accuracy=0.999)
    assert not output.exists()
    assert not (tmp_path / "x.md").exists()
    main(output=str(output), report=str(tmp_path / "x.md"))
    assert "| accuracy, file |" in (tmp_path / "x.md").read_text()


@pytest.mark.slow
def test_unknown_values_list_the_known(tmp_path):
    flags = ("--model=x.keras", f"--output={tmp_path}/x", "--quantize=int4")
    done = programs.tool("export", *flags)
    assert done.returncode == 2
    assert "<float32|float16|dynamic|int8|int16x8>" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("error: flag --quantize=int4")


@pytest.fixture
def main(run_dir, tmp_path):
    """Calls the script's main in this process, with flags given as keywords."""
    from absl import flags
    from absl.testing import flagsaver

    from kcv.tools import export as tool

    def call(**values):
        values = {"model": f"{run_dir}/model.keras", "output": "x.tflite"} | values
        if not flags.FLAGS.is_parsed():
            flags.FLAGS(["test", "--model=x", "--output=x"])
        with flagsaver.flagsaver(**values):
            tool.main([""])

    return call


@pytest.mark.parametrize(
    "values, message",
    [
        ({"model": "nothing.keras"}, "--model=nothing.keras does not exist"),
        ({"model": __file__}, "is not a .keras file"),
        ({"report": "report.pdf"}, "must end in .json or .md"),
        ({"pixel_range": ["0"]}, "pixel range .* is not two numbers"),
        ({"pixel_range": ["black", "1"]}, "pixel range .* is not two numbers"),
        ({"pixel_range": ["1", "-1"]}, "black must be below white"),
        ({"data": "letters"}, "unknown data 'letters'"),
        ({"zoo_name": "resnet"}, "resnet"),
    ],
)
def test_wrong_values(main, values, message):
    with pytest.raises((ValueError, OSError, app.UsageError)) as error:
        main(**values)
    assert error.match(message)


def test_run_without_what_is_needed(main, run_dir, tmp_path):
    model = tmp_path / "model.keras"
    model.write_bytes((run_dir / "model.keras").read_bytes())
    with pytest.raises(ValueError, match="pixel range: give --zoo_name"):
        main(model=str(model))
    with pytest.raises(ValueError, match="names the data: give --data"):
        main(model=str(model), zoo_name="mlp")
    run = json.loads((run_dir / "metrics.json").read_text())
    path = tmp_path / "metrics.json"
    path.write_text(json.dumps(run | {"labels": ["a", "b"]}))
    with pytest.raises(ValueError, match="10 outputs, but there are 2 labels: a, b"):
        main(model=str(model))
    path.write_text(json.dumps(run | {"data_fingerprint": {"train": "other"}}))
    with pytest.raises(ValueError, match="train images of digits have changed"):
        main(model=str(model))
    path.write_text("{")
    with pytest.raises(ValueError, match="metrics.json is not JSON"):
        main(model=str(model))
