"""Branching vessels."""

import cv2
import numpy as np

from carcinosis_loc.points import Float32, Size
from carcinosis_loc.synthetic.fields import mix, unit
from carcinosis_loc.synthetic.scene import Scene, linear

_ARTERY = linear(160, 38, 44)
_VEIN = linear(126, 54, 78)
_FINE_PX = 384  # vessels are drawn on at least so many pixels a side: thin ones need it


def add_vessels(rng: np.random.Generator, scene: Scene, density: float) -> None:
    """Some trees of arteries and veins, and many fine red vessels."""
    u = unit(scene.size)
    scale = max(1, -(-_FINE_PX // min(scene.size)))
    for colour, count, width, strength in (
        (_VEIN, rng.poisson(0.8 * density), 2.0, 0.5),
        (_ARTERY, rng.poisson(1.3 * density), 1.3, 0.6),
        (_ARTERY, rng.poisson(8 * density), 0.6, 0.4),
    ):
        canvas = np.zeros((scene.size[0] * scale, scene.size[1] * scale), np.uint8)
        for _ in range(count):
            _draw_tree(rng, canvas, width * u * scale * rng.uniform(0.7, 1.3), u * scale)
        cover = _shrink(canvas, scene.size, u)
        mix(scene.albedo, scene.albedo * colour / np.max(colour), cover * np.float32(strength))
        mix(scene.albedo, colour, cover * np.float32(0.4 * strength))
        scene.height += cover * np.float32(0.35 * width * u)


def _shrink(canvas: np.ndarray, size: Size, u: float) -> Float32:
    cover = cv2.resize(canvas, size[::-1], interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.GaussianBlur(cover, (0, 0), max(0.35 * u, 0.3)), np.float32) / 255


def _draw_tree(rng: np.random.Generator, canvas: np.ndarray, width_px: float, u: float) -> None:
    """Draw a vessel with its branches; each branch is thinner than what it leaves."""
    height, width = canvas.shape
    start = (rng.uniform(0, width), rng.uniform(0, height))
    ends = [(start, rng.uniform(0, 2 * np.pi), width_px, 0)]
    while ends:
        (x, y), heading, thick, level = ends.pop()
        steps = int(rng.integers(8, 20))
        turns = np.cumsum(rng.normal(0, 0.22, steps)) + rng.normal(0, 0.04) * np.arange(steps)
        length = (2.2 * u + 1.6 * thick) * rng.uniform(0.8, 1.5)
        xs = x + np.cumsum(np.cos(heading + turns)) * length
        ys = y + np.cumsum(np.sin(heading + turns)) * length
        path = np.round(np.stack([np.append(x, xs), np.append(y, ys)], 1) * 16).astype(np.int32)
        grey = int(np.clip(255 * thick, 60, 255)) if thick < 1 else 255
        cv2.polylines(canvas, [path], False, grey, max(1, round(thick)), cv2.LINE_AA, shift=4)
        if level < 3:
            for side in (-1, 1) if rng.random() < 0.75 else (0,):
                turn = heading + turns[-1] + side * rng.uniform(0.3, 0.8)
                ends.append(((xs[-1], ys[-1]), turn, thick * rng.uniform(0.55, 0.85), level + 1))
