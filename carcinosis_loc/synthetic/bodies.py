"""What lies on the peritoneum: loops of bowel and solid organs, with the shadow around them."""

import cv2
import numpy as np

from carcinosis_loc.points import Float32, Size
from carcinosis_loc.synthetic.fields import (
    directed_noise,
    enlarged,
    float32,
    middle,
    mix,
    offsets,
    power_of_two,
    smaller,
    smooth_noise,
    smoothstep,
    unit,
)
from carcinosis_loc.synthetic.looks import Look
from carcinosis_loc.synthetic.scene import Scene, linear

_LIVER = linear(138, 62, 52)
_SEROSA = linear(226, 160, 142)


def add_loop(rng: np.random.Generator, look: Look, scene: Scene, lamp: Float32) -> None:
    """A piece of bowel: a bent tube that lies on what was there before."""
    short = min(scene.size)
    radius = rng.uniform(0.13, 0.24) * short
    distance = _distance_to_curve(rng, scene.size, radius)
    distance += np.float32(0.1 * radius) * smooth_noise(rng, scene.size, 0.25 * short)
    inner = np.clip(1 - (distance / np.float32(radius)) ** 2, 0, 1)
    haustra = directed_noise(rng, scene.size, (0.3 * short, 0.3 * short), 0) * np.float32(0.07)
    tone = np.minimum(0.5 * _SEROSA + 0.5 * look.tone * rng.uniform(0.95, 1.2), 1).astype(np.float32)
    tint = smooth_noise(rng, scene.size, 0.2 * short)
    colour = tone * (1 + np.float32(0.06) * tint)
    height = inner ** np.float32(0.7) * np.float32(radius * 0.85) * (1 + haustra)
    height += np.float32(0.006 * short) * directed_noise(
        rng, scene.size, (0.12 * short, 0.05 * short), rng.uniform(0, 3)
    )
    _lay(scene, lamp, colour, height, distance - np.float32(radius), 0.3 * radius)


def add_organ(rng: np.random.Generator, scene: Scene, lamp: Float32) -> None:
    """A smooth solid organ, dark red like the liver, that comes in from one side."""
    height, width = scene.size
    short = min(scene.size)
    angle = rng.uniform(0, 2 * np.pi)
    radius = rng.uniform(0.6, 1.2) * short
    reach = radius + rng.uniform(0.05, 0.35) * short
    toward = reach / short * np.array([np.cos(angle) * width, np.sin(angle) * height])
    x, y = offsets(scene.size, (middle(scene.size)[0] + toward[0], middle(scene.size)[1] + toward[1]))
    wobble = np.float32(0.03 * short) * smooth_noise(rng, scene.size, 0.25 * short)
    outside = np.sqrt(x * x + y * y) - np.float32(radius) + wobble
    edge = np.clip(-outside / np.float32(0.16 * short), 0, 1)
    relief = (1 - (1 - edge) ** 2) ** np.float32(0.7) * np.float32(0.1 * short)
    relief += np.float32(0.0025 * short) * smooth_noise(rng, scene.size, 0.03 * short)
    mottle = 1 + np.float32(0.10) * smooth_noise(rng, scene.size, 0.12 * short)
    colour = float32(_LIVER * np.float32(rng.uniform(0.8, 1.3)) * mottle)
    _lay(scene, lamp, colour, float32(relief), outside, 0.07 * short)


def _distance_to_curve(rng: np.random.Generator, size: Size, radius: float) -> Float32:
    """Distance in pixels of each pixel from the axis of a bent tube that crosses the frame."""
    short = min(size)
    doublings = power_of_two(short / 90)
    shrink = 2**doublings
    small = smaller(size, doublings)
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
    nodes = np.round((path / shrink + 1 + margin) * 16).astype(np.int32)
    cv2.polylines(axis, [nodes], False, 0, 1, cv2.LINE_8, shift=4)
    distance = cv2.distanceTransform(axis, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[margin:-margin, margin:-margin]
    distance = float32(cv2.GaussianBlur(distance, (0, 0), 1.5))
    return enlarged(distance, doublings, size) * np.float32(shrink)


def _lay(scene: Scene, lamp: Float32, colour: Float32, height: Float32, outside_px: Float32, shadow_px: float) -> None:
    """Lay a body over the scene; ``outside_px`` is the signed distance from its outline, positive outside."""
    u = unit(scene.size)
    cover = smoothstep(0.9 * u, -0.9 * u, outside_px)
    shadow = float32(cv2.exp(np.minimum(-outside_px, 0) * np.float32(1 / shadow_px)))
    scene.light *= 1 - np.float32(0.45) * shadow
    scene.light += (lamp - scene.light) * cover
    mix(scene.albedo, colour, cover)
    scene.height += (height - scene.height) * cover
