"""Peritoneum with folds, fat, bowel loops and solid organs: the ground on which nodules grow."""

import cv2
import numpy as np

from carcinosis_loc.points import Float32, Size
from carcinosis_loc.synthetic.fields import blur, directed_noise, fractal_noise, mix, smooth_noise, smoothstep, unit
from carcinosis_loc.synthetic.looks import Look
from carcinosis_loc.synthetic.scene import Scene, linear, occlude
from carcinosis_loc.synthetic.vessels import add_vessels

_LIVER = linear(138, 62, 52)
_SEROSA = linear(226, 160, 142)


def paint_tissue(rng: np.random.Generator, look: Look, size: Size) -> Scene:
    """A lesion-free scene of ``size`` in the looks of one patient."""
    scene = _peritoneum(rng, look, size)
    lamp = scene.light.copy()
    if rng.random() < look.organ:
        _add_organ(rng, scene, lamp)
    if look.fat_share > 0:
        _add_fat(rng, look, scene)
    if rng.random() < look.loops:
        for _ in range(int(rng.integers(1, 4))):
            _add_loop(rng, look, scene, lamp)
    add_vessels(rng, scene, look.vessels)
    occlude(scene, 0.75)
    scene.height += np.float32(0.10 * unit(size)) * smooth_noise(rng, size, 2.2 * unit(size))
    scene.blocked |= scene.light < 0.22
    return scene


def _peritoneum(rng: np.random.Generator, look: Look, size: Size) -> Scene:
    u = unit(size)
    tint = fractal_noise(rng, size, 40 * u, octaves=4)
    red = smooth_noise(rng, size, 55 * u)
    albedo = look.tone * (1 + np.float32(0.09) * tint)[..., None]
    flush = look.tone * np.array([0.92, 0.62, 0.62], np.float32)
    mix(albedo, flush, smoothstep(0.0, 2.2, red) * np.float32(0.8))
    pale = np.minimum(look.tone * np.array([1.12, 1.3, 1.28], np.float32), 1)
    mix(albedo, pale, smoothstep(-0.2, -2.0, red) * np.float32(0.7))
    scene = Scene(albedo, _folds(rng, look, size), _lamp(rng, look, size), np.zeros(size, np.float32), np.zeros(size, bool))
    scene.gloss += np.float32(look.gloss) * smoothstep(-0.5, 1.2, smooth_noise(rng, size, 30 * u))
    return scene


def _folds(rng: np.random.Generator, look: Look, size: Size) -> Float32:
    """Broad swells, and creases that run mainly one way."""
    u = unit(size)
    angle = look.fold_angle + rng.normal(0, 0.3)
    swell = directed_noise(rng, size, (150 * u, 75 * u), angle)
    height = np.float32(8 * u * look.fold_strength) * swell
    for along, across, strength in ((110, 36, 2.6), (60, 20, 0.8)):
        noise = directed_noise(rng, size, (along * u, across * u), angle + rng.normal(0, 0.25))
        # the absolute value of a noise has creases where it changes sign; rounded a little
        height += np.float32(strength * u * look.fold_strength) * np.sqrt(noise * noise + np.float32(0.1))
    height += np.float32(0.22 * u) * smooth_noise(rng, size, 8 * u)
    return height


def _lamp(rng: np.random.Generator, look: Look, size: Size) -> Float32:
    """The light falls off with distance from the axis and with depth."""
    height, width = size
    short = min(size)
    x = (np.arange(width, dtype=np.float32) - (width - 1) / 2) / short - np.float32(look.light_offset[0])
    y = (np.arange(height, dtype=np.float32) - (height - 1) / 2) / short - np.float32(look.light_offset[1])
    z2 = np.float32(look.light_distance**2)
    falloff = z2 / (z2 + x[None, :] ** 2 + (y**2)[:, None])
    depth = smooth_noise(rng, size, 0.55 * short)
    tilt = rng.normal(0, 0.35, 2)
    depth += np.float32(tilt[0]) * x[None, :] + np.float32(tilt[1]) * y[:, None]
    return np.float32(look.exposure) * falloff**1.6 * np.asarray(cv2.exp(np.float32(0.22) * depth), np.float32)


