#!/usr/bin/env bash
# Runs all tests on two cores; arguments go to pytest, such as -m "not slow".
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
# Two processes on two cores: TensorFlow has one thread in each, or they fight.
export TF_NUM_INTRAOP_THREADS=${TF_NUM_INTRAOP_THREADS:-1}
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
exec .venv/bin/python -m pytest -n 2 --dist worksteal "$@"
