"""Programs as people start them, without the seconds that their imports take.

`python -m kcv.tools.x` spends ten on TensorFlow and Keras. One process of a test run
imports both, see fork_server.py, and every program is a fork of that: a process with
its own folder, environment, exit code and signals, that imports kcv itself. Tests of
what a program imports start Python themselves.
"""

import atexit
import functools
import json
import os
import pathlib
import select
import signal
import socket
import subprocess
import sys
import tempfile

SERVER = pathlib.Path(__file__).with_name("fork_server.py")


@functools.cache
def server():
    """Path of the socket of this process's fork server; the first call starts it."""
    folder = tempfile.TemporaryDirectory(prefix="kcv_fork_")
    path = f"{folder.name}/socket"
    process = subprocess.Popen(
        [sys.executable, SERVER, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"},
        start_new_session=True,
    )
    assert process.stdout.readline() == b"ready\n", "the fork server did not start"

    @atexit.register
    def stop():
        process.stdin.close()
        process.wait()
        folder.cleanup()

    return path


class Program:
    """`python *arguments`; what the tests need of subprocess.Popen."""

    def __init__(self, arguments, cwd=".", env=None, path=None, files=None):
        """As for subprocess; `path` is of a server, `files` replace its own three."""
        request = {
            "arguments": list(map(os.fspath, arguments)),
            "cwd": os.path.abspath(cwd),
            "environment": dict(os.environ if env is None else env),
        }
        self.returncode = None
        self._written = [tempfile.TemporaryFile() for _ in range(2)]  # noqa: SIM115
        with open(os.devnull) as nothing:
            files = files or [nothing, *self._written]
            self._connection = socket.socket(socket.AF_UNIX)
            self._connection.connect(path or server())
            text = json.dumps(request).encode() + b"\n"
            numbers = [file.fileno() for file in files]
            sent = socket.send_fds(self._connection, [text], numbers)
        self._connection.sendall(text[sent:])
        self.pid = self._answer()

    def _answer(self):
        text = b""
        while not text.endswith(b"\n"):
            more = self._connection.recv(1)
            assert more, "the fork server is gone"
            text += more
        return int(text)

    def poll(self):
        """The exit code, minus the signal that killed it, or None while it runs."""
        if self.returncode is None and select.select([self._connection], [], [], 0)[0]:
            self.returncode = self._answer()
        return self.returncode

    def wait(self, timeout=None):
        if self.returncode is None:
            if not select.select([self._connection], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(f"program {self.pid}", timeout)
            self.returncode = self._answer()
        return self.returncode

    def send_signal(self, number):
        if self.poll() is None:
            os.kill(self.pid, number)

    def communicate(self, timeout=None):
        """(stdout, stderr) once it has ended; at the timeout it is killed."""
        try:
            self.wait(timeout)
        except subprocess.TimeoutExpired:
            self.send_signal(signal.SIGKILL)
            raise
        for file in self._written:
            file.seek(0)
        return tuple(file.read().decode() for file in self._written)


def run(*arguments, cwd=".", env=None, timeout=300):
    """`python *arguments` to its end, as subprocess.run captures text."""
    arguments = [str(argument) for argument in arguments]
    program = Program(arguments, cwd, env)
    out, error = program.communicate(timeout)
    return subprocess.CompletedProcess(arguments, program.returncode, out, error)


def tool(name, *arguments, **options):
    """`python -m kcv.tools.NAME *arguments` to its end."""
    return run("-m", f"kcv.tools.{name}", *arguments, **options)


def command(folder):
    """A folder with a `python` for PATH, of which `-m` and `-c` are programs."""
    path = pathlib.Path(folder) / "python"
    path.write_text(
        f"#!{sys.executable} -S\n"
        f"import sys\nsys.path.insert(0, {str(SERVER.parent)!r})\n"
        f"import programs\nprograms.stand_in({server()!r})\n"
    )
    path.chmod(0o755)
    return folder


def stand_in(path):
    """Is `python` in a shell: a program at the server `path` with the shell's files."""
    files = (sys.stdin, sys.stdout, sys.stderr)
    sys.exit(Program(sys.argv[1:], path=path, files=files).wait())
