import re

import pytest
from PIL import Image
from script_calls import several
from test_train_classifier import run

pytestmark = pytest.mark.slow

MLP = ("--model=mlp", "--data=digits", "--optimizer=sgd", "--batch_size=16")


def test_suggests_a_rate_and_draws_it(tmp_path):
    """A multi-layer perceptron of the digits learns by plain SGD at 0.01 to 1."""
    done = run(*MLP, f"--output_dir={tmp_path}", script="find_rate")
    rate = float(re.search(r"fell fastest at a rate of (\S+);", done.stdout)[1])
    assert 0.003 < rate < 3
    assert min(Image.open(tmp_path / "rate_test.png").size) > 200
    assert [path.name for path in tmp_path.iterdir()] == ["rate_test.png"]


def test_says_where_to_look_if_the_loss_never_fell(tmp_path):
    flags = [*MLP, f"--output_dir={tmp_path}"]
    calls = {
        "never": [*flags, "--low_rate=1e3", "--high_rate=1e4", "--steps=5"],
        "zero": [*flags, "--low_rate=0"],
    }
    answers = several("find_rate", calls)
    for what, words in (
        ("never", "never fell between 1000 and 10000"),
        ("zero", "rates must climb from above zero"),
    ):
        code, _, error = answers[what]
        assert code == 1 and words in error.splitlines()[-1]
