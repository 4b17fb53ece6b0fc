"""Waits with TensorFlow and Keras imported, and forks once for every program.

A fork is a process of its own that imports all of kcv itself; `programs` talks to this.
Nothing here may start a thread or a TensorFlow device: neither survives a fork.
"""

import importlib
import json
import os
import runpy
import select
import signal
import socket
import sys
import types

PRELOADED = (
    *("numpy", "scipy.ndimage", "sklearn.datasets", "PIL.Image", "rich.table"),
    *("matplotlib.figure", "matplotlib.backends.backend_agg", "absl.app"),
    *("tensorflow", "keras", "tf_keras", "ai_edge_litert.interpreter"),
)


def wait_for_a_program(path):
    """Returns in the process of each program, with its request.

    The server itself ends when whoever started it closes its standard input.
    """
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(8)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the supervisors
    os.write(1, b"ready\n")
    while True:
        ready, _, _ = select.select([listener, 0], [], [])
        if 0 in ready:
            os._exit(0)
        connection, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            return _supervise(connection)
        connection.close()


def _supervise(connection):
    """Forks the program, tells its number and then how it ended.

    A program whose tester is gone is killed.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    text, files, _, _ = socket.recv_fds(connection, 1 << 20, 3)
    while not text.endswith(b"\n"):
        text += connection.recv(1 << 20)
    number = os.fork()
    if number == 0:
        connection.close()
        for descriptor, file in enumerate(files):
            os.dup2(file, descriptor)
            os.close(file)
        return json.loads(text)
    for file in files:
        os.close(file)
    connection.sendall(b"%d\n" % number)
    ended = os.pidfd_open(number)
    if ended not in select.select([ended, connection], [], [])[0]:
        os.kill(number, signal.SIGKILL)
        os._exit(1)
    code = os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])
    connection.sendall(b"%d\n" % code)
    os._exit(0)


def run(arguments, cwd, environment):
    """What `python *arguments` does after its start: -m MODULE, -c CODE or FILE."""
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    sys.modules["numpy"].random.seed()
    sys.orig_argv[1:] = arguments
    kind = arguments[0]
    sys.argv = [kind, *arguments[2:]] if kind in ("-m", "-c") else arguments
    if kind == "-m":
        sys.path[0] = cwd
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    elif kind == "-c":
        sys.path[0] = ""
        sys.modules["__main__"] = types.ModuleType("__main__")
        exec(compile(arguments[1], "<string>", "exec"), vars(sys.modules["__main__"]))
    else:
        sys.path[0] = os.path.dirname(os.path.abspath(kind))
        runpy.run_path(kind, run_name="__main__")


if __name__ == "__main__":
    for name in PRELOADED:
        importlib.import_module(name)
    run(**wait_for_a_program(sys.argv[1]))
