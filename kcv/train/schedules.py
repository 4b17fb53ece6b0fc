"""Learning rates as functions of the position in training.

A schedule is called as `schedule(epoch, history)`: `epoch` is a float (2.5 is half way
through the third epoch), `history` the rows of the finished epochs. It keeps no state,
so training that resumes anywhere gets the rate it would have had.
"""

import math

SCHEDULES = ("constant", "cosine", "step", "plateau", "exponential")


def make_schedule(
    name: str,
    learning_rate: float,
    epochs: float,
    warmup_epochs: float = 0.0,
    milestones=(0.5, 0.75),
    patience: int = 5,
    decay: float = 0.1,
    decay_epochs: float = 1.0,
    monitor: str = "validation_loss",
):
    """Makes a schedule.

    Args:
        name: "constant"; "cosine" to zero at the last step; "step", which multiplies by
            `decay` at each milestone; "plateau", which does so, up to three times, when
            `monitor` has not fallen for `patience` epochs; "exponential", which does so
            every `decay_epochs`.
        learning_rate: the peak.
        epochs: length of training.
        warmup_epochs: epochs in which the rate climbs linearly from zero, first.
        milestones: shares of `epochs` at which "step" multiplies.
        patience: epochs without improvement that "plateau" waits.
        decay: what a rate that falls is multiplied by, above 0 and at most 1.
        decay_epochs: from one fall of "exponential" to the next.
        monitor: column of the history that "plateau" watches; lower is better.

    Raises:
        ValueError: if the name is unknown or a value is out of range.
    """
    if name not in SCHEDULES:
        raise ValueError(f"no schedule {name!r}; known: {', '.join(SCHEDULES)}")
    if not 0 <= warmup_epochs < max(epochs, 1e-9) and warmup_epochs:
        raise ValueError(
            f"warm-up of {warmup_epochs} epochs does not fit into {epochs} epochs"
        )

    if not 0 < decay <= 1 or decay_epochs <= 0:
        raise ValueError(
            f"a rate cannot fall by {decay} every {decay_epochs} epochs: the first is "
            "above 0 and at most 1, the other positive"
        )

    def schedule(epoch, history):
        if epoch < warmup_epochs:
            return learning_rate * epoch / warmup_epochs
        if name == "cosine":
            share = (epoch - warmup_epochs) / (epochs - warmup_epochs)
            return learning_rate * 0.5 * (1 + math.cos(math.pi * min(share, 1.0)))
        if name == "step":
            passed = sum(epoch >= share * epochs for share in milestones)
            return learning_rate * decay**passed
        if name == "plateau":
            falls = _plateaus([row[monitor] for row in history], patience)
            return learning_rate * decay**falls
        if name == "exponential":
            return learning_rate * decay ** (epoch // decay_epochs)
        return learning_rate

    return schedule


def _plateaus(values, patience, most=3):
    """How often `values` stayed `patience` rows above their minimum, at most `most`."""
    best, waited, count = math.inf, 0, 0
    for value in values:
        if value < best:
            best, waited = value, 0
        else:
            waited += 1
        if waited == patience:
            count, waited = count + 1, 0
    return min(count, most)
