"""Statements of papers, each tried by a small experiment: one claim a module.

A module <name>.py holds

    docstring           the source, what is measured, what would refute the claim and
                        from which number on: fixed before the first run
    CLAIM               the statement, one sentence
    IDS                 rows of the list of systems that it belongs to
    run(seed)           the experiment: {name: float, None or a list of them}. It seeds
                        all that is random; None is what was not reached
    verdict(runs)       (holds, finding) of the runs of all seeds; the finding is one
                        sentence with the numbers and their spread
    draw(runs, path)    the picture; returns the path

`python -m kcv.tools.reproduce` runs them. A claim that does not hold at this size is
reported as such: its numbers are a finding, too.
"""

import ast
import importlib
import pathlib

# In the order of the page.
NAMES = (
    "xor",
    "linear_layers",
    "relu_faster_than_tanh",
    "vanishing_gradients",
    "initialisation_variance",
    "momentum_on_a_bowl",
    "batch_norm_higher_rate",
    "dropout_and_augmentation",
    "rate_divided_by_ten",
    "plain_degradation",
    "unit_orders",
    "separable_convolutions",
    "even_kernel_checkerboard",
    "fine_tuning_few_samples",
    "test_time_augmentation",
    "sliding_window",
    "rcnn_times",
    "multi_task_training",
    "roi_align_against_pool",
    "ssd_against_faster_rcnn",
    "hard_negative_mining",
    "anchors_by_k_means",
)


def module(name):
    """Returns the module of a claim; ValueError for an unknown one lists all."""
    _known(name)
    return importlib.import_module(f"kcv.tools.claims.{name}")


def statement(name):
    """Returns (CLAIM, IDS) of a claim from its text: without importing Keras."""
    _known(name)
    tree = ast.parse(pathlib.Path(__file__).with_name(f"{name}.py").read_text())
    values = {
        node.targets[0].id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    return tuple(ast.literal_eval(values[key]) for key in ("CLAIM", "IDS"))


def _known(name):
    if name not in NAMES:
        raise ValueError(f"no claim {name!r}; known: {', '.join(NAMES)}")
