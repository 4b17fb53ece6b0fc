"""What differs from task to task once a model is trained: one module for each."""

from collections.abc import Callable
from typing import NamedTuple

from kcv import zoo
from kcv.export import convert, convert_stages
from kcv.tools import (
    task_classification,
    task_detection,
    task_localisation,
    task_verification,
)

TASKS = {  # as the rows of the zoo name them
    "classification": task_classification,
    "detection": task_detection,
    "localisation": task_localisation,
    "verification": task_verification,
}


class Plan(NamedTuple):
    """What is done with a run's model.

    Args:
        metric: name of what judges it.
        no_qat: why there is no training with quantisation; "" if there is.
        to_int8: makes the int8 file, as `kcv.export.convert`.
        in_parts: whether that takes the whole model and makes a file of several
            networks.
    """

    metric: str
    no_qat: str
    to_int8: Callable
    in_parts: bool


def plan(run) -> Plan:
    """The `Plan` of a run.

    Args:
        run: metrics.json.

    Raises:
        ValueError: what the model finds depends on proposals that are no part of it, or
            it has stages that no int8 file has yet.
    """
    entry = zoo.entry(run["model"])
    task = TASKS[entry.task]
    if task is not task_detection:
        return Plan(task.METRIC, task.NO_QAT, convert, False)
    if not entry.method:
        raise ValueError(
            f"{run['model']} sees regions that others propose, and a file of it cannot "
            "find them: only runs of train_detector and train_yolo9000 are measured"
        )
    if entry.method == "cascade":
        raise ValueError(
            f"{run['model']} lays masks on its own regions, which no int8 file does "
            "yet: kcv.export.convert writes it in float32"
        )
    metric = task_detection.metric_of(run)
    if task_detection.two_stages(run):
        return Plan(metric, task_detection.NO_QAT_OF_STAGES, _to_parts, True)
    return Plan(metric, task_detection.NO_QAT, convert, False)


def _to_parts(*arguments, task, **options):
    """`convert_stages`, whose models are all of one task."""
    return convert_stages(*arguments, **options)
