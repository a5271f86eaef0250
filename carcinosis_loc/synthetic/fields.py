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
    return directed_noise(rng, size, (cell_px, cell_px), 0.0)


def directed_noise(
    rng: np.random.Generator, size: Size, cell_px: tuple[float, float], angle: float
) -> Float32:
    """Noise stretched along ``angle`` (radians): ``cell_px`` is (along, across).

    It is sampled at some pixels a cell and enlarged by cubic interpolation: cheap, and smooth enough to be
    differentiated.
    """
    enlarge = max(1, int(min(cell_px) / 5))
    small = (size[0] // enlarge + 3, size[1] // enlarge + 3)
    along, across = (max(cell / enlarge, 1.0) for cell in cell_px)
    cos, sin = np.cos(angle), np.sin(angle)
    rotate = np.array([[cos / along, sin / along], [-sin / across, cos / across]])
    reach = np.abs(rotate) @ np.array([small[1], small[0]])
    grid = (int(reach[1]) + 5, int(reach[0]) + 5)
    values = rng.standard_normal(grid, dtype=np.float32)
    centre = np.array([(grid[1] - 1) / 2, (grid[0] - 1) / 2]) + rng.random(2) - 0.5
    offset = centre - rotate @ np.array([(small[1] - 1) / 2, (small[0] - 1) / 2])
    matrix = np.column_stack([rotate, offset])
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    field = cv2.warpAffine(values, matrix, small[::-1], flags=flags, borderMode=cv2.BORDER_REFLECT_101)
    if enlarge > 1:
        field = cv2.resize(field, None, fx=enlarge, fy=enlarge, interpolation=cv2.INTER_CUBIC)
    return _float32(field)[enlarge : enlarge + size[0], enlarge : enlarge + size[1]] * np.float32(1.35)


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


def _float32(image: object) -> Float32:
    return np.asarray(image, np.float32)
