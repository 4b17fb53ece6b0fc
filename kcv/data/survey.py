"""One look at every image file, so that broken ones are known before training.

Every file is decoded once (JPEG at an eighth of its size, which still reads all of its
data): what is empty, truncated or no picture is known by name and skipped, and nothing
stops a long run. The findings are kept in a file outside of the user's folder and are
reused for files whose size and time have not changed.
"""

import hashlib
import json
import multiprocessing.pool
import os
import pathlib
from typing import NamedTuple

import rich.console
import rich.progress
from absl import logging
from PIL import Image
from PIL import __version__ as pillow_version

FORMATS = ("BMP", "GIF", "JPEG", "PNG", "WEBP")
PILLOW, JPEG, PNG = 0, 1, 2  # who decodes a file; the last two are TensorFlow
MANY = 2000  # files whose looking at shows a progress bar
_ORIENTATION = 0x0112  # EXIF tag
_SURVEYS = {}  # root -> (digest of files, findings): three splits, one look


class Finding(NamedTuple):
    """What one look at a file told; `error` is empty for a good one."""

    decoder: int
    height: int
    width: int
    error: str


def look_at_all(root, files, max_bad_share, cache_dir=None):
    """Looks at every file that is new and warns of those that cannot be read.

    Args:
        root: Folder, a `pathlib.Path`.
        files: {name relative to root: (bytes, mtime in ns)}.
        max_bad_share: Largest share of unreadable files.
        cache_dir: Where findings are kept, by default ~/.cache/kcv.

    Returns:
        {name: `Finding`}.

    Raises:
        ValueError: A larger share of the files cannot be read.
    """
    key = str(root.resolve())
    digest = hashlib.sha256(repr(sorted(files.items())).encode(errors="replace"))
    state = (digest.hexdigest(), max_bad_share)
    if _SURVEYS.get(key, (None,))[0] == state:
        return _SURVEYS[key][1]

    name = hashlib.sha256(os.fsencode(key)).hexdigest()[:16]
    cache_file = pathlib.Path(cache_dir or _default_cache_dir(), f"images-{name}.json")
    findings = _read_cache(cache_file, files)
    unseen = [file for file in files if file not in findings]
    with multiprocessing.pool.ThreadPool(2 * os.cpu_count()) as pool:
        looks = rich.progress.track(
            pool.imap(_look, [os.path.join(root, file) for file in unseen], 16),
            f"looking at {len(unseen)} new images",
            total=len(unseen),
            console=rich.console.Console(stderr=True),
            disable=len(unseen) <= MANY,
        )
        findings.update(zip(unseen, looks))
    if unseen:
        _write_cache(cache_file, files, findings)

    bad = [file for file in files if findings[file].error]
    if bad:
        share = len(bad) / len(files)
        if share > max_bad_share:
            raise ValueError(
                f"{len(bad)} of {len(files)} images ({share:.0%}) in {root} cannot be"
                f" read, more than max_bad_share={max_bad_share:.0%}; the first is"
                f" {root / bad[0]} ({findings[bad[0]].error}): repair or remove them,"
                " or allow more"
            )
        names = [f"{file} ({findings[file].error})" for file in bad[:10]]
        names += [f"and {len(bad) - 10} more"] if len(bad) > 10 else []
        logging.warning(
            "%s: skipped %d of %d images that cannot be read: %s",
            root,
            len(bad),
            len(files),
            ", ".join(names),
        )
    _SURVEYS[key] = (state, findings)
    return findings


def _look(file):
    """Decodes a file once and returns its `Finding`."""
    if os.path.getsize(file) == 0:
        return Finding(0, 0, 0, "empty file")
    try:
        with Image.open(file, formats=FORMATS) as image:
            width, height = image.size
            decoder = _decoder_for(image)
            if image.format in ("JPEG", "MPO"):
                image.draft(image.mode, (1, 1))  # reads all, computes an eighth
            image.load()
    except MemoryError:
        raise
    # Pillow raises SyntaxError, ValueError, struct.error, ... on damaged files:
    # whatever it is, the file is unreadable and the reason is told to the user.
    except Exception as error:
        reason = str(error).replace(file, "").split("\n")[0].strip(" '\"")
        reason = "not an image" if "cannot identify" in reason else reason
        return Finding(0, 0, 0, reason or type(error).__name__)
    return Finding(decoder, height, width, "")


def _decoder_for(image):
    """Says who decodes an open image: TensorFlow only what it shows as Pillow does."""
    raw_mode = image.tile[0].args if image.tile else None  # getexif may load a PNG
    plain = (
        image.mode in ("L", "RGB")
        and image.getexif().get(_ORIENTATION, 1) == 1
        and not image.has_transparency_data
    )
    if plain and image.format in ("JPEG", "MPO"):
        return JPEG
    if plain and image.format == "PNG" and raw_mode in ("L", "RGB"):
        return PNG  # 8 bits
    return PILLOW


def _default_cache_dir():
    home = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(home) / "kcv"


def _read_cache(cache_file, files):
    """Returns what is known of unchanged files, {path: Finding}."""
    if not cache_file.is_file():
        return {}
    try:
        cache = json.loads(cache_file.read_text())
        if cache["pillow"] != pillow_version:
            return {}
        return {
            file: Finding(*finding)
            for file, (size, time, *finding) in cache["files"].items()
            if files.get(file) == (size, time)
        }
    except (ValueError, KeyError, TypeError) as error:
        logging.warning("%s is damaged (%s): looking at all images", cache_file, error)
        return {}


def _write_cache(cache_file, files, findings):
    """Keeps the findings; without a writable folder the next run looks again."""
    known = {file: (*files[file], *findings[file]) for file in files}
    partial = cache_file.with_name(f"{cache_file.name}.{os.getpid()}")
    try:
        cache_file.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(json.dumps({"pillow": pillow_version, "files": known}))
        partial.replace(cache_file)
    except OSError as error:
        logging.warning("cannot keep what is known of the images: %s", error)
