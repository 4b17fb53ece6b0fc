# Sourced by quickstart.sh and test.sh: makes or reuses .venv with the exact versions of
# constraints.txt, and says in one line what is missing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail() {
  echo "error: $1" >&2
  exit 1
}

find_python() {
  local name
  for name in ${PYTHON:-} python3.11 python3.12 python3.13 python3; do
    if "$name" -c 'import sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
      echo "$name"
      return
    fi
  done
  fail "kcv needs Python 3.11 to 3.13 with venv (found: $(python3 --version 2>&1)); install one, or name it: PYTHON=/path/to/python3.11 bash $0"
}

make_environment() {
  local python wanted have free
  if [ ! -x .venv/bin/python ]; then
    python=$(find_python)
    free=$(df -Pk . | awk 'NR == 2 {print int($4 / 1024)}')
    [ "$free" -ge 5000 ] || fail "the environment needs 5000 MB of disk, $free MB are free in $PWD"
    echo "making .venv with $("$python" --version)" >&2
    "$python" -m venv .venv || { rm -rf .venv; fail "$python could not make .venv (on Debian: apt-get install python3-venv)"; }
  fi
  # Installed once for each state of these files.
  wanted=$(cat setup.cfg pyproject.toml constraints.txt | sha256sum)
  have=$(cat .venv/kcv-installed 2>/dev/null || true)
  if [ "$wanted" != "$have" ]; then
    echo "installing the packages of constraints.txt into .venv" >&2
    .venv/bin/python -m pip install --quiet --disable-pip-version-check uv ||
      fail "pip could not install uv; is a package index reachable?"
    # Compiled once: else each start of a script may compile TensorFlow's modules again.
    .venv/bin/uv pip install --quiet --compile-bytecode --python .venv/bin/python \
      --constraint constraints.txt --editable '.[dev]' ||
      fail "the packages could not be installed; the lines above say why"
    echo "$wanted" > .venv/kcv-installed
  fi
}

make_environment
export TF_CPP_MIN_LOG_LEVEL=${TF_CPP_MIN_LOG_LEVEL:-2}
