#!/usr/bin/env bash
# Runs all tests on two cores; arguments go to pytest, such as -m "not slow".
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
exec .venv/bin/python -m pytest -n 2 --dist worksteal "$@"
