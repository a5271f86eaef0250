"""Fat: lobules in patches, like the omentum's."""

import cv2
import numpy as np

from carcinosis_loc.points import Float32, Size
from carcinosis_loc.synthetic.fields import (
    enlarged,
    float32,
    fractal_noise,
    mix,
    power_of_two,
    smaller,
    smooth_noise,
    smoothstep,
    unit,
)
from carcinosis_loc.synthetic.looks import Look
from carcinosis_loc.synthetic.scene import Scene, gain


def add_fat(rng: np.random.Generator, look: Look, scene: Scene) -> None:
    """Yellow lobules, where a coarse noise is high."""
    u = unit(scene.size)
    noise = fractal_noise(rng, scene.size, 60 * u, octaves=3)
    threshold = float(np.quantile(noise[::4, ::4], 1 - min(0.9, look.fat_share * rng.uniform(0.3, 1.8))))
    lobule_px = rng.uniform(8, 13) * u
    dome = _lobules(rng, scene.size, lobule_px)
    # the patch ends with whole lobules, and a film of fat thins out beyond them
    noise += np.float32(0.3) * dome
    where = smoothstep(threshold, threshold + 0.7, noise)
    fat = look.fat_tone * (np.float32(0.84) + np.float32(0.16) * dome)
    mix(fat, look.fat_tone * gain(0.85, 0.58, 0.42), np.float32(0.55) * smoothstep(0.6, 0.0, dome))
    mix(fat, look.fat_tone * gain(0.9, 0.72, 0.6), smoothstep(0.9, 0.3, where))
    mix(scene.albedo, fat, where * (np.float32(0.7) + np.float32(0.25) * dome))
    scene.height += where * (dome * np.float32(0.26 * lobule_px) + np.float32(1.0 * u))


def _lobules(rng: np.random.Generator, size: Size, lobule_px: float) -> Float32:
    """Rounded cells, 0 in the furrows and 1 on top, from the distance to jittered points."""
    doublings = power_of_two(lobule_px / 8)
    shrink = 2**doublings
    small = smaller(size, doublings)
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
    distance = cv2.remap(
        distance, grid_x + wobble[0], grid_y + wobble[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
    )
    dome = np.clip(1 - (np.asarray(distance) / np.float32(0.8)) ** 2, 0, 1) ** np.float32(0.7)
    return enlarged(float32(dome), doublings, size)
