"""Keras model -> proven .tflite: convert, quantize, verify, describe."""

from kcv.export.errors import ExportError
from kcv.export.gate import convert
from kcv.export.report import Report
from kcv.export.stages import convert_stages

__all__ = ["ExportError", "Report", "convert", "convert_stages"]
