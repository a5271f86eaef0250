"""Heatmaps over their image, on an absolute scale: 0 to 1, never stretched to a map's own highest value."""

import math
from dataclasses import dataclass

import cv2
import matplotlib
import numpy as np
import numpy.typing as npt

from carcinosis_loc.drawing.view import Rgb, View
from carcinosis_loc.points import Float32, Letterbox, image_to_map

# Even to the eye and in grey (van der Walt and Smith); 256 steps from probability 0 to 1.
_COLOURS: Rgb = np.round(matplotlib.colormaps["inferno"](np.arange(256))[:, :3] * 255).astype(np.uint8)
_GROUND = 0.55  # brightness of the image beneath
_OPAQUE_FROM = 0.3  # probability from which nothing of the image is seen


@dataclass(frozen=True, eq=False)
class Heatmap:
    """Probabilities of one frame and where they lie.

    Attributes:
        probability: ``(h, w)``, float32, in [0, 1], map cells.
        letterbox: the map between image and network pixels.
        stride: network pixels a cell.
    """

    probability: Float32
    letterbox: Letterbox
    stride: int

    def on(self, view: View) -> Float32:
        """Probabilities at the pixels of a view of the image, ``(H, W)``, interpolated linearly."""
        height, width = view.resized
        x = self._cells(view, np.stack([np.arange(width), np.zeros(width)], axis=1))[:, 0]
        y = self._cells(view, np.stack([np.zeros(height), np.arange(height)], axis=1))[:, 1]
        columns, rows = np.broadcast_to(x, (height, width)), np.broadcast_to(y[:, None], (height, width))
        shown = cv2.remap(
            self.probability.astype(np.float32),
            np.ascontiguousarray(columns),
            np.ascontiguousarray(rows),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        return np.asarray(shown, np.float32)

    @property
    def highest(self) -> float:
        """The highest probability of the cells that the image covers; padding does not count."""
        (left, top), (height, width) = self.letterbox.offset, self.letterbox.resized
        rows = slice(top // self.stride, math.ceil((top + height) / self.stride))
        columns = slice(left // self.stride, math.ceil((left + width) / self.stride))
        return float(self.probability[rows, columns].max(initial=0))

    def _cells(self, view: View, xy: npt.NDArray[np.floating]) -> Float32:
        in_image = view.to_image(xy.astype(np.float32))
        return image_to_map(self.letterbox.to_network(in_image), self.stride).astype(np.float32)


def heat_picture(image: Rgb, probability: Float32) -> Rgb:
    """Blend a heatmap over its image in grey.

    Args:
        image: ``(H, W, 3)``, uint8, RGB.
        probability: ``(H, W)``, in [0, 1].

    Returns:
        ``(H, W, 3)``, uint8, RGB.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)[..., None] * _GROUND
    return _blend(np.broadcast_to(grey, image.shape), probability)


def heat_bar(width: int, height: int) -> Rgb:
    """The colours of ``heat_picture`` from 0 (left) to 1 (right)."""
    probability = np.broadcast_to(np.linspace(0, 1, width, dtype=np.float32), (height, width))
    return _blend(np.zeros((height, width, 3), np.float32), probability)


def _blend(ground: Float32, probability: Float32) -> Rgb:
    step = np.round(np.clip(probability, 0, 1) * 255).astype(np.uint8)
    share = np.clip(probability / _OPAQUE_FROM, 0, 1)[..., None]
    return np.asarray(np.round(ground * (1 - share) + _COLOURS[step] * share), np.uint8)
