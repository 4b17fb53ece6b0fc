"""The set-up of quickstart.sh and test.sh says in one line what is missing."""

import os
import pathlib
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).parents[2]
TOOLS = ("awk", "cat", "dirname", "sha256sum", "rm", "bash")


@pytest.fixture
def machine(tmp_path):
    """A copy of the scripts, and a PATH with nothing but what is put there."""
    (tmp_path / "kcv" / "tools").mkdir(parents=True)
    for name in ("environment.sh", "test.sh", "quickstart.sh"):
        shutil.copy(ROOT / "tools" / name, tmp_path / "kcv" / "tools")
    for name in ("setup.cfg", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path / "kcv")
    (tmp_path / "bin").mkdir()
    for name in TOOLS:
        (tmp_path / "bin" / name).symlink_to(shutil.which(name))
    return tmp_path


def program(machine, name, script):
    path = machine / "bin" / name
    path.write_text(f"#!{shutil.which('bash')}\n{script}\n")
    path.chmod(0o755)


def run(machine, script):
    process = subprocess.run(
        [shutil.which("bash"), machine / "kcv" / "tools" / script],
        env={"PATH": str(machine / "bin"), "HOME": os.environ.get("HOME", "/")},
        capture_output=True,
        text=True,
        timeout=60,
    )
    lines = [x for x in process.stderr.splitlines() if x.startswith("error: ")]
    assert process.returncode == 1
    assert len(lines) == 1, process.stderr
    return lines[0]


@pytest.mark.parametrize("script", ["test.sh", "quickstart.sh"])
def test_old_python(machine, script):
    program(machine, "python3", 'echo "Python 3.9.2"; exit 1')
    line = run(machine, script)
    assert "needs Python 3.11" in line
    assert "found: Python 3.9.2" in line
    assert not (machine / "kcv" / ".venv").exists()


def test_full_disk(machine):
    program(machine, "python3.11", "exit 0")
    program(machine, "df", 'echo head; echo "/dev/a 100 99 2048000 99% /"')
    line = run(machine, "test.sh")
    assert "needs 5000 MB of disk, 2000 MB are free" in line


def test_environment_that_cannot_be_made(machine):
    program(machine, "python3.11", 'case "$*" in *venv*.venv) exit 1;; esac')
    program(machine, "df", 'echo head; echo "/dev/a 100 99 99999999 99% /"')
    assert "could not make .venv" in run(machine, "test.sh")
