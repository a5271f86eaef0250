"""What a frame is made of before the camera sees it, and the light that falls on it."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from carcinosis_loc.points import Float32, Size
from carcinosis_loc.synthetic.fields import unit
from carcinosis_loc.synthetic.looks import Look

_WRAP = 0.35  # light that goes through the tissue and softens the shaded sides
_STEEPEST = 1.6


@dataclass
class Scene:
    """A relief seen from above, ``(H, W)`` pixels; the parts are changed in place while it is put together.

    Attributes:
        albedo: ``(H, W, 3)``, RGB, linear light, 0 to 1: the colour of the surface.
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
    """A colour of 0 to 255 a channel in linear light; the display's gamma is taken as 2."""
    return (np.array([red, green, blue], np.float32) / 255) ** 2


def facing(scene: Scene, look: Look) -> tuple[Float32, Float32]:
    """Cosine between the surface and the light, and the same for a flat surface; both ``(H, W)``.

    The light stands beside the lens, so that it is also the direction of the view.
    """
    height, width = scene.size
    short = min(scene.size)
    x = np.arange(width, dtype=np.float32) - np.float32((width - 1) / 2 + look.light_offset[0] * short)
    y = np.arange(height, dtype=np.float32) - np.float32((height - 1) / 2 + look.light_offset[1] * short)
    z = np.float32(look.light_distance * short)
    flat = z / np.sqrt(x[None, :] ** 2 + (y**2)[:, None] + z**2)
    slope_x = np.clip(cv2.Sobel(scene.height, cv2.CV_32F, 1, 0, scale=0.125), -_STEEPEST, _STEEPEST)
    slope_y = np.clip(cv2.Sobel(scene.height, cv2.CV_32F, 0, 1, scale=0.125), -_STEEPEST, _STEEPEST)
    cosine = z + slope_x * x[None, :] + slope_y * y[:, None]
    cosine *= flat / z
    cosine /= np.sqrt(1 + slope_x * slope_x + slope_y * slope_y)
    return cosine, flat


def highlights(scene: Scene, look: Look, cosine: Float32) -> Float32:
    """Wet highlights: where the surface faces the light almost squarely, ``(H, W)``."""
    return np.asarray(cv2.exp((cosine - 1) * np.float32(look.shininess)), np.float32) * scene.gloss


def shade(scene: Scene, look: Look) -> Float32:
    """The scene as the camera's lens sees it: ``(H, W, 3)``, RGB, linear light, not yet clipped.

    A flat surface keeps ``albedo * light``.
    """
    cosine, flat = facing(scene, look)
    relative = np.maximum((cosine + _WRAP) / (flat + _WRAP), 0.08)
    image = scene.albedo * (scene.light * relative)[..., None]
    image += (highlights(scene, look, cosine) * np.minimum(scene.light, 1))[..., None]
    return image


def occlude(scene: Scene, strength: float) -> None:
    """Darken what lies deeper than its surroundings, at two scales."""
    for reach_px in (4 * unit(scene.size), 14 * unit(scene.size)):
        shrink = max(1, int(reach_px // 3))
        small = cv2.resize(scene.height, None, fx=1 / shrink, fy=1 / shrink, interpolation=cv2.INTER_AREA)
        depth = (cv2.GaussianBlur(small, (0, 0), reach_px / shrink) - small) / np.float32(reach_px)
        shadow = np.clip(1 - np.float32(strength) * depth, 0.3, 1.15)
        shadow = cv2.resize(shadow, scene.size[::-1], interpolation=cv2.INTER_LINEAR)
        scene.light *= shadow
        # what reaches a furrow has been reflected by tissue, and is the redder for it
        scene.albedo[..., 1:] *= (1 - np.float32(0.35) * (1 - shadow))[..., None]
