"""Sums of losses and metrics on the device, and a watch on the loss."""

import tensorflow as tf

EXPLODED = 1000.0  # times the first loss (plus one)


class RunningMeans:
    """Running sums of the losses and metrics, kept on the device.

    Reading them waits for the device, so the loop reads them when somebody looks, and a
    bad loss is caught by the step itself: the first one stays in `bad`.
    """

    SLOTS = 32  # the number of examples, then the losses and metrics in their order

    def __init__(self):
        self.names = []
        self.totals = tf.Variable(tf.zeros(self.SLOTS, tf.float64))
        self.last = tf.Variable(tf.zeros(self.SLOTS, tf.float64))
        self.first_loss = tf.Variable(-1.0, dtype=tf.float64)
        self.bad = tf.Variable([-1.0, 0.0, 0.0], dtype=tf.float64)  # step, loss, rate

    def sums(self, losses, metrics, batch):
        """Within a replica: the sums of a batch as a vector of SLOTS."""
        values = {"loss": sum(losses.values())}
        values |= losses if len(losses) > 1 else {}
        values |= metrics
        self.names = list(values)
        sums = [tf.reduce_sum(tf.cast(v, tf.float64)) for v in values.values()]
        sums = [tf.cast(tf.shape(batch["images"])[0], tf.float64), *sums]
        return tf.stack(sums + [tf.zeros((), tf.float64)] * (self.SLOTS - len(sums)))

    def add(self, sums):
        """Adds the sums of a global batch."""
        self.last.assign(sums)
        self.totals.assign_add(sums)

    def watch(self, optimizer):
        """Keeps (step, loss, rate) of the first batch with a bad loss."""
        loss = self.last[1] / self.last[0]
        self.first_loss.assign(
            tf.where(self.first_loss < 0, tf.abs(loss), self.first_loss)
        )
        sound = tf.abs(loss) <= EXPLODED * (self.first_loss + 1)  # False for NaN
        step = tf.cast(optimizer.iterations, tf.float64)
        rate = tf.cast(optimizer.learning_rate, tf.float64)
        unseen = tf.logical_and(~sound, self.bad[0] < 0)
        self.bad.assign(tf.where(unseen, tf.stack([step, loss, rate]), self.bad))

    def means(self):
        """Returns {name: mean} over all examples since the last reset."""
        totals = self.totals.numpy()
        return {
            name: float(total / max(totals[0], 1))
            for name, total in zip(self.names, totals[1:])
        }

    def reset(self):
        """Starts an epoch."""
        self.totals.assign(tf.zeros_like(self.totals))

    def get(self):
        """Returns the state as JSON values."""
        return {
            "totals": self.totals.numpy().tolist(),
            "first_loss": float(self.first_loss.numpy()),
        }

    def set(self, values):
        """Takes what `get` returned, or None for a new run."""
        if values:
            self.totals.assign(values["totals"])
            self.first_loss.assign(values["first_loss"])
