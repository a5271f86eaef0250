"""What a frame is made of before the camera sees it, and the light that falls on it."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from carcinosis_loc.points import Float32, Size
from carcinosis_loc.synthetic.fields import float32, middle, offsets, unit
from carcinosis_loc.synthetic.looks import Look

_WRAP = 0.35  # light that goes through the tissue and softens the shaded sides
_STEEPEST = 1.6


@dataclass
class Scene:
    """A relief seen from above, ``(H, W)`` pixels; the parts are changed in place while it is put together.

    Attributes:
        albedo: ``(3, H, W)``, RGB, linear light, 0 to 1: the colour of the surface.
        height: ``(H, W)``, pixels: the relief that is shaded.
        light: ``(H, W)``: what reaches a flat surface at that place; 1 is well lit.
        gloss: ``(H, W)``: strength of wet highlights.
        blocked: ``(H, W)``, bool: no nodule's centre may lie here.
    """

    albedo: Float32
    height: Float32
    light: Float32
    gloss: Float32
    blocked: npt.NDArray[np.bool_]

    @property
    def size(self) -> Size:
        """``(height, width)`` in pixels."""
        return self.height.shape[0], self.height.shape[1]


def linear(red: float, green: float, blue: float) -> Float32:
    """A colour of 0 to 255 a channel in linear light, ``(3, 1, 1)``; the display's gamma is taken as 2."""
    return float32((np.array([red, green, blue]).reshape(3, 1, 1) / 255) ** 2)


def gain(red: float, green: float, blue: float) -> Float32:
    """Factors for the channels of a colour in linear light, ``(3, 1, 1)``."""
    return np.array([red, green, blue], np.float32).reshape(3, 1, 1)


def facing(scene: Scene, look: Look) -> tuple[Float32, Float32]:
    """Cosine between the surface and the light, and the same for a flat surface; both ``(H, W)``.

    The light stands beside the lens, so that it is also the direction of the view.
    """
    short = min(scene.size)
    centre = middle(scene.size)
    x, y = offsets(scene.size, (centre[0] + look.light_offset[0] * short, centre[1] + look.light_offset[1] * short))
    z = np.float32(look.light_distance * short)
    flat = float32(z / np.sqrt(x * x + y * y + z**2))
    slope_x = np.clip(cv2.Sobel(scene.height, cv2.CV_32F, 1, 0, scale=0.125), -_STEEPEST, _STEEPEST)
    slope_y = np.clip(cv2.Sobel(scene.height, cv2.CV_32F, 0, 1, scale=0.125), -_STEEPEST, _STEEPEST)
    cosine = z + slope_x * x + slope_y * y
    cosine *= flat / z
    cosine /= np.sqrt(1 + slope_x * slope_x + slope_y * slope_y)
    return float32(cosine), flat


def highlights(scene: Scene, look: Look, cosine: Float32) -> Float32:
    """Wet highlights: where the surface faces the light almost squarely, ``(H, W)``."""
    return float32(cv2.exp((cosine - 1) * np.float32(look.shininess))) * scene.gloss


def shade(scene: Scene, look: Look) -> Float32:
    """The scene as the camera's lens sees it: ``(3, H, W)``, RGB, linear light, not yet clipped.

    A flat surface keeps ``albedo * light``.
    """
    cosine, flat = facing(scene, look)
    relative = np.maximum((cosine + _WRAP) / (flat + _WRAP), 0.15)
    image = scene.albedo * (scene.light * relative)
    image += highlights(scene, look, cosine) * np.minimum(scene.light, 1)
    return image


def occlude(scene: Scene, strength: float) -> None:
    """Darken what lies deeper than its surroundings, at two scales."""
    for reach_px in (4 * unit(scene.size), 14 * unit(scene.size)):
        shrink = max(1, int(reach_px // 3))
        small = cv2.resize(scene.height, None, fx=1 / shrink, fy=1 / shrink, interpolation=cv2.INTER_AREA)
        depth = (cv2.GaussianBlur(small, (0, 0), reach_px / shrink) - small) / np.float32(reach_px)
        shadow = np.clip(1 - np.float32(strength) * depth, 0.42, 1.15)
        shadow = cv2.resize(shadow, scene.size[::-1], interpolation=cv2.INTER_LINEAR)
        scene.light *= shadow
        # what reaches a furrow has been reflected by tissue, and is the redder for it
        scene.albedo[1:] *= 1 - np.float32(0.35) * (1 - shadow)
