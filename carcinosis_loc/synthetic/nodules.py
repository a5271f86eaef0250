"""Peritoneal metastases: from faint miliary grains to plaques."""

from dataclasses import dataclass

import numpy as np

from carcinosis_loc.points import Float32
from carcinosis_loc.synthetic.fields import float32, smooth_noise, smoothstep, unit
from carcinosis_loc.synthetic.looks import Look
from carcinosis_loc.synthetic.placement import Sites
from carcinosis_loc.synthetic.scene import Scene, linear

_RIM = linear(230, 130, 130)
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
    texture = _texture(rng, unit(scene.size))
    painted = [
        _paint_one(rng, look, scene, (float(x), float(y)), float(radius), texture)
        for (x, y), radius in zip(sites.xy, sites.radius_px, strict=True)
    ]
    rows = np.array([row for row in painted if row is not None], np.float32).reshape(-1, 4)
    return Nodules(rows[:, :2], rows[:, 2], rows[:, 3])


def _paint_one(
    rng: np.random.Generator,
    look: Look,
    scene: Scene,
    centre: tuple[float, float],
    radius_px: float,
    texture: Float32,
) -> tuple[float, float, float, float] | None:
    """Paint one nodule and give ``(x, y, radius_px, conspicuity)``."""
    u = unit(scene.size)
    plaque = radius_px > 6.5 * u
    left, top, dx, dy = _window(centre, 1.7 * radius_px + 2)
    rho = _outline(rng, dx, dy, radius_px, 0.13 if plaque else 0.07)
    soft = min(0.5, 0.5 / radius_px + 0.2)
    cover = smoothstep(1 + soft, 1 - soft, rho)
    cover *= _cut(rng, texture, cover.shape)
    mass = float(cover.sum())
    x, y = (left + _centroid(cover, 1, mass), top + _centroid(cover, 0, mass))
    rows, columns, part = _inside(scene, left, top, cover)

    opacity = float(np.clip(look.nodule_opacity + rng.normal(0, 0.12), 0.3, 0.95))
    tone = _own_tone(rng, look)
    ground = scene.albedo[:, rows, columns]
    lit = scene.light[rows, columns]
    full = _display_contrast(ground, tone, lit, cover[part])
    needed = _FAINTEST + (_FAINTEST_TINY - _FAINTEST) * float(np.exp(-max(0.0, radius_px / u - 1.5)))
    if full * 0.95 < needed:
        return None
    opacity = max(opacity, needed / full)

    ring = np.exp(-(((rho - np.float32(1.2)) / np.float32(0.24)) ** 2))
    ground *= 1 - (1 - _RIM) * (np.float32(0.12 + 0.6 * look.hyperaemia) * ring[part])
    ground += (tone - ground) * (np.float32(opacity) * cover[part])
    relief = _relief(rho, radius_px, plaque) * np.float32(rng.uniform(0.7, 1.3))
    scene.height[rows, columns] += relief[part]
    scene.gloss[rows, columns] *= 1 - np.float32(0.35) * cover[part]
    visible = 1 - np.exp(-opacity * full / 0.22)
    return x, y, radius_px, float(visible * (1 - np.exp(-radius_px / (4 * u))))


def _own_tone(rng: np.random.Generator, look: Look) -> Float32:
    """The patient's tone, lighter or darker, and more or less towards pink and tan."""
    warm, yellow = rng.normal(0, 0.05), rng.normal(0, 0.04)
    gain = (1 + rng.normal(0, 0.07)) * np.array([1 + 0.3 * warm, 1 - warm, 1 - warm - yellow])
    return np.clip(look.nodule_tone * gain.reshape(3, 1, 1), 0, 1).astype(np.float32)


def _window(centre: tuple[float, float], reach_px: float) -> tuple[int, int, Float32, Float32]:
    """The pixels around ``centre``: the left and top one, and their offsets from the centre."""
    left, top = (int(np.floor(c - reach_px)) for c in centre)
    count = int(np.ceil(2 * reach_px)) + 2
    steps = np.arange(count, dtype=np.float32)
    return (
        left,
        top,
        (steps + np.float32(left - centre[0]))[None, :],
        (steps + np.float32(top - centre[1]))[:, None],
    )


def _outline(rng: np.random.Generator, dx: Float32, dy: Float32, radius_px: float, rough: float) -> Float32:
    """Distance from the centre, 1 on an irregular, slightly oval outline of the given radius."""
    stretch = float(np.exp(rng.normal(0, 0.12)))
    angle = rng.uniform(0, np.pi)
    along = (dx * np.float32(np.cos(angle)) + dy * np.float32(np.sin(angle))) * np.float32(stretch / radius_px)
    across = (dy * np.float32(np.cos(angle)) - dx * np.float32(np.sin(angle))) / np.float32(stretch * radius_px)
    square = along * along + across * across
    distance = np.sqrt(square) + np.float32(1e-6)
    # cos(k theta) and sin(k theta) by complex powers: cheaper than the arcus tangent
    turn = (along + 1j * across) / distance
    turn2 = turn * turn
    edge = np.ones_like(distance)
    for lobes, power in ((2, turn2), (3, turn2 * turn), (5, turn2 * turn2 * turn)):
        amplitude, phase = rough * rng.normal(0, 1.6 / lobes), rng.uniform(0, 2 * np.pi)
        edge += (power * np.complex64(amplitude * np.exp(1j * phase))).real
    return float32(distance / np.clip(edge, 0.65, 1.4))


def _relief(rho: Float32, radius_px: float, plaque: bool) -> Float32:
    """A dome, or a flat table with a steep edge for plaques; pixels."""
    inside = np.clip(rho, 0, 1)
    dome = (1 - inside**4) * np.float32(0.24) if plaque else (1 - inside**2) * np.float32(0.4)
    return dome * np.float32(radius_px)


def _display_contrast(ground: Float32, tone: Float32, lit: Float32, weight: Float32) -> float:
    """How far the colour of an opaque nodule would be from that of the ground, display values 0 to 1."""
    total = float(weight.sum()) + 1e-6
    light = float((lit * weight).sum()) / total
    below = np.sqrt((ground * (lit * weight)).sum((1, 2)) / total)
    above = np.sqrt(tone.ravel() * light)
    return float(np.sqrt(np.mean((np.minimum(above, 1) - np.minimum(below, 1)) ** 2))) + 1e-6


def _texture(rng: np.random.Generator, u: float) -> Float32:
    """A tile of fine mottle, larger than any nodule, about 1 minus a tenth."""
    side = int(60 * u) + 16
    return 1 - np.float32(0.08) * np.abs(smooth_noise(rng, (side, side), 1.6 * u))


def _cut(rng: np.random.Generator, texture: Float32, shape: tuple[int, ...]) -> Float32:
    top, left = (int(rng.integers(0, side - length + 1)) for side, length in zip(texture.shape, shape, strict=True))
    return texture[top : top + shape[0], left : left + shape[1]]


def _centroid(cover: Float32, axis: int, mass: float) -> float:
    return float(cover.sum(1 - axis) @ np.arange(cover.shape[axis], dtype=np.float32)) / mass


def _inside(scene: Scene, left: int, top: int, patch: Float32) -> tuple[slice, slice, tuple[slice, slice]]:
    """Rows and columns of the frame that the patch covers, and the part of the patch that lies on them."""
    height, width = scene.size
    rows = slice(max(0, top), min(height, top + patch.shape[0]))
    columns = slice(max(0, left), min(width, left + patch.shape[1]))
    part = (slice(rows.start - top, rows.stop - top), slice(columns.start - left, columns.stop - left))
    return rows, columns, part
