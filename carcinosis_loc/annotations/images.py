"""Image files: their size from the header, their pixels as 8-bit RGB, and the images of a folder.

Whatever is wrong with a file is an ``InputError`` that names it. EXIF orientation is obeyed everywhere.
"""

import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, UnidentifiedImageError

from carcinosis_loc.annotations.file_names import leads_outside
from carcinosis_loc.errors import InputError
from carcinosis_loc.points import Size

Rgb = npt.NDArray[np.uint8]

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".gif", ".jp2", ".ppm", ".pgm"})
MOST_PIXELS = 178_956_970  # Pillow's guard against decompression bombs: twice its ``MAX_IMAGE_PIXELS``
# Formats that only hold pixels: Pillow would start other programs for some of the rest.
_FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP", "GIF", "JPEG2000", "PPM")


def image_size(path: str | Path) -> Size:
    """``(height, width)`` of an image after EXIF orientation; only the header is read.

    Raises:
        InputError: the file is missing or unreadable, is no image, or is too large to be one (about 179 million
            pixels, Pillow's guard against decompression bombs).
    """
    with _opened(Path(path)) as image:
        width, height = image.size
        return (width, height) if _orientation(image) >= 5 else (height, width)


def read_image(path: str | Path) -> Rgb:
    """Pixels ``(height, width, 3)``, uint8, RGB, upright by EXIF; of an animation the first frame.

    Grey is repeated, palettes and CMYK are converted, 16-bit values are divided by 257 and rounded. Alpha is
    dropped: colours stay as they are stored, and nothing is blended with a background.

    Raises:
        InputError: as for ``image_size``; or the pixels are cut off, damaged or 32-bit floats.
    """
    path = Path(path)
    with _opened(path) as image:
        orientation = _orientation(image)
        deep = _is_16_bit_png(path)
        image.load()
        pixels = _read_16_bit_png(path) if deep else _to_rgb(image)
        return np.ascontiguousarray(_upright(pixels, orientation))


def list_images(source: str | Path, *, allow_symlinks: bool = False) -> list[Path]:
    """The images that ``source`` stands for: itself, or a folder's (and its folders'), sorted by path.

    A file is taken whatever its suffix; in a folder the usual suffixes count and hidden files do not.

    Args:
        source: an image or a folder.
        allow_symlinks: follow links to folders, and links that lead out of ``source``.

    Raises:
        InputError: there is no such file or folder, it holds no image, or a link leads out of it.
    """
    source = Path(source)
    if not source.is_dir():
        image_size(source)
        return [source]
    found = [path for path in list_files(source, allow_symlinks=allow_symlinks) if path.suffix.lower() in SUFFIXES]
    if not found:
        raise InputError(f"{source}: no image in this folder; looked for {', '.join(sorted(SUFFIXES))}")
    for path in found:
        if not allow_symlinks and path.is_symlink() and leads_outside(path, source):
            raise InputError(f"{path}: is a link to outside {source}; set data.allow_symlinks to allow it")
    return found


def list_files(folder: str | Path, *, allow_symlinks: bool = False) -> list[Path]:
    """All files in a folder and its folders that are not hidden, sorted by path; see ``list_images``."""
    return sorted(_walk(Path(folder), allow_symlinks))


def _walk(folder: Path, follow_links: bool) -> Iterator[Path]:
    visited: set[str] = set()
    for root, folders, files in os.walk(folder, onerror=_unreadable, followlinks=follow_links):
        visited.add(os.path.realpath(root))
        # A link may lead back up: each real folder is walked once.
        folders[:] = [
            name
            for name in folders
            if not name.startswith(".") and os.path.realpath(os.path.join(root, name)) not in visited
        ]
        yield from (Path(root, name) for name in files if not name.startswith("."))


def _unreadable(error: OSError) -> None:
    raise InputError(f"{error.filename}: this folder cannot be read ({error.strerror})") from error


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """Open an image; whatever goes wrong with it until the end of the block is an ``InputError``."""
    try:
        if not path.is_file():  # a pipe or a device would block or never end
            raise InputError(f"{path}: {'is no image file' if path.exists() else 'there is no such image'}")
        Image.init()
        with warnings.catch_warnings():
            # Up to twice Pillow's limit is a large image; beyond, Pillow raises.
            warnings.simplefilter("ignore")
            with Image.open(path, formats=_FORMATS) as image:
                yield image
    except (InputError, MemoryError):
        raise
    except Image.DecompressionBombError as error:
        pixels = re.search(r"\d+", str(error))
        number = f"{int(pixels[0]):,}" if pixels else "too many"
        raise InputError(f"{path}: the image has {number} pixels, more than can be read; cut it up") from error
    except UnidentifiedImageError as error:
        raise InputError(f"{path}: this is no image that can be read (or its header is damaged)") from error
    except Exception as error:  # Pillow's decoders raise nearly anything on damaged files
        raise InputError(f"{path}: the image cannot be read ({error or type(error).__name__})") from error


def _orientation(image: Image.Image) -> int:
    """EXIF orientation, 1 to 8, from what precedes the pixels; 1 where Pillow turns the image itself (TIFF)."""
    if image.format == "TIFF":
        return 1
    # The PNG class's own getexif decodes the whole image in search of EXIF data that follow the pixels.
    value = Image.Image.getexif(image).get(ExifTags.Base.Orientation, 1)
    return value if value in range(1, 9) else 1


def _upright(pixels: Rgb, orientation: int) -> Rgb:
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels


def _to_rgb(image: Image.Image) -> Rgb:
    if image.mode.startswith("I"):
        return _from_16_bit(np.asarray(image))
    if image.mode == "F":
        raise ValueError("it holds 32-bit floats; save it with 8 or 16 bits")
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")
    return np.asarray(image.convert("RGB"))


def _is_16_bit_png(path: Path) -> bool:
    with path.open("rb") as file:
        header = file.read(25)
    return header.startswith(b"\x89PNG") and header[24:] == b"\x10"


def _read_16_bit_png(path: Path) -> Rgb:
    """Through OpenCV: Pillow keeps only the upper 8 bits of each 16-bit colour channel."""
    pixels = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise ValueError("the pixels are damaged")
    if pixels.ndim == 3:
        pixels = pixels[:, :, 0] if pixels.shape[2] <= 2 else pixels[:, :, 2::-1]
    return _from_16_bit(pixels)


def _from_16_bit(pixels: npt.NDArray[Any]) -> Rgb:
    if pixels.size and (pixels.min() < 0 or pixels.max() > 65535):
        raise ValueError("its values do not fit into 16 bits; save it with 8 or 16 bits")
    rounded = ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
    return np.repeat(rounded[:, :, None], 3, axis=2) if rounded.ndim == 2 else rounded
