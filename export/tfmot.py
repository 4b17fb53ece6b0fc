"""tensorflow-model-optimization, imported without its side effect.

Its first import sets TF_USE_LEGACY_KERAS for the whole process and for every process
that it starts, which would turn `tf.keras` there into tf_keras. Import it from here.
"""

import os

import tensorflow as tf

_VARIABLE = "TF_USE_LEGACY_KERAS"
_before = os.environ.get(_VARIABLE)
tf.keras.version()  # tf.keras is what it is from here on; the toolkit sees Keras 3

import tensorflow_model_optimization as toolkit  # noqa: E402
from tensorflow_model_optimization.python.core.quantization.keras import (  # noqa: E402
    quant_ops,
)
from tensorflow_model_optimization.python.core.quantization.keras.quantize_layer import (  # noqa: E402, E501
    QuantizeLayer,
)

if _before is None:
    os.environ.pop(_VARIABLE, None)
else:
    os.environ[_VARIABLE] = _before

quantization = toolkit.quantization.keras
sparsity = toolkit.sparsity.keras
clustering = toolkit.clustering.keras

__all__ = ["QuantizeLayer", "clustering", "quant_ops", "quantization", "sparsity"]
