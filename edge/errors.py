"""The one error of kcv.edge."""


class EdgeError(ValueError):
    """A model file, an image or an argument that cannot be used, in one line."""

    def __init__(self, message: str):
        # What LiteRT and Pillow say, which messages quote, can have several lines.
        super().__init__(" ".join(message.split("\n")))
