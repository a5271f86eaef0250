"""From the light in the lens to the file: smoke, the round border, defocus, noise and compression."""

import cv2
import numpy as np
import numpy.typing as npt

from carcinosis_loc.points import Float32, Size
from carcinosis_loc.synthetic.fields import fractal_noise, mix, smoothstep, unit
from carcinosis_loc.synthetic.looks import Look
from carcinosis_loc.synthetic.scene import Scene

Image = npt.NDArray[np.uint8]


def add_smoke(rng: np.random.Generator, look: Look, image: Float32) -> None:
    """Smoke of the diathermy, thin enough to see through; ``image`` is changed in place."""
    if rng.random() >= look.smoke:
        return
    size = (image.shape[0], image.shape[1])
    cloud = smoothstep(-1.2, 2.2, fractal_noise(rng, size, 75 * unit(size), octaves=3))
    tint = np.array([0.52, 0.48, 0.47], np.float32) * np.float32(rng.uniform(0.8, 1.1))
    mix(image, tint, cloud * np.float32(rng.uniform(0.15, 0.42)))


def round_border(look: Look, size: Size) -> Float32 | None:
    """Share of light that passes the optics, ``(H, W)``: dark outside the round image, or None without a border."""
    if look.border_radius > 1.2:
        return None
    height, width = size
    half_diagonal = np.hypot(height, width) / 2
    # what is round must fit: in a wide frame it is cut off above and below at the most
    radius = min(look.border_radius * half_diagonal, 0.5 * max(height, width) * 1.04)
    x = np.arange(width, dtype=np.float32) - np.float32((width - 1) / 2)
    y = np.arange(height, dtype=np.float32) - np.float32((height - 1) / 2)
    distance = np.sqrt((x * x)[None, :] + (y * y)[:, None])
    soft = 1.6 * unit(size)
    return smoothstep(radius + soft, radius - soft, distance) * smoothstep(1.25 * radius, 0.55 * radius, distance) ** 0.5


def block_border(scene: Scene, border: Float32) -> None:
    """Dim the light towards the border, and let no nodule grow where nothing is seen."""
    scene.blocked |= border < 0.55


def expose(rng: np.random.Generator, look: Look, image: Float32, border: Float32 | None) -> Image:
    """Take the picture: ``(H, W, 3)``, RGB, linear light, to uint8 display values."""
    size = (image.shape[0], image.shape[1])
    image *= look.white_balance
    display = np.sqrt(np.clip(image, 0, 1))
    if border is not None:
        display *= border[..., None]
    return photograph(rng, display, look.blur_px * unit(size), look.noise, look.jpeg_quality)


def photograph(rng: np.random.Generator, display: Float32, blur_px: float, noise: float, jpeg_quality: int) -> Image:
    """Defocus, sensor noise and compression; ``display`` is RGB, 0 to 1."""
    if blur_px > 0.05:
        display = np.asarray(cv2.GaussianBlur(display, (0, 0), blur_px), np.float32)
    grain = rng.standard_normal(display.shape[:2], dtype=np.float32)
    colour_grain = rng.standard_normal((*display.shape[:2], 3), dtype=np.float32)
    display = display + np.float32(noise) * (np.float32(0.8) * grain[..., None] + np.float32(0.5) * colour_grain)
    raw = np.clip(display * 255 + np.float32(0.5), 0, 255).astype(np.uint8)
    _, coded = cv2.imencode(".jpg", raw[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, jpeg_quality])
    decoded = cv2.imdecode(coded, cv2.IMREAD_COLOR)
    return np.ascontiguousarray(np.asarray(decoded, np.uint8)[..., ::-1])
