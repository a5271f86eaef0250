"""From the light in the lens to the file: smoke, the round border, defocus, noise and compression."""

import cv2
import numpy as np
import numpy.typing as npt

from carcinosis_loc.points import Float32, Size
from carcinosis_loc.synthetic.fields import fractal_noise, middle, mix, offsets, smoothstep, unit
from carcinosis_loc.synthetic.looks import Look

Image = npt.NDArray[np.uint8]


def add_smoke(rng: np.random.Generator, look: Look, image: Float32) -> None:
    """Smoke of the diathermy, thin enough to see through; ``image`` is changed in place."""
    if rng.random() >= look.smoke:
        return
    size = (image.shape[1], image.shape[2])
    cloud = smoothstep(-1.2, 2.2, fractal_noise(rng, size, 75 * unit(size), octaves=3))
    tint = np.array([0.52, 0.48, 0.47], np.float32).reshape(3, 1, 1) * np.float32(rng.uniform(0.8, 1.1))
    mix(image, tint, cloud * np.float32(rng.uniform(0.15, 0.42)))


def round_border(look: Look, size: Size) -> Float32 | None:
    """Share of light that passes the optics, ``(H, W)``: dark outside the round image, or None without a border."""
    if look.border_radius > 1.2:
        return None
    height, width = size
    half_diagonal = np.hypot(height, width) / 2
    # what is round must fit: in a wide frame it is cut off above and below at the most
    radius = min(look.border_radius * half_diagonal, 0.5 * max(height, width) * 1.04)
    x, y = offsets(size, middle(size))
    distance = np.sqrt(x * x + y * y)
    soft = 1.6 * unit(size)
    return (
        smoothstep(radius + soft, radius - soft, distance) * smoothstep(1.25 * radius, 0.55 * radius, distance) ** 0.5
    )


def expose(rng: np.random.Generator, look: Look, image: Float32, border: Float32 | None) -> Image:
    """Take the picture: ``(3, H, W)``, RGB, linear light, to uint8 display values ``(H, W, 3)``."""
    size = (image.shape[1], image.shape[2])
    image *= look.white_balance
    display = np.sqrt(np.clip(image, 0, 1))
    if border is not None:
        display *= border
    grain = rng.standard_normal(size, dtype=np.float32) * np.float32(0.8 * look.noise)
    planes = []
    for plane in display:
        plane = cv2.GaussianBlur(plane, (0, 0), look.blur_px * unit(size)) + grain
        plane += rng.standard_normal(size, dtype=np.float32) * np.float32(0.5 * look.noise)
        planes.append(np.clip(plane * 255 + np.float32(0.5), 0, 255).astype(np.uint8))
    _, coded = cv2.imencode(".jpg", cv2.merge(planes[::-1]), [cv2.IMWRITE_JPEG_QUALITY, look.jpeg_quality])
    return np.asarray(cv2.cvtColor(cv2.imdecode(coded, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB), np.uint8)
