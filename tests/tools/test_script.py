"""What every script does alike: exit codes, one line for an error, a clean screen."""

import os
import subprocess
import sys

import pytest

NOISY = """
import os
import sys

sys.argv = ["-m"]  # as while python -m imports the package
import kcv.tools  # noqa: E402

os.write(2, b"native note at the import\\n")
print("python says", file=sys.stderr)
sys.argv = ["script", *sys.orig_argv[3:]]
from absl import logging  # noqa: E402

from kcv.tools import script  # noqa: E402


def main(argv):
    logging.info("a detail")
    os.write(2, b"native words of the run\\n")
    raise {error}


script.run(main)
"""


def run(*flags, error="SystemExit(0)", level="2"):
    return subprocess.run(
        [sys.executable, "-c", NOISY.format(error=error), *flags],
        capture_output=True,
        text=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": level},
    )


def test_native_notes_of_the_start_are_hidden():
    process = run()
    assert process.returncode == 0
    assert "at the import" not in process.stderr
    assert "python says" in process.stderr
    assert "native words of the run" in process.stderr
    assert "a detail" not in process.stderr


def test_who_wants_to_see_them_can():
    assert "at the import" in run(level="0").stderr
    assert "a detail" in run("--verbosity=0").stderr


@pytest.mark.parametrize(
    "error, code, line",
    [
        ("ValueError('bad\\n file')", 1, "error: bad file"),
        ("FileNotFoundError('x is missing')", 1, "error: x is missing"),
        ("script.UsageError('no such word')", 2, "error: no such word"),
        ("KeyboardInterrupt()", 130, "error: interrupted"),
    ],
)
def test_an_error_is_one_line_and_a_code(error, code, line):
    process = run(error=error)
    assert process.returncode == code
    assert process.stderr.splitlines()[-1] == line


def test_an_unknown_flag():
    process = run("--no_such_flag")
    assert process.returncode == 2
    assert process.stderr.splitlines()[-1].startswith("error: Unknown command line")


def test_a_reader_that_has_read_enough_is_no_error():
    code = "from kcv.tools import script\n"
    code += "script.run(lambda argv: [print(i) for i in range(100_000)])"
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout.readline() == "0\n"
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait(60) == 141


def test_a_bug_shows_its_traceback():
    assert "Traceback" in run(error="KeyError('x')").stderr
    assert "Traceback" in run("--traceback", error="ValueError('x')").stderr
