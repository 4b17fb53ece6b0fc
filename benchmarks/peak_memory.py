"""The most memory that a process has held, for the benchmarks beside this file (Linux).

Not getrusage: what it tells of a child begins with the memory of its parent.
"""

import subprocess
import sys


def of_this_process():
    """Bytes."""
    with open("/proc/self/status") as file:
        line = next(line for line in file if line.startswith("VmHWM:"))
    return 1024 * int(line.split()[1])


def of_a_process(*arguments):
    """Bytes that `python *arguments` prints in its last line; see `of_this_process`."""
    command = [sys.executable, *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return int(done.stdout.splitlines()[-1])
