"""The mean colour of ImageNet, taken away in the network as its papers say.

Every model of the zoo takes pixels in [-1, 1], red first. Networks whose published
weights want other pixels take the mean away first, and the first kernel of a published
file is turned to what is left. It has to be a layer: a convolution that pads sees zeros
around, and zero must be the mean colour there.
"""

import numpy as np
from keras import layers

# Of pixels in 0..255: of Caffe's models, and of torchvision's with their deviations.
CAFFE_MEAN = (123.68, 116.779, 103.939)
TORCH_MEAN = (123.675, 116.28, 103.53)
TORCH_STD = (58.395, 57.12, 57.375)
MINUS_MEAN = "minus_mean"  # the layer; a saved model that has it is ours


def subtract_mean(images, mean):
    """Takes the mean colour away; images without three channels stay as they are.

    Args:
        images: (batch, height, width, channels) in [-1, 1].
        mean: of red, green and blue in 0..255.
    """
    if images.shape[-1] != 3:
        return images
    offset = [1 - channel / 127.5 for channel in mean]
    return layers.Rescaling(1.0, offset, name=MINUS_MEAN)(images)


def from_caffe(arrays):
    """A published first layer that wants blue first, 0..255 minus CAFFE_MEAN.

    Args:
        arrays: [kernel (h, w, 3, filters), ...]; other channels are left alone.

    Returns:
        The arrays for what `subtract_mean` gives.
    """
    return _with_kernel(arrays, lambda kernel: kernel[:, :, ::-1] * 127.5)


def from_torch(arrays):
    """As `from_caffe`, of one that wants 0..255 minus TORCH_MEAN over TORCH_STD."""
    scale = 127.5 / np.array(TORCH_STD, "float32")
    return _with_kernel(arrays, lambda kernel: kernel * scale[:, None])


def _with_kernel(arrays, change):
    kernel, *others = arrays
    return [change(kernel) if kernel.shape[2] == 3 else kernel, *others]
