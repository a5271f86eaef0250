"""Branching vessels."""

import cv2
import numpy as np

from carcinosis_loc.points import Float32, Size
from carcinosis_loc.synthetic.fields import float32, mix, unit
from carcinosis_loc.synthetic.scene import Scene, linear

_ARTERY = linear(160, 38, 44)
_VEIN = linear(126, 54, 78)
_FINE_PX = 384  # vessels are drawn on at least so many pixels a side: thin ones need it


def add_vessels(rng: np.random.Generator, scene: Scene, density: float) -> None:
    """Some trees of arteries and veins, and many fine red vessels."""
    u = unit(scene.size)
    scale = max(1, -(-_FINE_PX // min(scene.size)))
    for colour, count, width, strength, levels in (
        (_VEIN, rng.poisson(0.8 * density), 2.0, 0.5, 3),
        (_ARTERY, rng.poisson(1.3 * density), 1.3, 0.6, 3),
        (_ARTERY, rng.poisson(8 * density), 0.6, 0.4, 2),
    ):
        if not count:
            continue
        canvas = np.zeros((scene.size[0] * scale, scene.size[1] * scale), np.uint8)
        for _ in range(count):
            _draw_tree(rng, canvas, width * u * scale * rng.uniform(0.7, 1.3), u * scale, levels)
        cover = _shrink(canvas, scene.size, u)
        mix(scene.albedo, scene.albedo * colour / np.max(colour), cover * np.float32(strength))
        mix(scene.albedo, colour, cover * np.float32(0.4 * strength))
        scene.height += cover * np.float32(0.35 * width * u)


def _shrink(canvas: np.ndarray, size: Size, u: float) -> Float32:
    cover = cv2.resize(canvas, size[::-1], interpolation=cv2.INTER_AREA)
    return float32(cv2.GaussianBlur(cover.astype(np.float32) / 255, (0, 0), max(0.35 * u, 0.3)))


def _draw_tree(rng: np.random.Generator, canvas: np.ndarray, width_px: float, u: float, levels: int) -> None:
    """Draw a vessel with its branches; each branch is thinner than what it leaves."""
    height, width = canvas.shape
    ends = [(rng.uniform(0, width), rng.uniform(0, height), rng.uniform(0, 2 * np.pi), width_px, 0)]
    while ends:
        x, y, heading, thick, level = ends.pop()
        steps = int(rng.integers(8, 20))
        turns = heading + rng.normal(0, 0.22, steps).cumsum() + rng.normal(0, 0.04) * np.arange(steps)
        length = (2.2 * u + 1.6 * thick) * rng.uniform(0.8, 1.5)
        path = np.empty((steps + 1, 2))
        path[0] = x, y
        path[1:, 0] = x + np.cos(turns).cumsum() * length
        path[1:, 1] = y + np.sin(turns).cumsum() * length
        grey = min(255, max(60, int(255 * thick)))
        cv2.polylines(canvas, [(path * 16).astype(np.int32)], False, grey, max(1, round(thick)), cv2.LINE_AA, shift=4)
        if level < levels:
            forks = (-1, 1) if rng.random() < 0.75 else (0,)
            for side in forks:
                turn = turns[-1] + side * rng.uniform(0.3, 0.8)
                ends.append((path[-1, 0], path[-1, 1], turn, thick * rng.uniform(0.55, 0.85), level + 1))
