"""kcv: computer vision in Keras 3, from the paper to a proven TFLite file."""

__version__ = "0.1.0"
