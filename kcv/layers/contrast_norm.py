"""Local contrast normalisation: what stands out of its neighbourhood.

Paper: K. Jarrett, K. Kavukcuoglu, M. Ranzato, Y. LeCun, "What is the Best Multi-Stage
Architecture for Object Recognition?", 2009, section 2,
https://doi.org/10.1109/ICCV.2009.5459469

Differs from the paper: it does not say what is beyond the border; here the image is
reflected, so that a constant image becomes zero everywhere.
"""

import keras
import numpy as np
from keras import layers, ops

from kcv.layers.border_padding import pad_border


@keras.saving.register_keras_serializable("kcv")
class ContrastNorm(layers.Layer):
    """Subtracts the mean around each pixel, divides by the deviation around it.

    Both are weighted by a Gaussian window and taken over all channels. A deviation
    below the mean one of its image is replaced by that, so that flat regions stay calm.

    Args:
        kernel_size: side of the window, in pixels; odd. The paper has 9.
        sigma: of the Gaussian, in pixels; None for a quarter of the window.
        epsilon: smallest deviation, in units of the input.
    """

    def __init__(self, kernel_size=9, sigma=None, epsilon=1e-4, **kwargs):
        super().__init__(**kwargs)
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise ValueError(f"kernel_size must be odd and positive, got {kernel_size}")
        self.kernel_size, self.epsilon = kernel_size, epsilon
        self.sigma = kernel_size / 4 if sigma is None else sigma

    def call(self, images):
        """(b, h, w, c) to the same shape; height and width above half the window."""
        centred = images - self._around(images)
        variance = self._around(ops.square(centred))
        deviation = ops.sqrt(ops.maximum(variance, self.epsilon**2))
        typical = ops.mean(deviation, axis=(1, 2), keepdims=True)
        return centred / ops.maximum(deviation, typical)

    def compute_output_shape(self, input_shape):  # noqa: D102
        return input_shape

    def get_config(self):  # noqa: D102
        own = {n: getattr(self, n) for n in ("kernel_size", "sigma", "epsilon")}
        return super().get_config() | own

    def _around(self, x):
        """The weighted mean over window and channels, (b, h, w, 1)."""
        reach = self.kernel_size // 2
        steps = np.arange(-reach, reach + 1)
        bell = np.exp(-0.5 * (steps / self.sigma) ** 2)
        bell /= bell.sum()
        window = ops.convert_to_tensor(np.outer(bell, bell)[:, :, None, None], x.dtype)
        mean = ops.mean(x, axis=-1, keepdims=True)
        mean = pad_border(mean, ((reach, reach),) * 2, "reflect")
        return ops.conv(mean, window, padding="valid")
