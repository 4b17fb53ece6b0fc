"""What differs from task to task once a model is trained: one module for each."""

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
