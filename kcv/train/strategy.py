"""One name for each way to spread training over devices and machines."""

import json
import os

import tensorflow as tf

STRATEGIES = ("default", "mirrored", "multi_worker", "tpu")


def make_strategy(name: str) -> tf.distribute.Strategy:
    """Makes a tf.distribute strategy; call it before any other TensorFlow operation.

    Args:
        name: "default" (one device), "mirrored" (all devices of this machine),
            "multi_worker" (all machines that the environment variable TF_CONFIG names;
            run the same command on each) or "tpu" (the TPU of this machine).

    Raises:
        ValueError: if the name is unknown, TF_CONFIG is missing or not valid, or no
            TPU is found.
    """
    if name == "default":
        return tf.distribute.get_strategy()
    if name == "mirrored":
        kind = "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
        devices = [d.name for d in tf.config.list_logical_devices(kind)]
        return tf.distribute.MirroredStrategy(devices)
    if name == "multi_worker":
        _check_tf_config(os.environ.get("TF_CONFIG", ""))
        return tf.distribute.MultiWorkerMirroredStrategy()
    if name == "tpu":
        try:
            resolver = tf.distribute.cluster_resolver.TPUClusterResolver.connect("")
        except (ValueError, tf.errors.NotFoundError) as error:
            raise ValueError(f"no TPU on this machine: {error}") from error
        return tf.distribute.TPUStrategy(resolver)
    raise ValueError(f"no strategy {name!r}; known: {', '.join(STRATEGIES)}")


def _check_tf_config(text):
    example = (
        '{"cluster": {"worker": ["host1:2222", "host2:2222"]}, '
        '"task": {"type": "worker", "index": 0}}'
    )
    try:
        config = json.loads(text)
        workers = config["cluster"]["worker"]
        index = config["task"]["index"]
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise ValueError(
            "--strategy=multi_worker needs the environment variable TF_CONFIG, "
            f"for example {example}; it is {text!r}"
        ) from error
    if not 0 <= index < len(workers):
        raise ValueError(f"TF_CONFIG: task index {index}, but {len(workers)} workers")


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """True on the one process that writes files."""
    resolver = strategy.cluster_resolver
    return not (resolver and resolver.task_type == "worker" and resolver.task_id)
