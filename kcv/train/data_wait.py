"""How much of the time of a step is spent waiting for data."""

import tensorflow as tf

ALARM = 0.1  # share of a step's time from which on training is bound by its input


class DataWait:
    """Two clocks within the step's graph: the wait for a batch, and from step to step.

    On a GPU, the host asks for the next batch while the device still computes: there
    the wait may overlap with work, but a pipeline that keeps up has none either way.
    """

    def __init__(self):
        # Start of the last step, seconds waited, seconds from step to step.
        self.clock = tf.Variable([-1.0, 0.0, 0.0], dtype=tf.float64)

    def next(self, iterator):
        """Within the step's graph: the next batch."""
        start = tf.timestamp()
        with tf.control_dependencies([start]):
            batch = next(iterator)
        with tf.control_dependencies(tf.nest.flatten(batch, expand_composites=True)):
            waited = tf.timestamp() - start
        last, waits, steps = tf.unstack(self.clock)
        # The first step of an epoch also traces the graph and fills the buffers.
        is_first = last < 0
        waits += tf.where(is_first, tf.zeros_like(waited), waited)
        steps += tf.where(is_first, tf.zeros_like(start), start - last)
        self.clock.assign(tf.stack([start, waits, steps]))
        return batch

    def share(self):
        """Returns the share of the time of a step, 0..1, since the last reset."""
        _, waits, steps = self.clock.numpy()
        return float(min(waits / steps, 1.0)) if steps > 0 else 0.0

    def reset(self):
        """Starts an epoch."""
        self.clock.assign([-1.0, 0.0, 0.0])
