"""Smooth random fields: the raw material of folds, light, smoke and stains."""

import cv2
import numpy as np

from carcinosis_loc.points import Float32, Size

REFERENCE_PX = 192.0
"""Lengths in this room are given for a frame whose shorter side has this many pixels."""


def unit(size: Size) -> float:
    """Pixels of a frame of ``size`` that make one pixel of a frame with a shorter side of 192 pixels."""
    return min(size) / REFERENCE_PX


def smooth_noise(rng: np.random.Generator, size: Size, cell_px: float) -> Float32:
    """Normal noise on a grid of ``cell_px``, interpolated: ``size``, about zero mean and unit variance."""
    cell_px = max(cell_px, 1.0)
    grid = (int(size[0] / cell_px) + 4, int(size[1] / cell_px) + 4)
    values = rng.standard_normal(grid, dtype=np.float32)
    shift = rng.random(2) * cell_px
    matrix = np.array([[1 / cell_px, 0, 1 + shift[1] / cell_px], [0, 1 / cell_px, 1 + shift[0] / cell_px]])
    return _resample(values, matrix, size) * np.float32(1.35)


def directed_noise(
    rng: np.random.Generator, size: Size, cell_px: tuple[float, float], angle: float
) -> Float32:
    """Noise stretched along ``angle`` (radians): ``cell_px`` is (along, across)."""
    height, width = size
    along, across = cell_px
    cos, sin = np.cos(angle), np.sin(angle)
    rotate = np.array([[cos / along, sin / along], [-sin / across, cos / across]])
    reach = np.hypot(height, width) / 2
    grid = (int(2 * reach / across) + 5, int(2 * reach / along) + 5)
    values = rng.standard_normal(grid, dtype=np.float32)
    centre = np.array([(grid[1] - 1) / 2, (grid[0] - 1) / 2])
    offset = centre - rotate @ np.array([(width - 1) / 2, (height - 1) / 2])
    return _resample(values, np.column_stack([rotate, offset]), size) * np.float32(1.35)


def fractal_noise(rng: np.random.Generator, size: Size, cell_px: float, octaves: int = 3) -> Float32:
    """Octaves of smooth noise, each half as coarse and half as strong; about unit variance."""
    total = np.zeros(size, np.float32)
    norm = 0.0
    for octave in range(octaves):
        weight = 0.5**octave
        total += np.float32(weight) * smooth_noise(rng, size, cell_px * weight)
        norm += weight**2
    return total / np.float32(np.sqrt(norm))


def smoothstep(low: float, high: float, value: Float32) -> Float32:
    """0 below ``low``, 1 above ``high`` (or the other way round), smooth between."""
    t = np.clip((value - np.float32(low)) * np.float32(1 / (high - low)), 0, 1)
    return t * t * (3 - 2 * t)


def blur(image: Float32, sigma_px: float) -> Float32:
    """Gaussian blur; strong ones are done on a smaller copy, which costs the same at any ``sigma_px``."""
    shrink = int(max(1, sigma_px // 4))
    if shrink == 1:
        return _float32(cv2.GaussianBlur(image, (0, 0), max(sigma_px, 0.05)))
    height, width = image.shape[:2]
    small = (max(2, round(width / shrink)), max(2, round(height / shrink)))
    smaller = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
    smaller = cv2.GaussianBlur(smaller, (0, 0), sigma_px * small[0] / width)
    return _float32(cv2.resize(smaller, (width, height), interpolation=cv2.INTER_LINEAR))


def mix(image: Float32, colour: Float32, share: Float32) -> None:
    """Blend ``colour`` (3,) or ``(H, W, 3)`` into ``image`` in place; ``share`` is ``(H, W)`` in [0, 1]."""
    image += (colour - image) * share[..., None]


def _resample(values: Float32, matrix: np.ndarray, size: Size) -> Float32:
    """Read ``values`` at ``matrix @ (x, y, 1)`` for each pixel of a frame of ``size``."""
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    warped = cv2.warpAffine(values, matrix, (size[1], size[0]), flags=flags, borderMode=cv2.BORDER_REFLECT_101)
    return _float32(warped)


def _float32(image: object) -> Float32:
    return np.asarray(image, np.float32)
