"""Peritoneal metastases: from faint miliary grains to plaques."""

from dataclasses import dataclass

import numpy as np

from carcinosis_loc.points import Float32
from carcinosis_loc.synthetic.fields import smooth_noise, smoothstep, unit
from carcinosis_loc.synthetic.looks import Look
from carcinosis_loc.synthetic.placement import Sites
from carcinosis_loc.synthetic.scene import Scene, linear

_RIM = linear(176, 60, 58)
_FAINTEST = 0.075  # contrast in display values that a careful eye still sees on a nodule of common size
_FAINTEST_TINY = 0.13  # more of it, where only a few pixels show it


@dataclass(frozen=True)
class Nodules:
    """The nodules painted on one frame.

    Attributes:
        xy: centroids of what was painted, ``(N, 2)``, image pixels, inside the frame.
        radius_px: ``(N,)``, image pixels.
        conspicuity: ``(N,)``, 0 to 1: contrast with the tissue times size, both saturating.
    """

    xy: Float32
    radius_px: Float32
    conspicuity: Float32

    def __len__(self) -> int:
        return len(self.xy)


def paint_nodules(rng: np.random.Generator, look: Look, scene: Scene, sites: Sites) -> Nodules:
    """Paint a nodule at each site; one that could not be told from its ground is left out."""
    painted = [
        _paint_one(rng, look, scene, (float(x), float(y)), float(radius))
        for (x, y), radius in zip(sites.xy, sites.radius_px, strict=True)
    ]
    rows = np.array([row for row in painted if row is not None], np.float32).reshape(-1, 4)
    return Nodules(rows[:, :2], rows[:, 2], rows[:, 3])


def _paint_one(
    rng: np.random.Generator, look: Look, scene: Scene, centre: tuple[float, float], radius_px: float
) -> tuple[float, float, float, float] | None:
    """Paint one nodule and give ``(x, y, radius_px, conspicuity)``."""
    u = unit(scene.size)
    plaque = radius_px > 6.5 * u
    left, top, dx, dy = _window(centre, 1.7 * radius_px + 2)
    rho = _outline(rng, dx, dy, radius_px, 0.16 if plaque else 0.09)
    soft = min(0.5, 0.6 / radius_px + 0.12)
    cover = smoothstep(1 + soft, 1 - soft, rho)
    texture = 1 - np.float32(0.12) * np.abs(smooth_noise(rng, _size(cover), max(1.2 * u, 0.35 * radius_px)))
    cover *= texture
    mass = float(cover.sum())
    x, y = (left + _centroid(cover, 1, mass), top + _centroid(cover, 0, mass))
    rows, columns, part = _inside(scene, left, top, cover)

    opacity = float(np.clip(look.nodule_opacity + rng.normal(0, 0.12), 0.3, 0.95))
    tone = np.clip(look.nodule_tone * (1 + rng.normal(0, [0.06, 0.08, 0.09])), 0, 1).astype(np.float32)
    ground = scene.albedo[rows, columns]
    lit = scene.light[rows, columns][..., None]
    full = _display_contrast(ground, tone, lit, cover[part])
    needed = _FAINTEST + (_FAINTEST_TINY - _FAINTEST) * float(np.exp(-max(0.0, radius_px / u - 1.5)))
    if full * 0.95 < needed:
        return None
    opacity = max(opacity, needed / full)

    ring = np.asarray(np.exp(-(((rho - 1.22) / 0.22) ** 2)), np.float32)
    ground += (ground * _RIM * 1.8 - ground) * (np.float32(0.55 * look.hyperaemia) * ring[part])[..., None]
    ground += (tone - ground) * (np.float32(opacity) * cover[part])[..., None]
    relief = _relief(rho, radius_px, plaque) * np.float32(rng.uniform(0.7, 1.3))
    scene.height[rows, columns] += relief[part]
    scene.gloss[rows, columns] *= 1 - np.float32(0.5) * cover[part]
    visible = 1 - np.exp(-opacity * full / 0.22)
    return x, y, radius_px, float(visible * (1 - np.exp(-radius_px / (4 * u))))


def _window(centre: tuple[float, float], reach_px: float) -> tuple[int, int, Float32, Float32]:
    """The pixels around ``centre``: the left and top one, and their offsets from the centre."""
    left, top = (int(np.floor(c - reach_px)) for c in centre)
    count = int(np.ceil(2 * reach_px)) + 2
    steps = np.arange(count, dtype=np.float32)
    return left, top, (steps + np.float32(left - centre[0]))[None, :], (steps + np.float32(top - centre[1]))[:, None]


def _outline(rng: np.random.Generator, dx: Float32, dy: Float32, radius_px: float, rough: float) -> Float32:
    """Distance from the centre, 1 on an irregular, slightly oval outline of the given radius."""
    stretch = float(np.exp(rng.normal(0, 0.12)))
    angle = rng.uniform(0, np.pi)
    along = (dx * np.float32(np.cos(angle)) + dy * np.float32(np.sin(angle))) * np.float32(stretch / radius_px)
    across = (dy * np.float32(np.cos(angle)) - dx * np.float32(np.sin(angle))) / np.float32(stretch * radius_px)
    theta = np.arctan2(across, along)
    edge = np.ones_like(theta)
    for lobes in (2, 3, 5):
        edge += np.float32(rough * rng.normal(0, 0.7)) * np.cos(lobes * theta + np.float32(rng.uniform(0, 6.3)))
    return np.sqrt(along * along + across * across) / np.clip(edge, 0.65, 1.4)


def _relief(rho: Float32, radius_px: float, plaque: bool) -> Float32:
    """A dome, or a flat table with a steep edge for plaques; pixels."""
    inside = np.clip(rho, 0, 1)
    dome = (1 - inside**4) * np.float32(0.22) if plaque else (1 - inside**2) * np.float32(0.3)
    return dome * np.float32(radius_px)


def _display_contrast(ground: Float32, tone: Float32, lit: Float32, weight: Float32) -> float:
    """How far the colour of an opaque nodule would be from that of the ground, display values 0 to 1."""
    total = float(weight.sum()) + 1e-6
    below = np.sqrt((ground * lit * weight[..., None]).sum((0, 1)) / total)
    above = np.sqrt(tone * float((lit[..., 0] * weight).sum() / total))
    return float(np.sqrt(np.mean((np.minimum(above, 1) - np.minimum(below, 1)) ** 2))) + 1e-6


def _centroid(cover: Float32, axis: int, mass: float) -> float:
    return float(cover.sum(1 - axis) @ np.arange(cover.shape[axis], dtype=np.float32)) / mass


def _size(patch: Float32) -> tuple[int, int]:
    return patch.shape[0], patch.shape[1]


def _inside(scene: Scene, left: int, top: int, patch: Float32) -> tuple[slice, slice, tuple[slice, slice]]:
    """Rows and columns of the frame that the patch covers, and the part of the patch that lies on them."""
    height, width = scene.size
    rows = slice(max(0, top), min(height, top + patch.shape[0]))
    columns = slice(max(0, left), min(width, left + patch.shape[1]))
    part = (slice(rows.start - top, rows.stop - top), slice(columns.start - left, columns.stop - left))
    return rows, columns, part
