"""What resembles a nodule and is none: fat lobules, knots of vessels, bubbles, spots of glare. Never labelled."""

import numpy as np

from carcinosis_loc.points import Float32
from carcinosis_loc.synthetic.fields import mix, smoothstep, unit
from carcinosis_loc.synthetic.looks import Look
from carcinosis_loc.synthetic.placement import Sites
from carcinosis_loc.synthetic.scene import Scene, linear

_KNOT = linear(140, 34, 40)


def add_lookalikes(rng: np.random.Generator, look: Look, scene: Scene, sites: Sites) -> Float32:
    """Change the scene and give the glare to add to the shaded image, ``(H, W)``, linear light.

    They keep their distance from the nodules, so that no label is in doubt.
    """
    u = unit(scene.size)
    glare = np.zeros(scene.size, np.float32)
    for paint, mean, low, high in (
        (_lobule, 6 * look.fat_share, 3.5, 7.0),
        (_knot, 1.5 * look.vessels, 1.2, 2.6),
        (_bubble, 0.8, 2.2, 5.0),
        (_spot, 5 * look.gloss, 0.5, 1.1),
    ):
        for _ in range(rng.poisson(mean)):
            radius = float(rng.uniform(low, high)) * u
            centre = rng.uniform(0, 1, 2) * np.array(scene.size[::-1])
            gap = np.sqrt(((sites.xy - centre) ** 2).sum(1)) - sites.radius_px
            if len(gap) and gap.min() < 1.3 * radius + 2 * u:
                continue
            rows, columns, rho = _window(scene, centre, radius)
            if rho.size and not scene.blocked[rows, columns].any():
                paint(rng, look, scene, glare, (rows, columns), rho, radius)
    return glare


Window = tuple[slice, slice]


def _lobule(
    rng: np.random.Generator, look: Look, scene: Scene, glare: Float32, at: Window, rho: Float32, radius: float
) -> None:
    """A lone lobule of fat: yellow where a nodule is white."""
    cover = smoothstep(1.15, 0.75, rho) * np.float32(0.9)
    mix(scene.albedo[:, at[0], at[1]], look.fat_tone, cover)
    scene.height[at] += np.sqrt(np.clip(1 - rho * rho, 0, 1)) * np.float32(0.5 * radius)


def _knot(
    rng: np.random.Generator, look: Look, scene: Scene, glare: Float32, at: Window, rho: Float32, radius: float
) -> None:
    """A dilated knot of vessels or a petechia: red."""
    cover = smoothstep(1.3, 0.5, rho) * np.float32(rng.uniform(0.5, 0.85))
    mix(scene.albedo[:, at[0], at[1]], _KNOT, cover)
    scene.height[at] += np.clip(1 - rho * rho, 0, 1) * np.float32(0.25 * radius)


def _bubble(
    rng: np.random.Generator, look: Look, scene: Scene, glare: Float32, at: Window, rho: Float32, radius: float
) -> None:
    """A bubble of rinsing fluid: a clear disc, a thin bright rim, a point of glare."""
    scene.light[at] *= 1 - np.float32(0.22) * smoothstep(1.05, 0.85, rho)
    rim = np.exp(-(((rho - 0.95) * radius / max(0.45, 0.12 * radius)) ** 2))
    glare[at] += np.asarray(rim, np.float32) * np.float32(0.16) * scene.light[at]
    centre = np.unravel_index(int(np.argmin(rho)), rho.shape)
    glare[at][centre] += np.float32(0.9)


def _spot(
    rng: np.random.Generator, look: Look, scene: Scene, glare: Float32, at: Window, rho: Float32, radius: float
) -> None:
    """A spot of glare: small, white, saturated."""
    glare[at] += smoothstep(1.6, 0.4, rho) * np.float32(rng.uniform(0.8, 1.6))


def _window(scene: Scene, centre: np.ndarray, radius: float) -> tuple[slice, slice, Float32]:
    """Rows and columns around ``centre`` and the distance from it in radii, somewhat oval."""
    reach = int(np.ceil(2 * radius)) + 2
    x, y = int(centre[0]), int(centre[1])
    rows = slice(max(0, y - reach), min(scene.size[0], y + reach + 1))
    columns = slice(max(0, x - reach), min(scene.size[1], x + reach + 1))
    dy = (np.arange(rows.start, rows.stop, dtype=np.float32) - np.float32(centre[1])) / np.float32(radius)
    dx = (np.arange(columns.start, columns.stop, dtype=np.float32) - np.float32(centre[0])) / np.float32(radius)
    return rows, columns, np.sqrt((dy * dy)[:, None] + (dx * dx)[None, :])
