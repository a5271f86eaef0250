"""Instruments: a shaft that comes in from an edge, with a pair of jaws or a blunt tip."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from carcinosis_loc.points import Float32
from carcinosis_loc.synthetic.fields import blur, offsets, smoothstep, unit
from carcinosis_loc.synthetic.looks import Look
from carcinosis_loc.synthetic.scene import Scene


@dataclass
class Overlay:
    """What stands between the lens and the tissue.

    Attributes:
        colour: ``(3, H, W)``, RGB, linear light.
        cover: ``(H, W)``, 0 to 1.
    """

    colour: Float32
    cover: Float32


def draw_instruments(rng: np.random.Generator, look: Look, scene: Scene) -> Overlay | None:
    """None, one or two instruments; their shadow falls on the scene, and no nodule hides below them."""
    if rng.random() >= look.instruments:
        return None
    overlay = Overlay(np.zeros((3, *scene.size), np.float32), np.zeros(scene.size, np.float32))
    for _ in range(1 + int(rng.random() < 0.3)):
        _draw_one(rng, look, scene, overlay)
    _cast_shadow(scene, overlay.cover)
    return overlay


def _draw_one(rng: np.random.Generator, look: Look, scene: Scene, overlay: Overlay) -> None:
    height, width = scene.size
    short = min(scene.size)
    side = rng.uniform(0, 2 * np.pi)
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    outward = np.array([np.cos(side), np.sin(side)])
    entry = centre + outward * centre / np.abs(outward).max()
    tip = centre + rng.uniform(-0.25, 0.25, 2) * np.array([width, height]) + outward * rng.uniform(0.0, 0.3) * short
    axis = (tip - entry) / np.hypot(*(tip - entry))
    x, y = offsets(scene.size, (float(tip[0]), float(tip[1])))
    along = np.float32(axis[0]) * x + np.float32(axis[1]) * y  # 0 at the tip, negative on the shaft
    across = np.float32(-axis[1]) * x + np.float32(axis[0]) * y

    half = float(rng.uniform(0.04, 0.06)) * short
    insulated = rng.random() < 0.45
    jaws = float(rng.uniform(0.16, 0.24)) * short
    neck = -jaws - 0.06 * short
    # the lens is near: the shaft widens towards the edge of the picture
    shaft_half = np.float32(half) * (1 - np.minimum(along - np.float32(neck), 0) * np.float32(0.18 / short))
    base = np.float32(0.028 if insulated else 0.26)
    _lay_rod(scene, overlay, across, shaft_half, smoothstep(neck + 1, neck - 1, along), base, 1.0)
    collar = smoothstep(neck - 1, neck + 1, along) * smoothstep(-jaws + 1, -jaws - 1, along)
    _lay_rod(scene, overlay, across, np.full_like(across, 0.82 * half), collar, np.float32(0.34), 1.2)
    t = np.clip((along + np.float32(jaws)) / np.float32(jaws), 0, 1)
    on_jaw = smoothstep(-jaws - 1, -jaws + 1, along)
    opening = float(rng.choice([0.0, rng.uniform(0.15, 0.45)]))
    for sign in (-1.0, 1.0):
        bow = np.float32(sign) * (
            np.float32(0.3 * half) + t * np.float32(opening * jaws) * (np.float32(1.5) - t * np.float32(0.5))
        )
        taper = np.float32(0.45 * half) * np.sqrt(np.clip(1.02 - t**4, 0, 1)) * (1 - np.float32(0.45) * t)
        reach = smoothstep(1, -1, along)
        _lay_rod(scene, overlay, across - bow, taper, on_jaw * reach, np.float32(0.38), 1.4)


def _lay_rod(
    scene: Scene,
    overlay: Overlay,
    across: Float32,
    half: Float32,
    extent: Float32,
    base: np.float32,
    glint: float,
) -> None:
    """A rod of metal, lit from the lens: bright along the middle, dark at the sides."""
    v = across / np.maximum(half, 1e-3)
    cover = extent * smoothstep(0.7, -0.7, np.abs(across) - half)
    facing = np.sqrt(np.clip(1 - v * v, 0, 1))
    shade = base * (np.float32(0.25) + np.float32(0.75) * facing)
    for place, strength, width in ((0.18, 0.75, 0.13), (-0.55, 0.16, 0.16)):
        stripe = np.exp(-(((v - np.float32(place)) / np.float32(width)) ** 2))
        shade += np.asarray(stripe, np.float32) * np.float32(strength * glint)
    # metal mirrors the tissue around it, most at its sides
    warm = np.float32(0.10) * (1 - facing)
    lit = np.clip(scene.light, 0.35, 1.3)
    for channel, tint in zip(overlay.colour, (1.0, 0.35, 0.25), strict=True):
        channel += ((shade + np.float32(tint) * warm) * lit - channel) * cover
    overlay.cover += (1 - overlay.cover) * cover


def _cast_shadow(scene: Scene, cover: Float32) -> None:
    u = unit(scene.size)
    move = np.array([[1, 0, 3.5 * u], [0, 1, 5 * u]])
    shifted = cv2.warpAffine(cover, move, scene.size[::-1], borderMode=cv2.BORDER_REPLICATE)
    scene.light *= 1 - np.float32(0.5) * blur(np.asarray(shifted, np.float32), 3 * u)
    near = cv2.dilate(cover, np.ones((1 + 2 * round(5 * u), 1 + 2 * round(5 * u)), np.uint8))
    blocked: npt.NDArray[np.bool_] = np.asarray(near) > 0.02
    scene.blocked |= blocked
