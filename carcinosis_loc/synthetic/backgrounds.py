"""A person's own lesion-free frames as the ground for nodules."""

from pathlib import Path

import cv2
import numpy as np

from carcinosis_loc.errors import InputError
from carcinosis_loc.points import Float32, Size
from carcinosis_loc.synthetic.camera import Image
from carcinosis_loc.synthetic.fields import blur, float32, unit
from carcinosis_loc.synthetic.scene import Scene

_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"}


def list_backgrounds(folder: Path) -> list[Path]:
    """The images in ``folder`` (not below it), by name.

    Raises:
        InputError: no such folder, no image in it, or a file in it that is no image in spite of its name.
    """
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES and path.is_file())
    except OSError as error:
        raise InputError(
            f"{folder}: the folder of backgrounds cannot be read ({error.strerror}); name another one"
        ) from error
    if not paths:
        raise InputError(f"{folder}: holds no image ({', '.join(sorted(_SUFFIXES))}); put lesion-free frames there")
    for path in paths:
        if not cv2.haveImageReader(str(path)):
            raise InputError(f"{path}: is no readable image; mend it or take it out of the folder of backgrounds")
    return paths


def read_background(path: Path) -> Image:
    """Read an image as RGB, uint8, with its EXIF orientation applied; an ``InputError`` names it if it is broken."""
    try:
        image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    except cv2.error:
        image = None
    if image is None:
        raise InputError(f"{path}: this image cannot be decoded; mend it or take it out of the folder of backgrounds")
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


def background_scene(rng: np.random.Generator, image: Image, size: Size) -> Scene:
    """A random crop of ``image``, resized to ``size``, as a scene that shades back to that very crop.

    What the picture shows is split into a local light and a colour, so that a nodule takes on the light of the
    place where it is painted. Nodules are kept off dark places, glare and, in coloured pictures, grey metal.
    """
    display = float32(_crop(rng, image, size).transpose(2, 0, 1)) / np.float32(255)
    seen = display * display
    light = np.maximum(blur(np.ascontiguousarray(seen.max(0)), 6 * unit(size)), np.float32(0.01)) * np.float32(1.3)
    zero = np.zeros(size, np.float32)
    return Scene(np.ascontiguousarray(seen / light), zero, light, zero.copy(), _blocked(display, unit(size)))


def _crop(rng: np.random.Generator, image: Image, size: Size) -> Image:
    height, width = image.shape[:2]
    fit = min(height / size[0], width / size[1]) * rng.uniform(0.65, 1.0)
    rows, columns = (min(side, max(1, round(fit * want))) for side, want in zip((height, width), size, strict=True))
    top, left = int(rng.integers(0, height - rows + 1)), int(rng.integers(0, width - columns + 1))
    part = image[top : top + rows, left : left + columns]
    if rng.random() < 0.5:
        part = np.ascontiguousarray(part[:, ::-1])
    way = cv2.INTER_AREA if fit >= 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(part, size[::-1], interpolation=way), np.uint8)


def _blocked(display: Float32, u: float) -> np.ndarray:
    brightest, darkest = (blur(np.ascontiguousarray(plane), 1.5 * u) for plane in (display.max(0), display.min(0)))
    saturation = 1 - darkest / np.maximum(brightest, 0.01)
    blocked: np.ndarray = (brightest < 0.25) | (darkest > 0.92)
    if float(np.median(saturation)) > 0.2:
        blocked |= saturation < 0.1
    # the middle of a shaft mirrors red tissue: what is close to metal, dark or glare is left out too
    reach = 1 + 2 * round(4 * u)
    return np.asarray(cv2.dilate(blocked.astype(np.uint8), np.ones((reach, reach), np.uint8)) > 0)
