"""What a person sees while training runs: a bar on a terminal, a line an epoch."""

import sys
import time

import tensorflow as tf
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from kcv.train.data_wait import ALARM

REFRESH_SECONDS = 0.5


class TrainingProgress:
    """`on_step` and `on_epoch` for `loop.train`; use it as a context manager.

    Args:
        title: shown in front of the bar.
        epochs: epochs of the whole run.
        batch_size: images in a global batch, for images/s.
        quiet: print and write nothing; for all workers but the first.
        events: folder for TensorBoard events, or None.
        slowest_stage: names the slowest stage of the input in words; called once, when
            training first waits for data for more than a tenth of the time.
    """

    def __init__(
        self,
        title,
        epochs,
        batch_size,
        quiet=False,
        events=None,
        slowest_stage=None,
    ):
        self.title, self.epochs, self.batch_size = title, epochs, batch_size
        self.quiet, self.slowest_stage, self.has_warned = quiet, slowest_stage, False
        self.events = None
        if events and not quiet:
            self.events = tf.summary.create_file_writer(str(events))
        self.console = Console(stderr=True, quiet=quiet)
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[speed]:.0f} images/s"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[means]}"),
            console=self.console,
            transient=True,
            disable=quiet or not sys.stderr.isatty(),
        )

    def __enter__(self):
        self.bar.start()
        self.task = self.bar.add_task(self.title, total=None, speed=0.0, means="")
        self.shown_at, self.shown_step = time.monotonic(), None
        return self

    def __exit__(self, *_):
        self.bar.stop()
        if self.events:
            self.events.close()

    def on_step(self, progress):
        """Moves the bar, at most twice a second: reading the means costs a wait."""
        now = time.monotonic()
        step = progress.epoch * progress.steps_per_epoch + progress.step
        if self.shown_step is None:
            self.shown_step = step  # the first step, which traces the graph
            self.shown_at = now
        if now - self.shown_at < REFRESH_SECONDS:
            return
        speed = (step - self.shown_step) * self.batch_size / (now - self.shown_at)
        means = progress.read() if not self.bar.disable else {}
        self.bar.update(
            self.task,
            description=f"{self.title} {progress.epoch + 1}/{self.epochs}",
            completed=step,
            total=self.epochs * progress.steps_per_epoch,
            speed=speed,
            means=" ".join(f"{name} {value:.3f}" for name, value in means.items()),
        )
        self.shown_at, self.shown_step = now, step

    def on_epoch(self, history):
        """Prints a line with the last row of the history, and logs it."""
        row = history[-1]
        if self.events:
            with self.events.as_default(step=row["epoch"]):
                for name, value in row.items():
                    tf.summary.scalar(name, value)
        means = ", ".join(
            f"{name.replace('validation_', 'val ')} {value:.4f}"
            for name, value in row.items()
            if name not in ("epoch", "learning_rate", "seconds", "waiting")
        )
        self.console.print(
            f"{self.title} {row['epoch']}/{self.epochs}: {means} "
            f"(rate {row['learning_rate']:.2g}, {row['seconds']:.1f} s, "
            f"{row['waiting']:.0%} of it waiting for data)",
            highlight=False,
            soft_wrap=True,
        )
        if row["waiting"] > ALARM and not self.quiet and not self.has_warned:
            self.has_warned = True
            self._warn(row["waiting"])

    def _warn(self, waiting):
        """Says that the input is the bottleneck, and which part of it."""
        line = f"training waited for data {waiting:.0%} of the time"
        if self.slowest_stage:
            line += f"; the slowest stage is {self.slowest_stage()}"
        self.console.print(line, highlight=False, soft_wrap=True, style="yellow")
