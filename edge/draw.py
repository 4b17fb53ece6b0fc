"""Pictures of answers."""

from PIL import Image, ImageDraw, ImageFont

# Of masks and keypoints, one thing after the other; far apart for all eyes.
COLORS = ("#e69f00", "#56b4e9", "#009e73", "#f0e442", "#d55e00", "#cc79a7", "#0072b2")
COVER = 0.5  # how much of a picture a mask hides


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
    box = [side * scale[i % 2] for i, side in enumerate(located.box)]
    _outline(ImageDraw.Draw(picture), box, max(2, picture.width // 160))
    return _above_bars(picture, [located])


def detection(image: Image.Image, detected) -> Image.Image:
    """The image with a box and a name for each thing, its mask and its keypoints.

    Args:
        image: PIL image, RGB.
        detected: list of detected.Detected, Segmented or Posed. Keypoints that are less
            likely than a tenth of their box's most likely one are left out.

    Returns:
        PIL image, 320 to 1280 pixels wide.
    """
    picture = _resized(image)
    scale = picture.width / image.width, picture.height / image.height
    colors = [COLORS[k % len(COLORS)] for k in range(len(detected))]
    for thing, color in zip(detected, colors):
        _cover(picture, getattr(thing, "mask", None), color)
    canvas = ImageDraw.Draw(picture)
    for thing, color in zip(detected, colors):
        points = getattr(thing, "keypoints", ())
        _dots(canvas, points, scale, max(3, picture.width // 200), color)
    font = ImageFont.load_default(max(11, picture.width // 45))
    for thing in reversed(detected):  # the most certain on top
        box = [side * scale[i % 2] for i, side in enumerate(thing.box)]
        _outline(canvas, box, max(2, picture.width // 240))
        text = f"{thing.label} {thing.score:.2f}"
        x1, y1, x2, y2 = canvas.textbbox((0, 0), text, font)
        left = max(min(box[0], picture.width - x2 - 4), 0)
        top = box[1] - y2 - 4 if box[1] >= y2 + 4 else box[1]
        canvas.rectangle((left, top, left + x2 + 4, top + y2 + 4), fill="#08306b")
        canvas.text((left + 2, top + 2), text, "white", font)
    return picture


def _cover(picture, mask, color):
    """Tints a picture where a mask, uint8 of any size, is 1."""
    if mask is not None:
        shape = Image.fromarray(mask * 255).resize(picture.size)
        solid = Image.new("RGB", picture.size, color)
        picture.paste(Image.blend(picture, solid, COVER), mask=shape)


def _dots(canvas, points, scale, radius, color):
    """A dot with a dark rim for each x, y, score."""
    least = max((score for _, _, score in points), default=0) / 10
    for x, y, score in points:
        if score >= least:
            place = (x * scale[0], y * scale[1])
            canvas.circle(place, radius, color, "#08306b", max(1, radius // 3))


def _outline(canvas, box, line):
    """A light line between dark ones shows on any picture."""
    x1, y1, x2, y2 = box
    if x2 - x1 >= 1 and y2 - y1 >= 1:
        for width, color in ((line + 2, "#08306b"), (line, "#fdae6b")):
            canvas.rectangle((x1, y1, x2 - 1, y2 - 1), outline=color, width=width)


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
