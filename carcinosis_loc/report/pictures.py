"""Frames as the page holds them: JPEG inside the page, points as circles over it."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from carcinosis_loc.annotations.images import read_image
from carcinosis_loc.drawing.view import View, jpeg
from carcinosis_loc.errors import InputError
from carcinosis_loc.points import Size

_MOST_SIDE_PX = 1280


@dataclass(frozen=True)
class Circle:
    """A point on a frame, image pixels; the radius grows with the score, as on overlays."""

    x: float
    y: float
    score: float
    radius: float


def data_uri(path: Path, size: Size) -> str:
    """A picture as a JPEG data URI, at most 1280 pixels long. It is encoded anew, so that no metadata comes along.

    Args:
        path: the picture.
        size: height and width that points on it refer to.

    Raises:
        InputError: it cannot be read, or has another size.
    """
    image = read_image(path)
    if image.shape[:2] != size:
        raise InputError(
            f"{path}: is {image.shape[1]} x {image.shape[0]} pixels, but its entry says {size[1]} x {size[0]}"
        )
    scale = min(1.0, _MOST_SIDE_PX / max(size))
    shown = max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
    return "data:image/jpeg;base64," + base64.b64encode(jpeg(View(size, shown, shown).show(image), 85)).decode("ascii")


def mark_px(size: Size) -> float:
    """What marks are measured in, so that they look alike on small and large frames."""
    return round(min(size) / 540, 3)


def circles(points: Sequence[tuple[float, float, float]], size: Size) -> list[Circle]:
    """Circles of points ``(x, y, score)``, image pixels."""
    unit = mark_px(size)
    return [Circle(round(x, 2), round(y, 2), score, round((4 + 5 * score) * unit, 2)) for x, y, score in points]
