"""An image at the size in which a person looks at it, and what every picture needs."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from carcinosis_loc.points import Letterbox, Size

Rgb = npt.NDArray[np.uint8]

LEAST_SIDE_PX = 480


@dataclass(frozen=True)
class View(Letterbox):
    """The map between image pixels and the pixels of a picture ("network" in the names that it inherits)."""

    def show(self, image: Rgb) -> Rgb:
        """A copy of ``image`` (``(H, W, 3)``) in the picture's size."""
        if self.resized == self.source:
            return image.copy()
        shrink = self.resized[0] < self.source[0]
        interpolation = cv2.INTER_AREA if shrink else cv2.INTER_CUBIC
        return np.asarray(cv2.resize(image, self.resized[::-1], interpolation=interpolation), np.uint8)

    @property
    def mark_px(self) -> float:
        """What a mark's size is measured in, so that it looks alike on small and large pictures."""
        return max(1.0, min(self.resized) / 540)


def view_of(size: Size, most_side_px: int | None = None) -> View:
    """The view of an image of ``size``: a small one is enlarged until its shorter side has 480 pixels.

    Args:
        size: ``(height, width)``, image pixels.
        most_side_px: the longer side gets at most this; None shrinks nothing.
    """
    scale = max(1.0, LEAST_SIDE_PX / min(size))
    # A strip is not enlarged without end to make it 480 pixels wide.
    scale = min(scale, max(1.0, 4 * LEAST_SIDE_PX / max(size)))
    if most_side_px is not None:
        scale = min(scale, most_side_px / max(size))
    shown = max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
    return View(size, shown, shown)


def png(picture: Rgb) -> bytes:
    """``picture`` as the bytes of a PNG file."""
    return _encoded(picture, ".png")


def jpeg(picture: Rgb, quality: int = 90) -> bytes:
    """``picture`` as the bytes of a JPEG file, without metadata; ``quality`` runs from 0 to 100."""
    return _encoded(picture, ".jpg", cv2.IMWRITE_JPEG_QUALITY, quality)


def _encoded(picture: Rgb, suffix: str, *settings: int) -> bytes:
    done, data = cv2.imencode(suffix, np.ascontiguousarray(picture[..., ::-1]), settings)
    if not done:
        raise ValueError(f"a picture of shape {picture.shape} cannot be written as {suffix}")
    return bytes(data)
