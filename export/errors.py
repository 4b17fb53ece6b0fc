"""The one error of the export gate."""


class ExportError(ValueError):
    """A file was refused. One line: what failed, in which layer, and the remedy."""
