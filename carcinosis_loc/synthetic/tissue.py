"""The ground on which nodules grow: peritoneum with folds, what lies on it, and blood."""

import cv2
import numpy as np

from carcinosis_loc.points import Float32, Size
from carcinosis_loc.synthetic.bodies import add_loop, add_organ
from carcinosis_loc.synthetic.fat import add_fat
from carcinosis_loc.synthetic.fields import (
    blur,
    directed_noise,
    float32,
    fractal_noise,
    middle,
    mix,
    offsets,
    smooth_noise,
    smoothstep,
    unit,
)
from carcinosis_loc.synthetic.looks import Look
from carcinosis_loc.synthetic.scene import Scene, gain, linear, occlude
from carcinosis_loc.synthetic.vessels import add_vessels


def paint_tissue(rng: np.random.Generator, look: Look, size: Size, *, spot: bool = True) -> Scene:
    """A lesion-free scene of ``size`` in the looks of one patient.

    Without ``spot`` the light does not fall off around the middle: see ``spotlight``.
    """
    scene = _peritoneum(rng, look, size, spotlight(look, size) if spot else np.ones(size, np.float32))
    lamp = scene.light.copy()
    if rng.random() < look.organ:
        add_organ(rng, scene, lamp)
    if look.fat_share > 0:
        add_fat(rng, look, scene)
    if rng.random() < look.loops:
        for _ in range(int(rng.integers(1, 4))):
            add_loop(rng, look, scene, lamp)
    add_vessels(rng, scene, look.vessels)
    occlude(scene, 0.75)
    scene.height += np.float32(0.10 * unit(size)) * smooth_noise(rng, size, 2.2 * unit(size))
    scene.blocked |= scene.light < 0.22
    return scene


def _peritoneum(rng: np.random.Generator, look: Look, size: Size, falloff: Float32) -> Scene:
    u = unit(size)
    tint = fractal_noise(rng, size, 40 * u, octaves=4)
    red = smooth_noise(rng, size, 55 * u)
    albedo = look.tone * (1 + np.float32(0.09) * tint)
    flush = look.tone * gain(0.92, 0.62, 0.62)
    mix(albedo, flush, smoothstep(0.0, 2.2, red) * np.float32(0.8))
    pale = np.minimum(look.tone * gain(1.12, 1.3, 1.28), 1)
    mix(albedo, pale, smoothstep(-0.2, -2.0, red) * np.float32(0.7))
    scene = Scene(
        albedo,
        _folds(rng, look, size),
        _lamp(rng, look, falloff),
        np.zeros(size, np.float32),
        np.zeros(size, bool),
    )
    scene.gloss += np.float32(look.gloss) * smoothstep(-0.5, 1.2, smooth_noise(rng, size, 30 * u))
    return scene


def _folds(rng: np.random.Generator, look: Look, size: Size) -> Float32:
    """Broad swells, and creases that run mainly one way."""
    u = unit(size)
    angle = look.fold_angle + rng.normal(0, 0.3)
    swell = directed_noise(rng, size, (140 * u, 80 * u), angle, wander=0.4)
    height = np.float32(8 * u * look.fold_strength) * swell
    for along, across, strength in ((110, 36, 2.6), (60, 20, 0.8)):
        noise = directed_noise(rng, size, (along * u, across * u), angle + rng.normal(0, 0.3), wander=0.6)
        # the absolute value of a noise has creases where it changes sign; rounded a little
        height += np.float32(strength * u * look.fold_strength) * np.sqrt(noise * noise + np.float32(0.1))
    height += np.float32(0.22 * u) * smooth_noise(rng, size, 8 * u)
    return height


def spotlight(look: Look, size: Size) -> Float32:
    """How the light falls off with distance from the axis of the lamp, ``(H, W)``; 1 at the axis."""
    x, y = _from_lamp(look, size)
    z2 = np.float32(look.light_distance**2)
    return float32((z2 / (z2 + x * x + y * y)) ** 1.6)


def _lamp(rng: np.random.Generator, look: Look, falloff: Float32) -> Float32:
    """The light falls off with distance from the axis and with depth."""
    size = (falloff.shape[0], falloff.shape[1])
    x, y = _from_lamp(look, size)
    depth = smooth_noise(rng, size, 0.55 * min(size))
    tilt = rng.normal(0, 0.35, 2)
    depth += np.float32(tilt[0]) * x + np.float32(tilt[1]) * y
    return float32(np.float32(look.exposure) * falloff * cv2.exp(np.float32(0.22) * depth))


def _from_lamp(look: Look, size: Size) -> tuple[Float32, Float32]:
    """Offsets from the axis of the lamp in shorter sides: a row and a column."""
    short = min(size)
    x, y = (offset / np.float32(short) for offset in offsets(size, middle(size)))
    return x - np.float32(look.light_offset[0]), y - np.float32(look.light_offset[1])


def add_blood(rng: np.random.Generator, scene: Scene) -> None:
    """Pools and smears of blood; a pool is flat, glossy and hides what lies below."""
    u = unit(scene.size)
    blood = linear(rng.uniform(105, 150), rng.uniform(8, 22), rng.uniform(10, 24))
    noise = fractal_noise(rng, scene.size, rng.uniform(25, 60) * u, octaves=3)
    # blood gathers where the surface is low
    noise = noise - np.float32(0.08 / u) * (scene.height - blur(scene.height, 20 * u))
    threshold = float(np.quantile(noise[::4, ::4], 1 - rng.uniform(0.01, 0.09)))
    pool = smoothstep(threshold, threshold + 0.5, noise)
    smear = smoothstep(threshold - 0.9, threshold + 0.1, noise) * np.float32(0.45)
    smear *= smoothstep(-0.6, 1.0, directed_noise(rng, scene.size, (40 * u, 6 * u), rng.uniform(0, np.pi)))
    mix(scene.albedo, scene.albedo * linear(220, 95, 95), smear)
    mix(scene.albedo, blood, pool * np.float32(0.93))
    scene.height += (blur(scene.height, 6 * u) + np.float32(1.2 * u) - scene.height) * pool
    scene.gloss += pool * np.float32(0.1)
    scene.blocked |= pool > 0.05
