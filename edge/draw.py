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
    width = min(max(image.width, 320), 1280)
    height = max(1, round(image.height * width / image.width))
    # Small images keep their pixels visible.
    kind = Image.Resampling.NEAREST if width > image.width else Image.Resampling.LANCZOS
    row = max(20, width // 24)
    picture = Image.new("RGB", (width, height + row * len(predictions)), "white")
    picture.paste(image.resize((width, height), kind))
    canvas, font = ImageDraw.Draw(picture), ImageFont.load_default(row * 0.65)
    for k, prediction in enumerate(predictions):
        top = height + k * row
        bar = (0, top, round(prediction.score * (width - 1)), top + row - 2)
        canvas.rectangle(bar, fill="#9ecae1" if k == 0 else "#deebf7")
        text = f"{prediction.label}  {prediction.score:.3f}"
        canvas.text((row * 0.2, top + row * 0.1), text, "black", font)
    return picture
