"""The flags that every training script has, and what they mean."""

from absl import flags

from kcv.train import optimizers, schedules
from kcv.train.strategy import STRATEGIES

_F = flags.FLAGS

# They determine the result; a folder belongs to one recipe.
flags.DEFINE_integer("batch_size", 32, "Images in a step, over all devices.", 1)
flags.DEFINE_integer("epochs", 40, "Passes over the training images.", 1)
flags.DEFINE_enum("optimizer", "adam", list(optimizers.OPTIMIZERS), "Optimizer.")
flags.DEFINE_float("learning_rate", 1e-3, "Peak of the learning rate.", 0)
flags.DEFINE_enum(
    "schedule", "cosine", list(schedules.SCHEDULES), "Course of the learning rate."
)
flags.DEFINE_float("warmup_epochs", 0, "Epochs of linear warm-up from zero.", 0)
flags.DEFINE_list(
    "milestones", ["0.5", "0.75"], "Shares of --epochs where --schedule=step falls."
)
flags.DEFINE_float("decay", 0.1, "Factor by which step, plateau, exponential fall.")
flags.DEFINE_float("decay_epochs", 1, "Epochs between falls of exponential.", 0)
flags.DEFINE_integer("patience", 5, "Epochs that --schedule=plateau waits.", 1)
flags.DEFINE_float("weight_decay", 0, "Decoupled weight decay of the kernels.", 0)
flags.DEFINE_float("clip_norm", 0, "Largest norm of the gradient; 0: no limit.", 0)
flags.DEFINE_enum(
    "precision",
    "float32",
    ["float32", "mixed_bfloat16"],
    "Arithmetic of the layers; mixed_bfloat16 is for GPUs and TPUs.",
)
flags.DEFINE_integer("seed", 0, "Seed of weights, split, order and augmentation.")

# They belong to the machine.
MACHINE = (
    "output_dir",
    "strategy",
    "data_service",
    "jit_compile",
    "checkpoint_seconds",
    "tensorboard",
)
flags.DEFINE_string("output_dir", None, "Where to write; created.")
flags.DEFINE_enum(
    "strategy",
    "default",
    list(STRATEGIES),
    "default: one device; mirrored: all devices of this machine; multi_worker: the "
    "machines in the environment variable TF_CONFIG; tpu.",
)
flags.DEFINE_string("data_service", None, "Address of a tf.data service dispatcher.")
flags.DEFINE_bool("jit_compile", False, "XLA: slower on a CPU, faster on a GPU.")
flags.DEFINE_float("checkpoint_seconds", 60, "Time between two checkpoints.", 0)
flags.DEFINE_bool("tensorboard", True, "Write TensorBoard events.")
flags.mark_flag_as_required("output_dir")


def recipe(module: str) -> dict:
    """The values of all flags of a training script but the machine's.

    Args:
        module: __name__ of the script, which has adopted the flags of this module.
    """
    names = [flag.name for flag in _F.get_key_flags_for_module(module)]
    return {name: _F[name].value for name in names if name not in MACHINE}


def make_optimizer(learning_rate: float):
    """The optimizer of --optimizer."""
    return optimizers.make_optimizer(_F.optimizer, learning_rate, _F.weight_decay)


def make_schedule(learning_rate: float, epochs: int):
    """The schedule of --schedule.

    Raises:
        ValueError: if --milestones are not numbers or the warm-up is too long.
    """
    return schedules.make_schedule(
        _F.schedule,
        learning_rate,
        epochs,
        warmup_epochs=_F.warmup_epochs,
        milestones=[float(share) for share in _F.milestones],
        patience=_F.patience,
        decay=_F.decay,
        decay_epochs=_F.decay_epochs,
    )
