"""Pictures of answers."""

from PIL import Image, ImageDraw, ImageFont


def classification(image: Image.Image, predictions) -> Image.Image:
    """The image above one bar for each prediction, as long as its score.

    Args:
        image: PIL image, RGB.
        predictions: list of classify.Prediction.

    Returns:
        PIL image, 320 to 1280 pixels wide.
    """
    return _above_bars(_resized(image), predictions)


def localisation(image: Image.Image, located) -> Image.Image:
    """The image with the box of a thing, above the bar of its score.

    Args:
        image: PIL image, RGB.
        located: localise.Located.

    Returns:
        PIL image, 320 to 1280 pixels wide.
    """
    picture = _resized(image)
    scale = picture.width / image.width, picture.height / image.height
    x1, y1, x2, y2 = (side * scale[i % 2] for i, side in enumerate(located.box))
    line = max(2, picture.width // 160)
    canvas = ImageDraw.Draw(picture)
    if x2 - x1 >= 1 and y2 - y1 >= 1:
        # A light line between dark ones shows on any picture.
        for width, color in ((line + 2, "#08306b"), (line, "#fdae6b")):
            canvas.rectangle((x1, y1, x2 - 1, y2 - 1), outline=color, width=width)
    return _above_bars(picture, [located])


def _resized(image):
    width = min(max(image.width, 320), 1280)
    height = max(1, round(image.height * width / image.width))
    # Small images keep their pixels visible.
    kind = Image.Resampling.NEAREST if width > image.width else Image.Resampling.LANCZOS
    return image.convert("RGB").resize((width, height), kind)


def _above_bars(image, predictions):
    width, height = image.size
    row = max(20, width // 24)
    picture = Image.new("RGB", (width, height + row * len(predictions)), "white")
    picture.paste(image)
    canvas, font = ImageDraw.Draw(picture), ImageFont.load_default(row * 0.65)
    for k, prediction in enumerate(predictions):
        top = height + k * row
        bar = (0, top, round(prediction.score * (width - 1)), top + row - 2)
        canvas.rectangle(bar, fill="#9ecae1" if k == 0 else "#deebf7")
        text = f"{prediction.label}  {prediction.score:.3f}"
        canvas.text((row * 0.2, top + row * 0.1), text, "black", font)
    return picture