def _add_fat(rng: np.random.Generator, look: Look, scene: Scene) -> None:
    """Yellow lobules, where a coarse noise is high."""
    u = unit(scene.size)
    noise = fractal_noise(rng, scene.size, 60 * u, octaves=3)
    threshold = float(np.quantile(noise[::4, ::4], 1 - min(0.9, look.fat_share * rng.uniform(0.3, 1.8))))
    lobule_px = rng.uniform(8, 13) * u
    dome = _lobules(rng, scene.size, lobule_px)
    # the patch ends with whole lobules, and its film of fat thins out beyond them
    noise += np.float32(0.22) * dome
    where = smoothstep(threshold, threshold + 0.4, noise)
    fat = look.fat_tone * (0.9 + np.float32(0.14) * dome)[..., None]
    fat += (linear(214, 128, 84) - fat) * (np.float32(0.45) * smoothstep(0.5, 0.1, dome))[..., None]
    mix(scene.albedo, fat, where * (np.float32(0.72) + np.float32(0.23) * dome))
    scene.height += where * (dome * np.float32(0.3 * lobule_px) + np.float32(1.5 * u))


def _lobules(rng: np.random.Generator, size: Size, lobule_px: float) -> Float32:
    """Rounded cells, 0 in the furrows and 1 on top, from the distance to jittered points."""
    shrink = max(1.0, lobule_px / 12)
    small = (int(size[0] / shrink) + 2, int(size[1] / shrink) + 2)
    step = lobule_px / shrink
    rows, columns = np.mgrid[-1 : small[0] / step + 1, -1 : small[1] / step + 1]
    spots = np.stack([columns.ravel(), rows.ravel()], 1) + rng.uniform(0, 1, (rows.size, 2))
    spots = np.round(spots * step).astype(int)
    inside = (spots >= 0).all(1) & (spots[:, 0] < small[1]) & (spots[:, 1] < small[0])
    seeds = np.full(small, 255, np.uint8)
    seeds[spots[inside, 1], spots[inside, 0]] = 0
    distance = cv2.distanceTransform(seeds, cv2.DIST_L2, cv2.DIST_MASK_PRECISE) / np.float32(step)
    wobble = [np.float32(0.22 * step) * smooth_noise(rng, small, 0.7 * step) for _ in range(2)]
    grid_y, grid_x = np.mgrid[: small[0], : small[1]].astype(np.float32)
    distance = cv2.remap(distance, grid_x + wobble[0], grid_y + wobble[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    dome = np.sqrt(np.clip(1 - (np.asarray(distance) / np.float32(0.85)) ** 2, 0, 1))
    return np.asarray(cv2.resize(dome, size[::-1], interpolation=cv2.INTER_CUBIC), np.float32)


def _add_loop(rng: np.random.Generator, look: Look, scene: Scene, lamp: Float32) -> None:
    """A piece of bowel: a bent tube that lies on what was there before."""
    short = min(scene.size)
    radius = rng.uniform(0.13, 0.24) * short
    distance = _distance_to_curve(rng, scene.size, radius)
    distance += np.float32(0.1 * radius) * smooth_noise(rng, scene.size, 0.25 * short)
    inner = np.clip(1 - (distance / np.float32(radius)) ** 2, 0, 1)
    haustra = directed_noise(rng, scene.size, (0.3 * short, 0.3 * short), 0) * np.float32(0.07)
    tone = np.minimum(0.5 * _SEROSA + 0.5 * look.tone * rng.uniform(0.95, 1.2), 1).astype(np.float32)
    tint = smooth_noise(rng, scene.size, 0.2 * short)
    colour = tone * (1 + np.float32(0.06) * tint)[..., None]
    height = np.sqrt(inner) * np.float32(radius * 0.8) * (1 + haustra)
    height += np.float32(0.006 * short) * directed_noise(rng, scene.size, (0.12 * short, 0.05 * short), rng.uniform(0, 3))
    _lay(scene, lamp, colour, height, distance - np.float32(radius), 0.3 * radius)


def _distance_to_curve(rng: np.random.Generator, size: Size, radius: float) -> Float32:
    """Distance in pixels of each pixel from the axis of a bent tube that crosses the frame."""
    short = min(size)
    shrink = max(1.0, short / 128)
    small = (round(size[0] / shrink), round(size[1] / shrink))
    centre = rng.uniform(-0.1, 1.1, 2) * np.array(size[::-1])
    angle = rng.uniform(0, 2 * np.pi)
    bend = rng.uniform(-1.1, 1.1) / short
    turn = rng.uniform(-0.5, 0.5) / short**2
    s = np.linspace(-1.6 * short, 1.6 * short, 60)
    heading = angle + bend * s + turn * s * np.abs(s)
    step = s[1] - s[0]
    path = np.stack([np.cumsum(np.cos(heading)), np.cumsum(np.sin(heading))], 1) * step
    path += centre - path[len(path) // 2]
    margin = int(radius / shrink) + 2
    axis = np.full((small[0] + 2 * margin, small[1] + 2 * margin), 255, np.uint8)
    nodes = np.round((path / shrink + margin) * 16).astype(np.int32)
    cv2.polylines(axis, [nodes], False, 0, 1, cv2.LINE_8, shift=4)
    distance = cv2.distanceTransform(axis, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[margin:-margin, margin:-margin]
    distance = cv2.GaussianBlur(distance, (0, 0), 1.2)
    return np.asarray(cv2.resize(distance, size[::-1], interpolation=cv2.INTER_CUBIC), np.float32) * np.float32(shrink)


def _add_organ(rng: np.random.Generator, scene: Scene, lamp: Float32) -> None:
    """A smooth solid organ, dark red like the liver, that comes in from one side."""
    height, width = scene.size
    short = min(scene.size)
    angle = rng.uniform(0, 2 * np.pi)
    radius = rng.uniform(0.6, 1.2) * short
    reach = radius + rng.uniform(0.05, 0.35) * short
    x = np.arange(width, dtype=np.float32) - np.float32((width - 1) / 2 + reach * np.cos(angle) * width / short)
    y = np.arange(height, dtype=np.float32) - np.float32((height - 1) / 2 + reach * np.sin(angle) * height / short)
    wobble = np.float32(0.03 * short) * smooth_noise(rng, scene.size, 0.25 * short)
    outside = np.sqrt(x[None, :] ** 2 + (y**2)[:, None]) - np.float32(radius) + wobble
    edge = np.clip(-outside / np.float32(0.16 * short), 0, 1)
    relief = np.sqrt(1 - (1 - edge) ** 2) * np.float32(0.1 * short)
    relief += np.float32(0.0025 * short) * smooth_noise(rng, scene.size, 0.03 * short)
    mottle = 1 + np.float32(0.10) * smooth_noise(rng, scene.size, 0.12 * short)
    colour = _LIVER * np.float32(rng.uniform(0.8, 1.3)) * mottle[..., None]
    _lay(scene, lamp, colour, relief, outside, 0.07 * short)


def _lay(
    scene: Scene, lamp: Float32, colour: Float32, height: Float32, outside_px: Float32, shadow_px: float
) -> None:
    """Lay a body over the scene; ``outside_px`` is the signed distance from its outline, positive outside."""
    u = unit(scene.size)
    cover = smoothstep(0.9 * u, -0.9 * u, outside_px)
    shadow = np.asarray(cv2.exp(np.minimum(-outside_px, 0) * np.float32(1 / shadow_px)), np.float32)
    scene.light *= 1 - np.float32(0.55) * shadow
    scene.light += (lamp - scene.light) * cover
    mix(scene.albedo, colour, cover)
    scene.height += (height - scene.height) * cover


def add_blood(rng: np.random.Generator, scene: Scene) -> None:
    """Pools and smears of blood; a pool is flat, glossy and hides what lies below."""
    u = unit(scene.size)
    blood = linear(rng.uniform(105, 150), rng.uniform(8, 22), rng.uniform(10, 24))
    noise = fractal_noise(rng, scene.size, rng.uniform(25, 60) * u, octaves=3)
    # blood gathers where the surface is low
    noise = noise - np.float32(0.08 / u) * (scene.height - blur(scene.height, 20 * u))
    threshold = float(np.quantile(noise[::4, ::4], 1 - rng.uniform(0.01, 0.09)))
    pool = smoothstep(threshold, threshold + 0.35, noise)
    smear = smoothstep(threshold - 0.9, threshold + 0.1, noise) * np.float32(0.45)
    smear *= smoothstep(-0.6, 1.0, directed_noise(rng, scene.size, (40 * u, 6 * u), rng.uniform(0, np.pi)))
    mix(scene.albedo, scene.albedo * linear(220, 95, 95), smear)
    mix(scene.albedo, blood, pool * np.float32(0.93))
    scene.height += (blur(scene.height, 6 * u) + np.float32(1.2 * u) - scene.height) * pool
    scene.gloss += pool * np.float32(0.1)
    scene.blocked |= pool > 0.05
